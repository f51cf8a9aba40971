"""Between our requests and completions and the OpenAI chat wire format, which llama.cpp speaks too.

One `Assembly` reads a whole response or the chunks of a stream; both give the same `Completion`. Usage is kept in
disjoint buckets, though the wire counts cached tokens inside the prompt's and reasoning inside the completion's.
"""

import json
import time
from collections.abc import Mapping, Sequence
from typing import Any

from assay.errors import Garbled
from assay.models.chat import ChatRequest, Completion, FinishReason, Message, TokenLogprob, Usage
from assay.models.wellformed import well_formed

_FINISH: dict[str, FinishReason] = {"stop": "stop", "length": "length", "content_filter": "content_filter"}

Json = Mapping[str, Any]


def wire_messages(messages: Sequence[Message]) -> list[dict[str, str]]:
    """Messages as the wire has them, their text made well-formed."""
    return [{"role": message.role, "content": well_formed(message.content)} for message in messages]


def wire_request(request: ChatRequest, *, stream: bool) -> dict[str, Any]:
    """The body of a chat completion, without the model's name."""
    body: dict[str, Any] = {
        "messages": wire_messages(request.messages),
        "max_tokens": request.max_tokens,
        "temperature": request.temperature,
        "stream": stream,
    }
    if stream:
        body["stream_options"] = {"include_usage": True}
    if request.seed is not None:
        body["seed"] = request.seed
    if request.stop:
        body["stop"] = [well_formed(text) for text in request.stop]
    if request.schema is not None:
        form = {"name": "answer", "schema": dict(request.schema), "strict": _may_be_strict(request.schema)}
        body["response_format"] = {"type": "json_schema", "json_schema": form}
    if request.top_logprobs is not None:
        body |= {"logprobs": True, "top_logprobs": request.top_logprobs}
    return body


def _may_be_strict(schema: object) -> bool:
    """OpenAI's strict mode wants every property required and no others allowed, at every depth."""
    if isinstance(schema, Mapping):
        properties = schema.get("properties")
        if isinstance(properties, Mapping) and (
            schema.get("additionalProperties") is not False or set(schema.get("required", ())) != set(properties)
        ):
            return False
        return all(_may_be_strict(value) for value in schema.values())
    return all(_may_be_strict(value) for value in schema) if isinstance(schema, list | tuple) else True


class Assembly:
    """Puts a completion together from what the server sends, timing it from `started` (of `time.perf_counter`)."""

    def __init__(self, request: ChatRequest, *, model: str, started: float) -> None:
        self._request, self._model, self._started = request, model, started
        self._texts: list[str] = []
        self._logprobs: list[TokenLogprob] = []
        self._finish: str | None = None
        self._usage = Usage()
        self._ttft_ms: float | None = None

    def take(self, chunk: Json) -> str:
        """Read one chunk or one whole response; returns the text it added. Raises `Garbled`."""
        try:
            if isinstance(usage := chunk.get("usage"), Mapping):
                self._usage = usage_from_wire(usage)
            return self._take_choice(chunk["choices"][0]) if chunk.get("choices") else ""
        except (KeyError, TypeError, ValueError, AttributeError, IndexError) as error:
            raise Garbled(
                f"The answer of {self._model} does not have the form of a chat completion: {error!r}.",
                hint="Check that the base URL is that of an OpenAI-compatible server.",
            ) from error

    def _take_choice(self, choice: Json) -> str:
        part = choice.get("delta") or choice.get("message") or {}
        text = part.get("content") or part.get("refusal") or ""
        if not isinstance(text, str):
            raise TypeError("content is not text")
        if part.get("refusal"):
            self._finish = "content_filter"
        if text:
            self._texts.append(text)
            if self._ttft_ms is None and "delta" in choice:
                self._ttft_ms = (time.perf_counter() - self._started) * 1000
        for token in (choice.get("logprobs") or {}).get("content") or ():
            top = tuple((str(t["token"]), float(t["logprob"])) for t in token.get("top_logprobs") or ())
            self._logprobs.append(TokenLogprob(str(token["token"]), float(token["logprob"]), top))
        self._finish = self._finish or choice.get("finish_reason")
        return text

    def completion(self) -> Completion:
        """The whole. Raises `Garbled` when it ended early or does not match the schema that was asked for."""
        if self._finish is None:
            raise Garbled(f"The answer of {self._model} broke off before its end.", hint="Try again.")
        text = "".join(self._texts)
        finish = _FINISH.get(self._finish, "other")
        if self._request.schema is not None and not self._request.lenient:
            check_json(text, self._request.schema, finish=finish, model=self._model)
        return Completion(
            text=text,
            finish_reason=finish,
            usage=self._usage,
            model=self._model,
            logprobs=tuple(self._logprobs),
            latency_ms=(time.perf_counter() - self._started) * 1000,
            ttft_ms=self._ttft_ms,
        )


def usage_from_wire(usage: Json) -> Usage:
    """Disjoint buckets from the wire's overlapping ones."""
    prompt, completion = int(usage.get("prompt_tokens") or 0), int(usage.get("completion_tokens") or 0)
    prompt_details = usage.get("prompt_tokens_details") or {}
    read = min(int(prompt_details.get("cached_tokens") or 0), prompt)
    write = min(int(prompt_details.get("cache_write_tokens") or 0), prompt - read)
    reasoning = min(int((usage.get("completion_tokens_details") or {}).get("reasoning_tokens") or 0), completion)
    return Usage(
        uncached=prompt - read - write,
        cache_read=read,
        cache_write=write,
        output=completion - reasoning,
        reasoning=reasoning,
    )


def check_json(text: str, schema: Json, *, finish: FinishReason, model: str) -> None:
    """Raise `Garbled` unless `text` is whole JSON with what an object schema requires."""
    if finish == "length":
        raise Garbled(f"The JSON answer of {model} was cut off at max_tokens.", hint="Raise max_tokens.")
    try:
        value = json.loads(text)
    except ValueError as error:
        raise Garbled(
            f"{model} was asked for JSON and answered something else.",
            hint="Use a model or server that supports response_format json_schema.",
        ) from error
    wanted = schema.get("required", ())
    if schema.get("type") == "object" and not (isinstance(value, dict) and all(key in value for key in wanted)):
        raise Garbled(
            f"The JSON answer of {model} lacks what the schema requires: {', '.join(wanted)}.",
            hint="Use a model or server that supports response_format json_schema.",
        )
