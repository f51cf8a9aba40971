"""Chat with any server that speaks the OpenAI wire format: OpenAI, Azure, OpenRouter, vLLM, Ollama, llama.cpp."""

import contextlib
import time
from collections.abc import AsyncGenerator, Sequence
from typing import Any

from assay.errors import BadInput, Garbled
from assay.models.chat import ChatRequest, Completion, Delta, Message
from assay.models.estimate import most_tokens
from assay.models.translate import Assembly, wire_request
from assay.models.wire import Wire

_PATH = "chat/completions"
_TOKENS_PER_MESSAGE = 8
_TOKENS_PER_PROMPT = 16


class OpenAIChat:
    """The chat model `name` at the server of `wire`.

    `count` is an upper bound made without the model's tokenizer (`assay.models.estimate`), so a packer uses less of the
    window than it could, and never more.
    """

    def __init__(self, name: str, wire: Wire, *, window: int, provider: str = "") -> None:
        self.name = name
        self.provider = provider or "unknown"
        self.window = window
        self.digest = f"openai-compatible:{wire.server}:{name}"
        self._wire = wire
        # What this model turned out to want, learnt from its first refusal.
        self._renamed: dict[str, str] = {}
        self._refused: set[str] = set()

    async def complete(self, request: ChatRequest) -> Completion:
        """The whole answer. Raises `Upstream` errors, `BadInput` where the prompt exceeds the window."""
        await self._check_room(request)
        started = time.perf_counter()
        body = self._body(request, stream=False)
        try:
            answer = await self._wire.post(_PATH, body)
        except BadInput as error:
            if not self._learns_from(error, body):
                raise
            answer = await self._wire.post(_PATH, self._body(request, stream=False))
        assembly = Assembly(request, model=self.name, started=started)
        if not answer.get("choices"):
            raise Garbled(f"{self.name} answered without a choice.", hint="Check that the base URL is right.")
        assembly.take(answer)
        return assembly.completion()

    async def stream(self, request: ChatRequest) -> AsyncGenerator[Delta, None]:
        """The answer in pieces. Closing the iterator closes the connection."""
        await self._check_room(request)
        body = self._body(request, stream=True)
        try:
            async with contextlib.aclosing(self._pieces(request, body)) as deltas:
                async for delta in deltas:
                    yield delta
        except BadInput as error:  # raised before the first piece: a server refuses at once
            if not self._learns_from(error, body):
                raise
            async with contextlib.aclosing(self._pieces(request, self._body(request, stream=True))) as deltas:
                async for delta in deltas:
                    yield delta

    async def count(self, messages: Sequence[Message]) -> int:
        """An upper bound of the prompt's tokens."""
        return _TOKENS_PER_PROMPT + sum(_TOKENS_PER_MESSAGE + most_tokens(message.content) for message in messages)

    @property
    def counts_exactly(self) -> bool:
        """False: the model's tokenizer is not here."""
        return False

    async def aclose(self) -> None:
        """Close the connections. Safe to call twice."""
        await self._wire.aclose()

    async def _pieces(self, request: ChatRequest, body: dict[str, Any]) -> AsyncGenerator[Delta, None]:
        assembly = Assembly(request, model=self.name, started=time.perf_counter())
        async with contextlib.aclosing(self._wire.stream(_PATH, body)) as chunks:
            async for chunk in chunks:
                if text := assembly.take(chunk):
                    yield Delta(text)
        yield Delta("", assembly.completion())

    async def _check_room(self, request: ChatRequest) -> None:
        """Refuse what cannot fit by any count: a token is never longer than 256 characters of prose."""
        characters = sum(len(message.content) for message in request.messages)
        if characters > self.window * 256:
            raise BadInput(
                f"The prompt of {characters:,} characters cannot fit {self.name}'s window of {self.window:,} tokens.",
                hint="Send less, or set models.chat_window if the window is larger.",
            )

    def _body(self, request: ChatRequest, *, stream: bool) -> dict[str, Any]:
        body = {"model": self.name, **wire_request(request, stream=stream)}
        return {self._renamed.get(key, key): value for key, value in body.items() if key not in self._refused}

    def _learns_from(self, error: BadInput, body: dict[str, Any]) -> bool:
        """True when the server named a parameter it wants otherwise and the request can be sent again without it.

        Reasoning models call the cap `max_completion_tokens` and accept no temperature but their own.
        """
        if "max_completion_tokens" in error.message and "max_tokens" in body:
            self._renamed["max_tokens"] = "max_completion_tokens"
            return True
        for parameter in ("temperature", "stream_options", "seed", "logprobs", "top_logprobs"):
            if parameter in body and f"'{parameter}'" in error.message and "nsupported" in error.message:
                self._refused.add(parameter)
                return True
        return False
