"""A call that hangs is given up: no wait for a model is longer than the seconds it is given.

The adapters of `assay.models` time out themselves; this is for models from elsewhere, and for what an adapter forgot.
It stands innermost, so that waiting for a turn or for money is not taken for a slow model.
Proved by `tests/unit/gateway/test_pace.py`.
"""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager

from assay.errors import TimedOut
from assay.gateway.around import AroundChat, closing
from assay.models.chat import ChatModel, ChatRequest, Completion, Delta


class TimedChat(AroundChat):
    """A ChatModel that answers within `seconds`, or sends a piece of a stream within `seconds` of the last one."""

    def __init__(self, model: ChatModel, seconds: float) -> None:
        super().__init__(model)
        self._seconds = seconds

    async def complete(self, request: ChatRequest) -> Completion:
        """The whole answer. Raises TimedOut."""
        async with self._limit():
            return await self._model.complete(request)

    async def stream(self, request: ChatRequest) -> AsyncGenerator[Delta, None]:
        """The answer in pieces. Raises TimedOut when it falls silent."""
        async with closing(self._model.stream(request)) as deltas:
            while True:
                async with self._limit():
                    delta = await anext(deltas, None)
                if delta is None:
                    return
                yield delta

    @asynccontextmanager
    async def _limit(self) -> AsyncIterator[None]:
        limit = asyncio.timeout(self._seconds)
        try:
            async with limit:
                yield
        except TimeoutError as error:
            if not limit.expired():
                raise
            raise TimedOut(
                f"{self.name} gave no answer in {self._seconds:g} s.",
                hint="Try again, or raise models.timeout_seconds.",
            ) from error
