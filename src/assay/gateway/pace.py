"""Pace: as many calls at once as a provider takes, found out by trying, and the one place where calls are repeated.

Additive increase, multiplicative decrease (Chiu and Jain 1989), as congestion control has it: a call that succeeds
while every place is taken adds 1/window, so a window of calls adds one; a refusal for load (429, a timeout, 5xx, a lost
connection) halves it, once for all calls that were under way at that moment. Retry-After pauses the whole provider.
Callers are served in order; one that repeats its call goes first, since it has waited already.

How this combines with the retries of `assay.models.wire`: they are the same rules, so only one of the two may be on,
or calls multiply ((1 + a)(1 + b) of them) and refusals are hidden from the pace. Here is the right place, outside of
the budget: each repetition is a call of its own, reserved and counted. So a paced model is made with
`models.max_retries` 0 and that setting is given to the pace instead.

Invariants: never more calls at once than the window's whole part; a place is given back however a call ends, cancelled
in any moment included; nothing is sent while the provider is paused. Proved by `tests/unit/gateway/test_pace.py`.
"""

import asyncio
import math
import random
from collections import deque
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from typing import TypeVar

from assay.errors import RateLimited, Refused, TimedOut, Upstream
from assay.gateway.around import AroundChat, AroundEmbedder, closing
from assay.models.chat import ChatModel, ChatRequest, Completion, Delta
from assay.models.embedder import Embedder, Kind, TokenVectors, Vectors

T = TypeVar("T")

LONGEST_PAUSE_SECONDS = 60.0
_LONGEST_BACKOFF_SECONDS = 8.0
_LOAD_STATUSES = frozenset({None, 408, 500, 502, 503, 504, 529})


class Pace:
    """The calls to one provider. Share one among all models of a provider; it belongs to one event loop.

    `start` and `most` bound the calls at once. `retries` is how often a call is repeated after a failure that may pass;
    waits grow from `backoff_seconds`, jittered, unless the provider says how long. One that asks for more than
    `LONGEST_PAUSE_SECONDS` is not waited for.
    """

    def __init__(self, *, start: int = 8, most: int = 64, retries: int = 2, backoff_seconds: float = 0.5) -> None:
        self._window = float(min(start, most))
        self._most, self._retries, self._backoff_seconds = most, retries, backoff_seconds
        self._under_way = 0
        self._waiting: deque[asyncio.Future[None]] = deque()
        self._paused_until = self._cut_at = -math.inf

    @property
    def window(self) -> int:
        """How many calls may be under way at once now."""
        return int(self._window)

    @property
    def under_way(self) -> int:
        """How many are."""
        return self._under_way

    async def call(self, work: Callable[[], Awaitable[T]]) -> T:
        """Do `work` when its turn comes, and again where it fails for load. Raises what it raised last."""
        tried = 0
        while True:
            try:
                async with self.place(again=tried > 0):
                    return await work()
            except Upstream as error:
                await self.before_repeating(error, tried)
            tried += 1

    @asynccontextmanager
    async def place(self, *, again: bool = False) -> AsyncIterator[None]:
        """One call under way; how it ends is learnt from."""
        await self._enter(first=again)
        began = asyncio.get_running_loop().time()
        try:
            yield
            if self._under_way >= self.window:
                self._window = min(float(self._most), self._window + 1 / self._window)
        except Upstream as error:
            if _is_load(error):
                self._slow_down(error, began)
            raise
        finally:
            self._leave()

    async def before_repeating(self, error: Upstream, tried: int) -> None:
        """Wait as long as `error` asks for; raises it where it is not worth another try after `tried` repetitions."""
        if tried >= self._retries or not _is_load(error):
            raise error
        if isinstance(error, RateLimited) and error.retry_after_seconds is not None:
            if error.retry_after_seconds > LONGEST_PAUSE_SECONDS:
                raise error
            return  # the provider is paused: the next turn comes after that
        longest = min(self._backoff_seconds * 2**tried, _LONGEST_BACKOFF_SECONDS)
        await asyncio.sleep(longest * (0.5 + random.random() / 2))  # noqa: S311  spreads callers out, guards nothing

    async def _enter(self, *, first: bool) -> None:
        loop = asyncio.get_running_loop()
        if self._is_open() and not self._waiting:
            self._under_way += 1
            return
        turn = loop.create_future()
        (self._waiting.appendleft if first else self._waiting.append)(turn)
        try:
            await turn
        except asyncio.CancelledError:
            if not turn.cancelled():
                self._leave()  # its turn came in the same moment
            raise

    def _leave(self) -> None:
        self._under_way -= 1
        self._admit()

    def _admit(self) -> None:
        while self._waiting and self._is_open():
            turn = self._waiting.popleft()
            if not turn.cancelled():
                self._under_way += 1
                turn.set_result(None)

    def _is_open(self) -> bool:
        return self._under_way < self.window and asyncio.get_running_loop().time() >= self._paused_until

    def _slow_down(self, error: Upstream, began: float) -> None:
        loop = asyncio.get_running_loop()
        now = loop.time()
        if began >= self._cut_at:  # else it began before the last cut, which was for the same crowd
            self._window, self._cut_at = max(1.0, self._window / 2), now
        asked = error.retry_after_seconds if isinstance(error, RateLimited) else None
        if asked:
            self._paused_until = max(self._paused_until, now + min(asked, LONGEST_PAUSE_SECONDS))
            # A timer may fire a hair early, and would then admit nobody.
            loop.call_at(self._paused_until + 0.001, self._admit)


class PacedChat(AroundChat):
    """A ChatModel whose calls keep the pace of its provider. A stream is repeated only before its first piece."""

    def __init__(self, model: ChatModel, pace: Pace) -> None:
        super().__init__(model)
        self._pace = pace

    async def complete(self, request: ChatRequest) -> Completion:
        """The whole answer, when its turn comes."""
        return await self._pace.call(lambda: self._model.complete(request))

    async def stream(self, request: ChatRequest) -> AsyncGenerator[Delta, None]:
        """The answer in pieces; it keeps its place until it ends or is left."""
        tried, began = 0, False
        while True:
            try:
                async with self._pace.place(again=tried > 0), closing(self._model.stream(request)) as deltas:
                    async for delta in deltas:
                        began = True
                        yield delta
                    return
            except Upstream as error:
                if began:
                    raise
                await self._pace.before_repeating(error, tried)
            tried += 1


class PacedEmbedder(AroundEmbedder):
    """An Embedder whose calls keep the pace of its provider."""

    def __init__(self, embedder: Embedder, pace: Pace) -> None:
        super().__init__(embedder)
        self._pace = pace

    async def embed(self, texts: Sequence[str], *, kind: Kind = "passage") -> Vectors:
        """Unit-norm float32 vectors, when their turn comes."""
        return await self._pace.call(lambda: self._embedder.embed(texts, kind=kind))

    async def _embed_tokens(self, texts: Sequence[str], *, kind: Kind = "passage") -> list[TokenVectors]:
        return await self._pace.call(lambda: self._token_embedder.embed_tokens(texts, kind=kind))


def _is_load(error: Upstream) -> bool:
    """True for failures that fewer calls may cure."""
    return isinstance(error, RateLimited | TimedOut) or (isinstance(error, Refused) and error.status in _LOAD_STATUSES)
