"""The OpenAI wire: any OpenAI client can ask the assistant, as the model named `assay`.

The last user message is the question. The answer's text carries [n] markers; everything else an
answer has (citations, hits, outcome, trace) travels in the field `assay` of the response, or of the last
chunk of a stream.
"""

import json
import time
import uuid
from collections.abc import AsyncIterator, Mapping
from typing import Any

from fastapi import APIRouter, Request
from pydantic import BaseModel, ConfigDict, Field
from starlette.responses import JSONResponse, Response, StreamingResponse

from assay.answers.outcome import Finished, Outcome, TextPiece
from assay.app.failures import http_status
from assay.app.http.disconnect import until_disconnected
from assay.app.service import Service
from assay.app.shapes import outcome_shape
from assay.errors import AssayError, BadInput, NotFound

MODEL = "assay"


class ChatMessage(BaseModel):
    """A message; `content` is text or the list form with text parts."""

    model_config = ConfigDict(extra="allow")

    role: str
    content: str | list[dict[str, Any]] | None = None


class ChatCompletionRequest(BaseModel):
    """What an OpenAI client sends. Sampling options are accepted and ignored: the assistant sets its own."""

    model_config = ConfigDict(extra="allow")

    model: str
    messages: list[ChatMessage] = Field(min_length=1)
    stream: bool = False
    stream_options: dict[str, Any] | None = None
    n: int | None = None


def router(service: Service) -> APIRouter:
    """The routes over an open workspace."""
    routes = APIRouter(prefix="/v1", tags=["openai"])
    started = int(time.time())

    def card() -> dict[str, Any]:
        return {"id": MODEL, "object": "model", "created": started, "owned_by": "assay"}

    @routes.get("/models", summary="The models this server answers as")
    async def models() -> dict[str, Any]:
        return {"object": "list", "data": [card()]}

    @routes.get("/models/{name}", summary="One model")
    async def model(name: str) -> dict[str, Any]:
        _check_model(name)
        return card()

    @routes.post("/chat/completions", summary="Ask the assistant", response_model=None)
    async def complete(body: ChatCompletionRequest, request: Request) -> Response:
        _check_model(body.model)
        if body.n not in {None, 1}:
            raise BadInput("The assistant gives one answer per request.", hint="Leave n out or set it to 1.")
        question = question_of(body.messages)
        if body.stream:
            with_usage = bool((body.stream_options or {}).get("include_usage"))
            events = _chunks(service, question, with_usage=with_usage)
            return StreamingResponse(events, media_type="text/event-stream", headers={"Cache-Control": "no-store"})
        outcome = await until_disconnected(request, service.ask(question))
        return JSONResponse(_completion(outcome))

    return routes


def question_of(messages: list[ChatMessage]) -> str:
    """The text of the last user message. Raises BadInput where there is none."""
    for message in reversed(messages):
        if message.role == "user":
            content = message.content
            if isinstance(content, list):
                content = "\n".join(str(part.get("text", "")) for part in content if part.get("type") == "text")
            if content and content.strip():
                return content
            break
    raise BadInput(
        "The request has no user message with text.", hint="Send messages that end with a user message of text."
    )


def openai_error(error: AssayError, *, status: int | None = None) -> dict[str, Any]:
    """An error in OpenAI's shape. `status`: the HTTP status it leaves with, where not its class's."""
    status = status or http_status(error)
    kind = {401: "authentication_error", 404: "not_found_error", 429: "rate_limit_error"}.get(
        status, "invalid_request_error" if status < 500 else "server_error"
    )
    message = f"{error.message} {error.hint}".strip()
    return {"error": {"message": message, "type": kind, "param": None, "code": error.slug}}


def _check_model(name: str) -> None:
    if name != MODEL:
        raise NotFound(
            f"There is no model {name!r} here.", hint=f"Use the model named {MODEL!r}.", code="model_not_found"
        )


def _usage(outcome: Outcome) -> dict[str, Any]:
    usage = outcome.usage
    completion = usage.output + usage.reasoning
    return {
        "prompt_tokens": usage.input,
        "completion_tokens": completion,
        "total_tokens": usage.input + completion,
        "prompt_tokens_details": {"cached_tokens": usage.cache_read},
        "completion_tokens_details": {"reasoning_tokens": usage.reasoning},
    }


def _completion(outcome: Outcome) -> dict[str, Any]:
    return {
        "id": f"chatcmpl-{outcome.trace_id or uuid.uuid4().hex}",
        "object": "chat.completion",
        "created": int(time.time()),
        "model": MODEL,
        "choices": [
            {
                "index": 0,
                "message": {"role": "assistant", "content": outcome.text, "refusal": None},
                "logprobs": None,
                "finish_reason": "stop",
            }
        ],
        "usage": _usage(outcome),
        "assay": outcome_shape(outcome),
    }


async def _chunks(service: Service, question: str, *, with_usage: bool) -> AsyncIterator[str]:
    """Server-sent events. Text already sent is never taken back: `assay.text` holds the checked text."""
    head = {
        "id": f"chatcmpl-{uuid.uuid4().hex}",
        "object": "chat.completion.chunk",
        "created": int(time.time()),
        "model": MODEL,
    }

    def event(delta: Mapping[str, Any], finish: str | None = None, **extra: Any) -> str:
        choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish}
        return f"data: {json.dumps({**head, 'choices': [choice], **extra}, ensure_ascii=False)}\n\n"

    yield event({"role": "assistant", "content": ""})
    sent = ""
    try:
        async for piece in service.stream(question):
            if isinstance(piece, TextPiece) and piece.text:
                sent += piece.text
                yield event({"content": piece.text})
            elif isinstance(piece, Finished):
                outcome = piece.outcome
                if outcome.text.startswith(sent) and len(outcome.text) > len(sent):
                    yield event({"content": outcome.text[len(sent) :]})
                yield event({}, "stop", assay=outcome_shape(outcome))
                if with_usage:
                    usage = {**head, "choices": [], "usage": _usage(outcome)}
                    yield f"data: {json.dumps(usage)}\n\n"
    except AssayError as error:
        # The status line is long gone: the error is the last event, as OpenAI's own servers do it.
        yield f"data: {json.dumps(openai_error(error))}\n\n"
        return
    yield "data: [DONE]\n\n"
