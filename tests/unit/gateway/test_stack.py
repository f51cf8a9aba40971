"""The wrappers together: what one of them does is seen by the others as it should be."""

import asyncio

import pytest

from assay.errors import LimitReached, RateLimited, TimedOut
from assay.gateway.bill import dollars, most
from assay.gateway.budget import Budget
from assay.gateway.cache import CachedChat
from assay.gateway.meter import MeteredChat, MeteredEmbedder
from assay.gateway.pace import Pace
from assay.gateway.stack import stacked_chat, stacked_embedder
from assay.gateway.tally import Tally, tallying
from assay.ledger.database import Database
from assay.ledger.values import Values
from assay.models.chat import ChatRequest, Message
from assay.models.scripted import Reply, ScriptedChat, ScriptedEmbedder

ASKED = ChatRequest((Message("user", "how much is it"),), max_tokens=50)
MODEL = ("openai", "gpt-4o-mini")
MOST = most(*MODEL, input_tokens=6, output_tokens=50) or 0


def priced(*replies: Reply, delay_seconds: float = 0.0) -> ScriptedChat:
    return ScriptedChat(replies, name=MODEL[1], provider=MODEL[0], delay_seconds=delay_seconds)


async def test_a_repeated_call_is_reserved_counted_and_paid_again(sqlite_database: Database, values: Values) -> None:
    budget = Budget(1, database=sqlite_database, run_id="run")
    inner = priced(RateLimited("wait"), TimedOut("slow"), "one two three")
    pace = Pace(retries=2, backoff_seconds=0.001)
    model = stacked_chat(inner, values=values, budget=budget, pace=pace, timeout_seconds=5)
    with tallying() as counts:
        assert (await model.complete(ASKED)).text == "one two three"
        await model.complete(ASKED)
    budget.close()
    assert len(inner.requests) == 3
    exact = 6 * 0.15e-6 + 3 * 0.6e-6
    assert counts == Tally(paid_calls=2, cached_calls=1, cost_usd=pytest.approx(exact), unpriced_calls=1)
    assert budget.standing().spent_usd == pytest.approx(dollars(MOST) + exact)


async def test_what_is_known_needs_no_money_and_no_turn(sqlite_database: Database, values: Values) -> None:
    budget = Budget(dollars(MOST), database=sqlite_database, run_id="run")
    pace = Pace(most=1)
    model = stacked_chat(priced("one", delay_seconds=0.01), values=values, budget=budget, pace=pace)
    await asyncio.gather(*(model.complete(ASKED) for _ in range(10)))
    async with pace.place():
        await model.complete(ASKED)
    with pytest.raises(LimitReached):
        await model.complete(ChatRequest((Message("user", "how much is that"),), max_tokens=50))
    budget.close()


async def test_a_model_that_falls_silent_is_given_up(values: Values) -> None:
    model = stacked_chat(priced("one", delay_seconds=60), pace=Pace(retries=0), timeout_seconds=0.02)
    with pytest.raises(TimedOut):
        await model.complete(ASKED)


def test_the_embedded_models_are_metered_and_cached_and_no_more(sqlite_database: Database, values: Values) -> None:
    budget = Budget(0, database=sqlite_database, run_id="run")
    chat = stacked_chat(ScriptedChat([]), budget=budget, pace=Pace(), timeout_seconds=1)
    embedder = stacked_embedder(ScriptedEmbedder(), provider="embedded", budget=budget, pace=Pace())
    budget.close()
    assert type(chat) is MeteredChat
    assert type(embedder) is MeteredEmbedder
    assert type(stacked_chat(ScriptedChat([]), values=values)) is CachedChat
