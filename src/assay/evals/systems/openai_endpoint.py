"""A server on the OpenAI wire as a system: a bare model, or any assistant behind that wire, our own server included.

The answer is the first choice's text. Citations are read from the fields that servers use: ours (`assay`, or
`citations` with `document`, `quote`, `start`, `end`), lists of URLs, `annotations` and `context.citations` of messages.
"""

import time
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Literal

from yarl import URL

from assay.errors import BadSetting, Garbled, Refused
from assay.evals.output import Cited, Output, Retrieved
from assay.evals.systems import replies
from assay.evals.systems.charge import charging
from assay.evals.systems.environment import Environment
from assay.evals.systems.http import Call, Endpoint, checked_url, server_of
from assay.evals.systems.spec import OpenAISpec
from assay.evals.systems.subject import subject_of
from assay.evals.systems.turns import Turns
from assay.models import prices
from assay.models.chat import Usage
from assay.models.estimate import most_tokens
from assay.models.wellformed import well_formed

_PATH = "chat/completions"
_OPENAI = "api.openai.com"
_SHORT_ANSWER_TOKENS = 32
_LONG_QUESTION_TOKENS = 1024


class OpenAISystem:
    """The assistant of an `OpenAISpec`. `where` names its file in errors; `environ` holds the key."""

    kind: Literal["answerer", "retriever"] = "answerer"

    def __init__(self, spec: OpenAISpec, *, where: str, environ: Mapping[str, str]) -> None:
        if spec.returns == "passages":
            raise BadSetting(f"{where}: a chat server returns answers.", hint='Use kind = "http" for a retriever.')
        environment = Environment(environ, where=where)
        self._url = _base(checked_url(environment.filled(spec.url, needed_by="url"), where=where))
        self._model = spec.model or (self._url.fragment or "")
        self._url = self._url.with_fragment(None)
        self._headers = environment.filled(spec.headers, needed_by="headers")
        key_env = spec.key_env or ("OPENAI_API_KEY" if self._url.host == _OPENAI else "")
        if key_env:
            key = environment.value(key_env, needed_by="key_env")
            self._headers = {"Authorization": f"Bearer {key}", **self._headers}
        self._options = spec
        self._endpoint = Endpoint(
            timeout_seconds=spec.timeout_seconds,
            max_retries=spec.max_retries,
            largest_reply_mb=spec.largest_reply_mb,
            secrets=environment.secrets,
            key_hint=f"Set {key_env} to a valid key." if key_env else "Set key_env to the variable that holds its key.",
        )
        self._turns = Turns(spec.concurrency)
        self._renamed_cap = False
        # Two paths of one server are two systems; /v1 is everyone's and says nothing.
        place = server_of(self._url) + self._url.path.rstrip("/").removesuffix("/v1")
        self.name = spec.name or place + (f"#{self._model}" if self._model else "")
        self.spec = spec.model_dump(mode="json", exclude_defaults=True) | {"kind": "openai", "url": str(self._url)}
        if self._model:
            self.spec["model"] = self._model
        self.identity = subject_of({"openai": self.spec})
        self.subject = self.identity if spec.version else None
        self.expected_calls = (1.0, 1.0)
        self.expected_cost_usd = self._expected()

    @property
    def url(self) -> URL:
        """The base of what is called."""
        return self._url

    async def __call__(self, question: str) -> Output:
        """One output. Raises Upstream errors."""
        async with self._turns:
            if not self._model:
                self._model = await self._only_model()
            started = time.perf_counter()
            with charging(self._options.cost_usd_per_question) as charged:
                reply = await self._reply(question)
                elapsed_ms = (time.perf_counter() - started) * 1000
                if not isinstance(reply, Mapping):
                    raise Garbled(f"{self.name} answered no JSON object.", hint="Check the url: it often ends in /v1.")
                usage = replies.usage_of(reply.get("usage"), who=self.name)
                charged.cost_usd = self._cost_usd(reply, usage)
                output = _output(reply, who=self.name)
        return replace(output, usage=usage, cost_usd=charged.cost_usd, latency_ms=elapsed_ms, calls=1)

    async def aclose(self) -> None:
        """Close the connections. Safe to call twice."""
        await self._endpoint.aclose()

    async def _reply(self, question: str) -> Any:
        spec = self._options
        messages = [{"role": "system", "content": spec.instructions}] if spec.instructions else []
        body: dict[str, Any] = {
            "model": self._model,
            "messages": [*messages, {"role": "user", "content": well_formed(question)}],
            "max_completion_tokens" if self._renamed_cap else "max_tokens": spec.max_tokens,
            "stream": False,
        }
        if spec.temperature is not None:
            body["temperature"] = spec.temperature
        call = Call("POST", self._url / _PATH, self._headers, body)
        try:
            return await self._endpoint.json(call)
        except Refused as error:  # reasoning models call the cap otherwise, and say so
            if self._renamed_cap or "max_completion_tokens" not in error.message:
                raise
            self._renamed_cap = True
            body["max_completion_tokens"] = body.pop("max_tokens")
            return await self._endpoint.json(call)

    async def _only_model(self) -> str:
        """The one model the server lists. Raises BadSetting where there are more."""
        listed = await self._endpoint.json(Call("GET", self._url / "models", self._headers))
        rows = listed.get("data") if isinstance(listed, Mapping) else None
        names = [str(row["id"]) for row in rows or () if isinstance(row, Mapping) and row.get("id")]
        if len(names) == 1:
            return names[0]
        shown = ", ".join(names[:8]) or "none"
        raise BadSetting(
            f"{server_of(self._url)} lists {len(names)} models ({shown}).",
            hint=f"Name one: {self._url}#{names[0] if names else 'MODEL'}.",
        )

    def _cost_usd(self, reply: Mapping[str, Any], usage: Usage) -> float | None:
        """What the server says it cost, else tokens at the configured price, else at the price table's."""
        ours, told = reply.get("assay"), reply.get("usage")
        for place, name in ((ours, "cost_usd"), (told, "cost_usd"), (told, "cost")):
            if isinstance(place, Mapping) and place.get(name) is not None:
                return replies.number_of(place[name], who=self.name, place=name, least=0)
        if self._options.cost_usd_per_question is not None:
            return self._options.cost_usd_per_question
        return self._priced(usage)

    def _priced(self, usage: Usage) -> float | None:
        spec = self._options
        if spec.input_usd_per_million is not None and spec.output_usd_per_million is not None:
            if usage.total == 0:
                return None  # the server reported no tokens
            output = (usage.output + usage.reasoning) * spec.output_usd_per_million
            return (usage.input * spec.input_usd_per_million + output) / 1e6
        provider = spec.provider or prices.provider_of(str(self._url), self._model)
        return prices.cost_usd(provider, self._model, usage)

    def _expected(self) -> tuple[float, float] | None:
        """From a short answer to the longest allowed, for a question that is not endless."""
        if (fixed := self._options.cost_usd_per_question) is not None:
            return fixed, fixed
        if not self._model:
            return None
        prompt = most_tokens(self._options.instructions)
        low = self._priced(Usage(uncached=prompt // 4 + 16, output=_SHORT_ANSWER_TOKENS))
        high = self._priced(Usage(uncached=prompt + _LONG_QUESTION_TOKENS, output=self._options.max_tokens))
        return None if low is None or high is None else (low, high)


def _base(url: URL) -> URL:
    """The base URL, whether or not the path of the call was written behind it."""
    return URL(str(url.with_query(None)).replace("/" + _PATH, "").rstrip("/"))


def _output(reply: Mapping[str, Any], *, who: str) -> Output:
    choices = reply.get("choices")
    message = choices[0].get("message") if isinstance(choices, list) and choices and isinstance(choices[0], dict) else 0
    if not isinstance(message, Mapping):
        raise Garbled(f"{who} answered without a choice.", hint="Check the url: it must speak the OpenAI wire.")
    if isinstance(ours := reply.get("assay"), Mapping):
        return _own_output(ours, who=who)
    refusal = message.get("refusal")
    content = message.get("content")
    if isinstance(content, list):
        content = "".join(str(part.get("text", "")) for part in content if isinstance(part, Mapping))
    if content is None and not refusal:
        finish = choices[0].get("finish_reason") if isinstance(choices, list) else None
        raise Garbled(
            f"{who} answered no text (finish_reason {finish}).",
            hint="Raise max_tokens, or look at what the server's log says.",
        )
    text = replies.text_of(refusal or content, who=who, place="message.content")
    passages = _passages(reply, message, who=who)
    return Output(text=text, declined=bool(refusal), citations=_citations(reply, message, who=who), passages=passages)


def _own_output(ours: Mapping[str, Any], *, who: str) -> Output:
    """The field `assay` of our own server: everything `assay ask --json` shows."""
    fields = {name: ours.get(name) for name in ("text", "citations", "confidence", "trace_id")}
    output = replies.output_of(
        {**fields, "declined": ours.get("outcome") == "declined", "passages": ours.get("hits") or []}, who=who
    )
    return replace(output, usage=Usage())


def _citations(reply: Mapping[str, Any], message: Mapping[str, Any], *, who: str) -> tuple[Cited, ...]:
    for place in (message, reply):
        if place.get("citations"):
            return replies.citations_of(place["citations"], who=who)
    context = message.get("context")
    if isinstance(context, Mapping) and context.get("citations"):
        return replies.citations_of(context["citations"], who=who, at="context.citations")
    found = []
    for annotation in message.get("annotations") or ():
        cited = annotation.get("url_citation") or annotation.get("file_citation")
        if isinstance(cited, Mapping):
            found.append(cited)
    return replies.citations_of(found, who=who, at="annotations")


def _passages(reply: Mapping[str, Any], message: Mapping[str, Any], *, who: str) -> tuple[Retrieved, ...]:
    context = message.get("context")
    for place, name in (
        *((place, name) for place in (message, reply) for name in replies.PASSAGES),
        (context if isinstance(context, Mapping) else {}, "citations"),
    ):
        if isinstance(place.get(name), list) and place[name]:
            return replies.passages_of(place[name], who=who, at=name)
    return ()
