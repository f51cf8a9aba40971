"""Completions as JSON, and what names a request: everything that can change its completion."""

import dataclasses
import json
import math
from typing import Any

from assay.gateway.replica import replica
from assay.ledger.values import key_of
from assay.models.chat import ChatModel, ChatRequest, Completion, TokenLogprob, Usage

_FORM = 1  # raise it when the stored form changes: old values are then never read
_REQUEST = tuple(field.name for field in dataclasses.fields(ChatRequest))
_COMPLETION = tuple(field.name for field in dataclasses.fields(Completion))
_USAGE = tuple(field.name for field in dataclasses.fields(Usage))


def chat_key(model: ChatModel, request: ChatRequest) -> str:
    """The key of a request to a model: the model's identity and window, every field of the request, the replica."""
    parts = {name: getattr(request, name) for name in _REQUEST}
    parts["messages"] = [[message.role, message.content] for message in request.messages]
    # In the order it was written: a grammar made from a schema asks for its properties in that order.
    parts["schema"] = None if request.schema is None else json.dumps(request.schema, default=dict)
    identity = {"digest": model.digest, "provider": model.provider, "name": model.name, "window": model.window}
    return key_of("chat", {"form": _FORM, "model": identity, "request": parts, "replica": replica.get()})


def as_json(completion: Completion) -> dict[str, Any]:
    """All of a completion."""
    shape = {name: getattr(completion, name) for name in _COMPLETION}
    shape["usage"] = [getattr(completion.usage, name) for name in _USAGE]
    shape["logprobs"] = [
        [token.token, _writable(token.logprob), [[text, _writable(value)] for text, value in token.top]]
        for token in completion.logprobs
    ]
    return shape


def completion_from(shape: dict[str, Any]) -> Completion:
    """The completion `as_json` wrote, equal to the original in every field."""
    logprobs = tuple(
        TokenLogprob(token, float(logprob), tuple((text, float(value)) for text, value in top))
        for token, logprob, top in shape["logprobs"]
    )
    return Completion(**(shape | {"usage": Usage(*shape["usage"]), "logprobs": logprobs}))


def _writable(logprob: float) -> float | str:
    """JSON has no infinity, and some servers give impossible tokens minus infinity."""
    return logprob if math.isfinite(logprob) else str(logprob)
