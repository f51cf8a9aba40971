"""Meters: every call that is executed is counted and priced into the `Tally` in force.

A call is one `complete`, one `stream` or one `embed` (of any number of texts) that reached the model. One that was
turned away (`bill.surely_free`) is not counted; one that failed later, or was cancelled, is, and its cost is unknown.
A stream that was left early is priced by what is known: the prompt's tokens and one for each piece that came; unknown
where none came. An embedder reports no usage: its cost is that of the most tokens its texts can have.
Proved by `tests/unit/gateway/test_meter.py`.
"""

from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from typing import TypeVar

from assay.gateway.around import AroundChat, AroundEmbedder, closing
from assay.gateway.bill import dollars, most, surely_free
from assay.gateway.tally import in_force
from assay.models.chat import ChatRequest, Completion, Delta, Usage
from assay.models.embedder import Embedder, Kind, TokenVectors, Vectors
from assay.models.estimate import most_tokens
from assay.models.prices import cost_usd

T = TypeVar("T")


class MeteredChat(AroundChat):
    """A ChatModel whose executed calls are counted and priced."""

    async def complete(self, request: ChatRequest) -> Completion:
        """The whole answer, counted."""
        counts = in_force()
        try:
            completion = await self._model.complete(request)
        except BaseException as error:
            if not surely_free(error):
                counts.paid(self._unknown_cost())
            raise
        counts.paid(self._cost(completion.usage))
        return completion

    async def stream(self, request: ChatRequest) -> AsyncGenerator[Delta, None]:
        """The answer in pieces, counted when it ends or is left."""
        counts, pieces = in_force(), 0
        began = ended = False
        try:
            async with closing(self._model.stream(request)) as deltas:
                async for delta in deltas:
                    began, pieces = True, pieces + bool(delta.text)
                    if delta.completion is not None:
                        ended = True
                        counts.paid(self._cost(delta.completion.usage))
                    yield delta
        except BaseException as error:
            if not ended and (began or not surely_free(error)):
                counts.paid(await self._cost_so_far(request, pieces))
            raise

    def _cost(self, usage: Usage) -> float | None:
        return cost_usd(self.provider, self.name, usage)

    def _unknown_cost(self) -> float | None:
        return 0.0 if self.provider == "embedded" else None

    async def _cost_so_far(self, request: ChatRequest, pieces: int) -> float | None:
        if not pieces or self.provider == "embedded":
            return self._unknown_cost()
        return self._cost(Usage(uncached=await self._model.count(request.messages), output=pieces))


class MeteredEmbedder(AroundEmbedder):
    """An Embedder whose executed calls are counted and priced.

    `provider` is the price table's (`embedded` costs nothing); without one, the embedder's own `provider` attribute.
    """

    def __init__(self, embedder: Embedder, *, provider: str | None = None) -> None:
        super().__init__(embedder)
        self.provider = provider or self.provider

    async def embed(self, texts: Sequence[str], *, kind: Kind = "passage") -> Vectors:
        """Vectors of `texts`, counted as one call; nothing is counted where there are none."""
        return await self._counted(texts, lambda: self._embedder.embed(texts, kind=kind))

    async def _embed_tokens(self, texts: Sequence[str], *, kind: Kind = "passage") -> list[TokenVectors]:
        return await self._counted(texts, lambda: self._token_embedder.embed_tokens(texts, kind=kind))

    async def _counted(self, texts: Sequence[str], call: Callable[[], Awaitable[T]]) -> T:
        counts = in_force()
        try:
            result = await call()
        except BaseException as error:
            if texts and not surely_free(error):
                counts.paid(self._cost(texts))
            raise
        if texts:
            counts.paid(self._cost(texts))
        return result

    def _cost(self, texts: Sequence[str]) -> float | None:
        if self.provider == "embedded":
            return 0.0
        nano = most(self.provider, self.name, input_tokens=sum(map(most_tokens, texts)), output_tokens=0)
        return None if nano is None else dollars(nano)
