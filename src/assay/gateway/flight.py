"""One execution that any number of callers wait for.

Invariants: while an execution runs nobody starts another for the same key; a caller that is cancelled leaves the others
undisturbed; when the last one leaves, the execution is cancelled and has ended before that caller goes on. A failure
reaches everyone who waited for it, and nobody after. Proved by `tests/unit/gateway/test_cache.py`.
"""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from typing import Any, Generic, TypeVar

T = TypeVar("T")
P = TypeVar("P")


class Flight(Generic[T, P]):
    """A running execution with a result T; `show` hands out pieces P on the way. It runs in its starter's context."""

    def __init__(self, work: "Callable[[Flight[T, P]], Coroutine[Any, Any, T]]") -> None:
        self._pieces: list[P] = []
        self._news = asyncio.Event()
        self._waiting = 0
        self._task = asyncio.create_task(work(self))
        self._task.add_done_callback(self._land)

    @property
    def over(self) -> bool:
        """True when it is too late to join."""
        return self._task.done() or self._task.cancelling() > 0

    def show(self, piece: P) -> None:
        """Hand a piece to everyone who follows."""
        self._pieces.append(piece)
        self._wake()

    async def result(self) -> T:
        """The result, or what the execution raised."""
        async with self.aboard():
            return await asyncio.shield(self._task)

    async def pieces(self) -> AsyncGenerator[P, None]:
        """Every piece from the first on, as they come; then raises what the execution raised, if it did."""
        async with self.aboard():
            at = 0
            while True:
                while at < len(self._pieces):
                    yield self._pieces[at]
                    at += 1
                if self._task.done():
                    self._task.result()
                    return
                await self._news.wait()

    @asynccontextmanager
    async def aboard(self) -> AsyncIterator[None]:
        """Inside, the execution is wanted. Entering does not suspend: nobody can leave in between."""
        self._waiting += 1
        try:
            yield
        finally:
            self._waiting -= 1
            if not self._waiting and not self._task.done():
                self._task.cancel()
                await asyncio.wait([self._task])

    def when_over(self, call: Callable[[], None]) -> None:
        """Call this after the end."""
        self._task.add_done_callback(lambda _: call())

    def _land(self, task: asyncio.Task[T]) -> None:
        if not task.cancelled():
            task.exception()  # looked at, so that nobody is warned where all had left
        self._wake()

    def _wake(self) -> None:
        news, self._news = self._news, asyncio.Event()
        news.set()


class Flights(Generic[T, P]):
    """The executions under way, by key."""

    def __init__(self) -> None:
        self._flying: dict[str, Flight[T, P]] = {}

    def get(self, key: str) -> Flight[T, P] | None:
        """The one that can be joined, if there is one."""
        flight = self._flying.get(key)
        return None if flight is None or flight.over else flight

    def start(self, keys: list[str], work: Callable[[Flight[T, P]], Coroutine[Any, Any, T]]) -> Flight[T, P]:
        """Start one for all `keys`; none of them may have one."""
        flight = Flight(work)
        self._flying.update(dict.fromkeys(keys, flight))
        flight.when_over(lambda: self._forget(keys, flight))
        return flight

    def _forget(self, keys: list[str], flight: Flight[T, P]) -> None:
        for key in keys:
            if self._flying.get(key) is flight:
                del self._flying[key]
