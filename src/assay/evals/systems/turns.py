"""At most so many questions at once, on whichever event loop asks."""

import asyncio
from types import TracebackType


class Turns:
    """An asynchronous context that `most` tasks may be inside at once; 0: any number."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._semaphore: tuple[asyncio.AbstractEventLoop, asyncio.Semaphore] | None = None

    async def __aenter__(self) -> None:
        if self._most:
            await self._of_this_loop().acquire()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._most:
            self._of_this_loop().release()

    def _of_this_loop(self) -> asyncio.Semaphore:
        """A semaphore belongs to one loop; a system in a notebook meets a new one in every measurement."""
        loop = asyncio.get_running_loop()
        if self._semaphore is None or self._semaphore[0] is not loop:
            self._semaphore = loop, asyncio.Semaphore(self._most)
        return self._semaphore[1]
