"""A hard budget: the most a call can cost is reserved before it is made, what it did cost is settled after.

The reservation is the prompt by `ChatModel.count` (exact or an upper bound) and the whole output cap, reasoning
included, at the dearest price that may apply (`bill.most`). A call whose usage stays unknown (it failed later than at
the door, timed out, was cancelled, its stream was left, the server reported none) costs its whole reservation: tokens
of reasoning that nobody saw may have been billed. Invariant: what all calls of a run cost, at known prices, is never
more than the budget, in any number of processes, killed or not (`assay.gateway.account`). A retry is another call: it
needs to happen outside of this wrapper, so the model inside must not repeat calls that may have been billed
(`models.max_retries` 0; `assay.gateway.pace` does it). Proved by `tests/properties/test_budget.py`.
"""

import math
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from typing import TypeVar

from assay.errors import BadSetting
from assay.gateway.account import Account, Standing
from assay.gateway.around import AroundChat, AroundEmbedder, closing
from assay.gateway.bill import NANO, cost, is_priced, most, surely_free
from assay.ledger.database import Database
from assay.models.chat import ChatModel, ChatRequest, Completion, Delta, Usage
from assay.models.embedder import Embedder, Kind, TokenVectors, Vectors
from assay.models.estimate import most_tokens

T = TypeVar("T")


class Reservation:
    """Money set aside for one call, in nano-dollars. `charge` is what it will be settled at: all, until more is known.

    A context manager: the call is over at the end of the `with`.
    """

    def __init__(self, nano: int, settle: Callable[[int, int], None]) -> None:
        self.nano = self.charge = nano
        self._settle = settle

    def cost(self, nano: int | None) -> None:
        """The call cost this much; None where that cannot be told."""
        self.charge = self.nano if nano is None else nano

    def __enter__(self) -> "Reservation":
        return self

    def __exit__(self, *_: object) -> None:
        self._settle(self.nano, self.charge)


class Budget:
    """`limit_usd` US dollars for the run `run_id`, shared by every process that opens it; the limit given last holds.

    Blocks for a moment when it opens and when it closes. Raises BadSetting for what is no amount.
    """

    def __init__(self, limit_usd: float, *, database: Database, run_id: str) -> None:
        if not math.isfinite(limit_usd) or not 0 <= limit_usd < 10**9:
            raise BadSetting(
                f"A budget of {limit_usd} US dollars makes no sense.", hint="Give an amount of 0 or more, such as 2.50."
            )
        self._account = Account(database, run_id, math.floor(limit_usd * NANO))

    async def reserve(self, nano: int) -> Reservation:
        """Set `nano` nano-dollars aside, waiting for what is in flight if need be. Raises LimitReached."""
        if nano:
            await self._account.reserve(nano)
        return Reservation(nano, self._account.settle)

    def standing(self) -> Standing:
        """How it stands, over all processes. Reads the database."""
        return self._account.standing()

    def close(self) -> None:
        """Commit what was settled. Safe to call twice."""
        self._account.close()


class BudgetedChat(AroundChat):
    """A ChatModel that makes no call the budget cannot pay. Raises BadSetting where the model has no known price."""

    def __init__(self, model: ChatModel, budget: Budget) -> None:
        super().__init__(model)
        self._budget = budget
        _check_priced(self.provider, self.name)

    async def complete(self, request: ChatRequest) -> Completion:
        """The whole answer. Raises LimitReached where the budget does not allow it."""
        with await self._reservation(request) as reserved:
            try:
                completion = await self._model.complete(request)
            except BaseException as error:
                if surely_free(error):
                    reserved.cost(0)
                raise
            reserved.cost(self._cost(completion.usage))
            return completion

    async def stream(self, request: ChatRequest) -> AsyncGenerator[Delta, None]:
        """The answer in pieces; one that is left before its end costs its reservation."""
        with await self._reservation(request) as reserved:
            began = False
            try:
                async with closing(self._model.stream(request)) as deltas:
                    async for delta in deltas:
                        began = True
                        if delta.completion is not None:
                            reserved.cost(self._cost(delta.completion.usage))
                        yield delta
            except BaseException as error:
                if not began and surely_free(error):
                    reserved.cost(0)
                raise

    async def _reservation(self, request: ChatRequest) -> Reservation:
        if self.provider == "embedded":
            return await self._budget.reserve(0)
        prompt = await self._model.count(request.messages)
        nano = most(self.provider, self.name, input_tokens=prompt, output_tokens=request.max_tokens)
        assert nano is not None, "checked when it was made"
        return await self._budget.reserve(nano)

    def _cost(self, usage: Usage) -> int | None:
        return cost(self.provider, self.name, usage)


class BudgetedEmbedder(AroundEmbedder):
    """An Embedder that makes no call the budget cannot pay. An embedder reports no usage: a call costs its reservation.

    `provider` is the price table's (`embedded` costs nothing); without one, the embedder's own `provider` attribute.
    """

    def __init__(self, embedder: Embedder, budget: Budget, *, provider: str | None = None) -> None:
        super().__init__(embedder)
        self._budget = budget
        self.provider = provider or self.provider
        _check_priced(self.provider, self.name)

    async def embed(self, texts: Sequence[str], *, kind: Kind = "passage") -> Vectors:
        """Vectors of `texts`. Raises LimitReached where the budget does not allow it."""
        return await self._within_budget(texts, lambda: self._embedder.embed(texts, kind=kind))

    async def _embed_tokens(self, texts: Sequence[str], *, kind: Kind = "passage") -> list[TokenVectors]:
        return await self._within_budget(texts, lambda: self._token_embedder.embed_tokens(texts, kind=kind))

    async def _within_budget(self, texts: Sequence[str], call: Callable[[], Awaitable[T]]) -> T:
        if self.provider == "embedded":
            return await call()
        nano = most(self.provider, self.name, input_tokens=sum(map(most_tokens, texts)), output_tokens=0)
        assert nano is not None, "checked when it was made"
        with await self._budget.reserve(nano) as reserved:
            try:
                return await call()
            except BaseException as error:
                if surely_free(error):
                    reserved.cost(0)
                raise


def _check_priced(provider: str, model: str) -> None:
    if not is_priced(provider, model):
        raise BadSetting(
            f"{model} (provider {provider}) has no known price, so a budget in dollars cannot be kept.",
            hint="Set models.chat_provider to the price table's provider, or run without a budget.",
        )
