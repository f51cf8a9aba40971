"""Models every contract runs on, and an OpenAI-compatible server that can fail in every way real ones do.

The embedded models come from this user's cache; `assay models pull` fills it.
"""

import asyncio
import contextlib
import hashlib
import json
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest
from aiohttp import web

from assay.gateway.budget import Budget
from assay.gateway.pace import Pace
from assay.ledger.database import Database
from assay.ledger.values import Values
from assay.models.catalogue import chat_model, embedder
from assay.models.llama import EmbeddedChat
from assay.models.minilm import MiniLMEmbedder
from assay.models.settings import ModelSettings

DIMENSIONS = 16
WORDS = ["The ", "answer ", "is ", "forty ", "two."]


@dataclass
class OpenAIServer:
    """A server on the loopback interface. It answers the five words of `WORDS`, or JSON where that is asked for.

    `faults` is what the next requests meet, in order; after it every request succeeds. `seen` keeps what arrived.
    """

    dimensions = DIMENSIONS

    url: str = ""
    faults: list[Any] = field(default_factory=list)
    seen: list[dict[str, Any]] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)
    pause_seconds: float = 0.0
    gone: asyncio.Event = field(default_factory=asyncio.Event)

    async def chat(self, request: web.Request) -> web.StreamResponse:
        if (refusal := await self._fault(request)) is not None:
            return refusal
        body = self.seen[-1]
        form = body.get("response_format")
        pieces = ['{"grade": ', "2", "}"] if form else WORDS
        most = body.get("max_tokens", body.get("max_completion_tokens", 99))
        finish = "length" if len(pieces) > most else "stop"
        pieces = pieces[:most]
        prompt = sum(len(message["content"].split()) + 4 for message in body["messages"])
        usage = {
            "prompt_tokens": prompt,
            "completion_tokens": len(pieces) + 3,
            "prompt_tokens_details": {"cached_tokens": 2},
            "completion_tokens_details": {"reasoning_tokens": 3},
        }
        if body["stream"]:
            return await self._stream(request, pieces, finish, usage, logprobs=bool(body.get("logprobs")))
        choice = {"message": {"role": "assistant", "content": "".join(pieces)}, "finish_reason": finish}
        if body.get("logprobs"):
            choice["logprobs"] = {"content": [_logprob(piece) for piece in pieces]}
        await asyncio.sleep(self.pause_seconds)
        return web.json_response({"choices": [choice], "usage": usage})

    async def _stream(
        self, request: web.Request, pieces: list[str], finish: str, usage: Any, *, logprobs: bool
    ) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        await response.prepare(request)

        async def send(value: Any) -> None:
            # One event in two writes, with CRLF: a reader must not rely on how bytes are cut.
            data = f"data: {json.dumps(value)}\r\n\r\n".encode()
            await response.write(data[:7])
            await response.write(data[7:])

        try:
            await response.write(b": keep-alive\n\n")
            for piece in pieces:
                await asyncio.sleep(self.pause_seconds)
                if self.faults and self.faults[0] == "half":
                    self.faults.pop(0)
                    assert request.transport is not None
                    request.transport.abort()
                    return response
                choice: dict[str, Any] = {"delta": {"content": piece}, "finish_reason": None}
                if logprobs:
                    choice["logprobs"] = {"content": [_logprob(piece)]}
                await send({"choices": [choice]})
            await send({"choices": [{"delta": {}, "finish_reason": finish}]})
            await send({"choices": [], "usage": usage})
            await response.write(b"data: [DONE]\n\n")
        except (asyncio.CancelledError, ConnectionError):
            self.gone.set()
            raise
        return response

    async def embeddings(self, request: web.Request) -> web.StreamResponse:
        if (refusal := await self._fault(request)) is not None:
            return refusal
        rows = [{"index": i, "embedding": _vector(text)} for i, text in enumerate(self.seen[-1]["input"])]
        return web.json_response({"data": rows[::-1]})  # out of order: the index counts

    async def _fault(self, request: web.Request) -> web.StreamResponse | None:
        body = await request.json()
        self.seen.append(body)
        self.headers.append(dict(request.headers))
        if not self.faults or self.faults[0] == "half":
            return None
        fault = self.faults.pop(0)
        if fault == "hang":
            try:
                await asyncio.sleep(60)
            except asyncio.CancelledError:
                self.gone.set()
                raise
        if fault == "drop":
            assert request.transport is not None
            request.transport.abort()
            return web.Response()
        if isinstance(fault, dict):
            return web.json_response(fault)
        if isinstance(fault, str):
            return web.Response(text=fault, content_type="text/html")
        status, error, headers = (*fault, {}, {})[:3]
        return web.json_response({"error": error}, status=status, headers=headers)


@contextlib.asynccontextmanager
async def openai_server() -> AsyncIterator[OpenAIServer]:
    """A server that listens at `url` until the context ends."""
    server = OpenAIServer()
    app = web.Application(client_max_size=64 << 20)
    app.router.add_post("/v1/chat/completions", server.chat)
    app.router.add_post("/v1/embeddings", server.embeddings)
    runner = web.AppRunner(app, handler_cancellation=True, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    server.url = f"http://127.0.0.1:{runner.addresses[0][1]}/v1"
    try:
        yield server
    finally:
        await runner.cleanup()


def _logprob(piece: str) -> dict[str, Any]:
    return {
        "token": piece,
        "logprob": -0.25,
        "top_logprobs": [{"token": piece, "logprob": -0.25}, {"token": "1", "logprob": -2.0}],
    }


def _vector(text: str) -> list[float]:
    seed = int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big")
    return [float(x) for x in np.random.default_rng(seed).normal(size=DIMENSIONS) * 3]


@pytest.fixture(scope="session")
def embedded_chat() -> EmbeddedChat:
    """Loaded once; it belongs to no event loop.

    On one thread: llama.cpp's threads wait for each other, and another file has the second core. It has ten minutes
    for an answer: a virtual machine that stands still for one of them is no failure of the model.
    """
    model = chat_model(ModelSettings(threads=1, timeout_seconds=600))
    assert isinstance(model, EmbeddedChat)
    return model


@pytest.fixture(scope="session")
def embedded_embedder() -> MiniLMEmbedder:
    """Loaded once; it belongs to no event loop."""
    model = embedder(ModelSettings())
    assert isinstance(model, MiniLMEmbedder)
    return model


@pytest.fixture
async def server() -> AsyncIterator[OpenAIServer]:
    """A loopback server in the OpenAI format."""
    async with openai_server() as running:
        yield running


@pytest.fixture
def no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    """Loopback goes direct, whatever this machine's environment says."""
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setenv("no_proxy", "127.0.0.1")


@pytest.fixture
def gateway_parts(sqlite_database: Database) -> Iterator[dict[str, Any]]:
    """What a whole stack of the gateway's wrappers is made with, over a new database."""
    values, budget = Values(sqlite_database), Budget(5.0, database=sqlite_database, run_id="run")
    yield {"values": values, "budget": budget, "pace": Pace()}
    budget.close()
    values.close()
