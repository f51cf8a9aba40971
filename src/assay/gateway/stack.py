"""The gateway put together, in the one order that is right.

From the inside out: timed (a hung call ends), metered (what is executed is counted), budgeted (and paid for), paced
(repetitions are calls too, and wait for their turn before they take money), cached (what is known needs none of it).
The embedded models queue, time out and cost nothing by themselves: they are only metered and cached.
Proved by the contract tests, which run on whole stacks.
"""

from assay.gateway.budget import Budget, BudgetedChat, BudgetedEmbedder
from assay.gateway.cache import CachedChat, CachedEmbedder, KeptValues
from assay.gateway.meter import MeteredChat, MeteredEmbedder
from assay.gateway.pace import Pace, PacedChat, PacedEmbedder
from assay.gateway.timed import TimedChat
from assay.models.chat import ChatModel
from assay.models.embedder import Embedder


def stacked_chat(
    model: ChatModel,
    *,
    values: KeptValues | None = None,
    budget: Budget | None = None,
    pace: Pace | None = None,
    timeout_seconds: float | None = None,
) -> ChatModel:
    """`model` behind what is given. Raises BadSetting where a budget is given and the model has no known price.

    Where `pace` is given, the model itself must not retry (`models.max_retries` 0): the pace does.
    """
    remote = model.provider != "embedded"
    if remote and timeout_seconds is not None:
        model = TimedChat(model, timeout_seconds)
    model = MeteredChat(model)
    if remote and budget is not None:
        model = BudgetedChat(model, budget)
    if remote and pace is not None:
        model = PacedChat(model, pace)
    return model if values is None else CachedChat(model, values)


def stacked_embedder(
    embedder: Embedder,
    *,
    provider: str | None = None,
    values: KeptValues | None = None,
    budget: Budget | None = None,
    pace: Pace | None = None,
) -> Embedder:
    """`embedder` behind what is given; `provider` is the price table's, by default the embedder's own attribute."""
    metered = MeteredEmbedder(embedder, provider=provider)
    embedder, remote = metered, metered.provider != "embedded"
    if remote and budget is not None:
        embedder = BudgetedEmbedder(embedder, budget)
    if remote and pace is not None:
        embedder = PacedEmbedder(embedder, pace)
    return embedder if values is None else CachedEmbedder(embedder, values)
