"""Fakes for your own tests: the protocols with answers you choose, no weights, no network, no randomness.

    model = ScriptedChat(["first answer", "second answer"])
    model = ScriptedChat(lambda request: request.messages[-1].content.upper())
    model = ScriptedChat([TimedOut("slow"), "then this"], delay_seconds=0.1)

An answer that is an exception is raised. The same contract tests run on these as on the real adapters.
"""

import asyncio
import hashlib
import re
import time
from collections.abc import AsyncGenerator, Callable, Iterable, Sequence
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from assay.errors import BadInput
from assay.models.chat import ChatRequest, Completion, Delta, FinishReason, Message, TokenLogprob, Usage
from assay.models.embedder import Kind, Vectors
from assay.models.translate import check_json

Reply = str | BaseException

_PIECE = re.compile(r"\s*\S+|\s+")
_WORD = re.compile(r"\w+|[^\w\s]")


class ScriptedChat:
    """Answers from a list, in order, or by a function of the request. `requests` keeps what it was asked.

    A token is a word with the blanks before it. `delay_seconds` passes before the first piece and between any two.
    """

    def __init__(
        self,
        replies: Iterable[Reply] | Callable[[ChatRequest], Reply],
        *,
        name: str = "scripted",
        provider: str = "embedded",
        window: int = 8192,
        delay_seconds: float = 0.0,
    ) -> None:
        self.name, self.provider, self.window = name, provider, window
        self.digest = f"scripted:{name}"
        self.requests: list[ChatRequest] = []
        self._reply = replies if callable(replies) else _in_order(replies)
        self._delay_seconds = delay_seconds

    async def complete(self, request: ChatRequest) -> Completion:
        """The next reply, whole. Raises it where it is an exception, `BadInput` where the prompt exceeds the window."""
        completion = None
        async for delta in self.stream(request):
            completion = delta.completion
        assert completion is not None
        return completion

    async def stream(self, request: ChatRequest) -> AsyncGenerator[Delta, None]:
        """The next reply, word by word, up to `max_tokens` words or a stop text."""
        started = time.perf_counter()
        prompt_tokens = await self.count(request.messages)
        if prompt_tokens >= self.window:
            raise BadInput(f"The prompt has {prompt_tokens} tokens, the window {self.window}.", hint="Send less.")
        self.requests.append(request)
        reply = self._reply(request)
        if isinstance(reply, BaseException):
            await asyncio.sleep(self._delay_seconds)
            raise reply
        pieces, finish = self._pieces(reply, request, room=self.window - prompt_tokens)
        ttft_ms = None
        for piece in pieces:
            await asyncio.sleep(self._delay_seconds)
            ttft_ms = ttft_ms or (time.perf_counter() - started) * 1000
            yield Delta(piece)
        text = "".join(pieces)
        if request.schema is not None and not request.lenient:
            check_json(text, request.schema, finish=finish, model=self.name)
        certain = request.top_logprobs is not None
        yield Delta(
            "",
            Completion(
                text=text,
                finish_reason=finish,
                usage=Usage(uncached=prompt_tokens, output=len(pieces)),
                model=self.name,
                logprobs=tuple(TokenLogprob(piece, 0.0, ((piece, 0.0),)) for piece in pieces) if certain else (),
                latency_ms=(time.perf_counter() - started) * 1000,
                ttft_ms=ttft_ms,
            ),
        )

    async def count(self, messages: Sequence[Message]) -> int:
        """Words of the messages, and two for each message."""
        return sum(2 + len(_PIECE.findall(message.content)) for message in messages)

    @property
    def counts_exactly(self) -> bool:
        """True: its tokens are words."""
        return True

    async def aclose(self) -> None:
        """Nothing to free."""

    @staticmethod
    def _pieces(reply: str, request: ChatRequest, *, room: int) -> tuple[list[str], FinishReason]:
        ends = [end for end in (reply.find(stop) for stop in request.stop) if end >= 0]
        pieces = _PIECE.findall(reply[: min(ends)] if ends else reply)
        most = min(request.max_tokens, room)
        return pieces[:most], "length" if len(pieces) > most else "stop"


class ScriptedEmbedder:
    """Vectors by hashing words: texts that share words are near, others nearly orthogonal. No meaning, no weights."""

    def __init__(self, *, dimensions: int = 256, max_tokens: int = 256) -> None:
        self.name = "scripted"
        self.digest = f"scripted:{dimensions}:{max_tokens}"
        self.dimensions, self.max_tokens = dimensions, max_tokens

    async def embed(self, texts: Sequence[str], *, kind: Kind = "passage") -> Vectors:
        """Unit-norm float32 vectors, shape (len(texts), dimensions), in order."""
        vectors = np.zeros((len(texts), self.dimensions), dtype=np.float32)
        for i, text in enumerate(texts):
            words = _WORD.findall(text.lower())[: self.max_tokens] or [""]
            vector = np.sum([_direction(word, self.dimensions) for word in words], axis=0)
            vectors[i] = vector / np.linalg.norm(vector)
        return vectors

    def token_spans(self, text: str) -> list[tuple[int, int]]:
        """Character spans of words and punctuation marks."""
        return [match.span() for match in _WORD.finditer(text)]

    async def aclose(self) -> None:
        """Nothing to free."""


class ScriptedReranker:
    """Scores by a function of (question, text); without one, by the share of the question's words in the text."""

    def __init__(self, score: Callable[[str, str], float] | None = None, *, name: str = "scripted") -> None:
        self.name = name
        self.digest = f"scripted:{name}"
        self._score = score or _shared_words

    async def score(self, question: str, texts: Sequence[str]) -> NDArray[np.float64]:
        """One score per text, shape (len(texts),), in order."""
        return np.array([self._score(question, text) for text in texts], dtype=np.float64)

    async def aclose(self) -> None:
        """Nothing to free."""


def _in_order(replies: Iterable[Reply]) -> Callable[[ChatRequest], Reply]:
    left = iter(replies)

    def reply(_request: ChatRequest) -> Reply:
        try:
            return next(left)
        except StopIteration:
            raise LookupError("The scripted chat has no reply left.") from None

    return reply


@lru_cache(maxsize=65536)
def _direction(word: str, dimensions: int) -> NDArray[np.float32]:
    """A vector of signs that belongs to `word` on every machine and in every process."""
    digest = hashlib.shake_128(word.encode("utf-8", "replace")).digest(-(-dimensions // 8))
    bits = np.unpackbits(np.frombuffer(digest, dtype=np.uint8), count=dimensions)
    return bits.astype(np.float32) * 2 - 1


def _shared_words(question: str, text: str) -> float:
    asked, there = set(_WORD.findall(question.lower())), set(_WORD.findall(text.lower()))
    return len(asked & there) / len(asked) if asked else 0.0
