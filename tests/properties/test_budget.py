"""What calls cost is never more than their budget, by the account of the one who bills them, and little less.

The provider here bills what it did, told or not (`gateway_processes.BillingChat`); its sum is compared to the limit at
every single bill.
"""

import asyncio
import time
from collections.abc import AsyncGenerator
from fractions import Fraction
from pathlib import Path

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from assay.errors import BadSetting, LimitReached, RateLimited
from assay.gateway.account import Standing
from assay.gateway.bill import NANO, cost, dollars, most, nanodollars
from assay.gateway.budget import Budget, BudgetedChat, BudgetedEmbedder
from assay.gateway.tables import budget_owner
from assay.ledger.database import Database, open_database
from assay.models.chat import ChatRequest, Completion, Delta, Message, Usage
from assay.models.scripted import ScriptedChat, ScriptedEmbedder
from gateway_processes import CLAUDE, BillingChat, spend, start

MODELS = [CLAUDE, ("openai", "gpt-4o-mini"), ("google", "gemini-2.5-pro"), ("deepseek", "deepseek-chat")]
_FRESH = settings(max_examples=5, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@_FRESH
@given(seed=st.integers(0, 10**6), limit_usd=st.floats(0.0, 1.0))
def test_two_hundred_tasks_never_spend_more_and_hardly_less(database: Database, seed: int, limit_usd: float) -> None:
    billed = 0

    def bill(nano: int) -> None:
        nonlocal billed
        billed += nano
        assert billed <= limit_usd * NANO

    async def run() -> tuple[int, Standing]:
        budget = Budget(limit_usd, database=database, run_id=f"{seed}-{limit_usd}-{time.time_ns()}")
        model = BudgetedChat(BillingChat(bill, seed=seed), budget)
        refused = sum(await asyncio.gather(*(spend(model, seed + number, 4) for number in range(200))))
        budget.close()
        return refused, budget.standing()

    refused, standing = asyncio.run(run())
    assert standing.held == standing.lost == 0
    assert billed <= standing.spent <= standing.limit
    dearest = most(*CLAUDE, input_tokens=210, output_tokens=400) or 0
    assert refused == 0 or standing.left < dearest


@settings(max_examples=200, deadline=None)
@given(
    model=st.sampled_from(MODELS),
    prompt=st.integers(1, 400_000),
    parts=st.tuples(st.floats(0, 1), st.floats(0, 1), st.floats(0, 1), st.floats(0, 1)),
    cap=st.integers(1, 100_000),
)
@example(model=CLAUDE, prompt=1000, parts=(1.0, 0.0, 1.0, 1.0), cap=10)  # all of the prompt written to the cache
@example(model=("google", "gemini-2.5-pro"), prompt=300_000, parts=(1.0, 0.0, 0.0, 1.0), cap=10)  # a dearer tier
def test_the_most_a_call_may_cost_bounds_every_way_to_bill_it(
    model: tuple[str, str], prompt: int, parts: tuple[float, ...], cap: int
) -> None:
    used = int(prompt * parts[0])
    read = int(used * parts[1])
    write = int((used - read) * parts[2])
    output = int(cap * parts[3])
    actual = cost(*model, Usage(used - read - write, read, write, output // 2, output - output // 2))
    bound = most(*model, input_tokens=prompt, output_tokens=cap)
    assert bound is not None
    assert actual is None or actual <= bound


@settings(deadline=None)
@given(st.floats(0, 10**6))
def test_money_is_rounded_up_by_less_than_one_billionth(usd: float) -> None:
    owed = Fraction(repr(usd)) * NANO
    assert 0 <= nanodollars(usd) - owed < 1


def test_two_processes_share_one_budget_and_a_killed_one_keeps_what_it_held(database_url: str, tmp_path: Path) -> None:
    open_database(database_url).close()
    limit_usd, truth = 2.0, tmp_path / "truth"
    killed, other = (start(database_url, "run", limit_usd, truth, seed) for seed in (1, 2))
    time.sleep(0.15)
    killed.kill()
    killed.wait(10)
    assert other.wait(60) == 0
    billed = sum(map(int, truth.read_text().split()))
    database = open_database(database_url)
    budget = Budget(limit_usd, database=database, run_id="run")
    standing = budget.standing()
    budget.close()
    database.close()
    assert standing.held == 0
    assert standing.lost > 0
    assert billed <= standing.spent + standing.lost <= standing.limit == nanodollars(limit_usd)
    assert standing.left < (most(*CLAUDE, input_tokens=210, output_tokens=400) or 0)


# --- one thing at a time ----------------------------------------------------------------------------------------------


ASKED = ChatRequest((Message("user", "how much is it"),), max_tokens=50)
MOST = most(*CLAUDE, input_tokens=6, output_tokens=50) or 0


def claude(*replies: object, delay_seconds: float = 0.0) -> ScriptedChat:
    return ScriptedChat(replies, name=CLAUDE[1], provider=CLAUDE[0], delay_seconds=delay_seconds)  # type: ignore[arg-type]


def opened(database: Database, nano: int) -> Budget:
    return Budget(dollars(nano), database=database, run_id="run")


async def test_a_call_is_settled_at_what_it_cost(sqlite_database: Database) -> None:
    budget = opened(sqlite_database, MOST)
    await BudgetedChat(claude("one two"), budget).complete(ASKED)
    budget.close()
    assert budget.standing() == Standing(MOST, cost(*CLAUDE, Usage(uncached=6, output=2)) or 0, 0, 0)


async def test_what_does_not_fit_is_refused_before_it_is_made(sqlite_database: Database) -> None:
    budget = opened(sqlite_database, MOST - 1)
    model = claude("one two")
    with pytest.raises(LimitReached, match="is used up") as caught:
        await BudgetedChat(model, budget).complete(ASKED)
    assert "Raise the budget" in caught.value.hint
    assert model.requests == []
    budget.close()


async def test_a_call_waits_for_money_in_flight(sqlite_database: Database) -> None:
    budget = opened(sqlite_database, MOST + 100)
    model = BudgetedChat(claude("one", "two", delay_seconds=0.03), budget)
    one, other = await asyncio.gather(model.complete(ASKED), model.complete(ASKED), return_exceptions=True)
    budget.close()
    assert not isinstance(one, BaseException)
    assert isinstance(other, LimitReached), "it could not know before the first had been settled"
    roomy = opened(sqlite_database, 2 * MOST)
    model = BudgetedChat(claude(*["one"] * 5, delay_seconds=0.01), roomy)
    await asyncio.gather(*(model.complete(ASKED) for _ in range(5)))
    roomy.close()


async def test_who_is_cancelled_while_waiting_holds_nothing(sqlite_database: Database) -> None:
    budget = opened(sqlite_database, MOST)
    model = BudgetedChat(claude("one", "two", delay_seconds=0.05), budget)
    first = asyncio.create_task(model.complete(ASKED))
    await asyncio.sleep(0.02)
    waiting = asyncio.create_task(model.complete(ASKED))
    await asyncio.sleep(0.01)
    waiting.cancel()
    await first
    assert (await asyncio.gather(waiting, return_exceptions=True))[0].__class__ is asyncio.CancelledError
    budget.close()
    assert budget.standing().held == 0


async def test_who_is_turned_away_pays_nothing_and_who_times_out_pays_the_most(sqlite_database: Database) -> None:
    budget = opened(sqlite_database, 3 * MOST)
    model = BudgetedChat(claude(RateLimited("wait"), RuntimeError("?"), delay_seconds=0.001), budget)
    with pytest.raises(RateLimited):
        await model.complete(ASKED)
    with pytest.raises(RuntimeError):
        await model.complete(ASKED)
    budget.close()
    assert budget.standing().spent == MOST


async def test_a_server_that_reports_no_usage_costs_the_most(sqlite_database: Database) -> None:
    class Silent(ScriptedChat):
        async def stream(self, request: ChatRequest) -> AsyncGenerator[Delta, None]:
            yield Delta("one", Completion("one", "stop", Usage(), self.name))

    budget = opened(sqlite_database, 2 * MOST)
    model = BudgetedChat(Silent([], name=CLAUDE[1], provider=CLAUDE[0]), budget)
    await model.complete(ASKED)
    assert [delta.text async for delta in model.stream(ASKED)] == ["one"]
    budget.close()
    assert budget.standing().spent == 2 * MOST


async def test_a_stream_that_is_left_costs_the_most(sqlite_database: Database) -> None:
    budget = opened(sqlite_database, MOST)
    stream = BudgetedChat(claude("one two three"), budget).stream(ASKED)
    await anext(stream)
    await stream.aclose()
    budget.close()
    assert budget.standing().spent == MOST


async def test_a_dead_owners_money_is_not_waited_for(sqlite_database: Database) -> None:
    budget = opened(sqlite_database, 2 * MOST)
    with sqlite_database.write() as connection:
        connection.execute(
            budget_owner.insert().values(budget_id="run", owner="dead", held_nano=MOST + 1, spent_nano=0)
        )
    async with asyncio.timeout(2):
        with pytest.raises(LimitReached, match="when a process was killed"):
            await BudgetedChat(claude("one"), budget).complete(ASKED)
    assert budget.standing() == Standing(2 * MOST, 0, 0, MOST + 1)
    budget.close()


async def test_a_living_owners_money_is_waited_for(sqlite_database: Database) -> None:
    mine, theirs = opened(sqlite_database, MOST), opened(sqlite_database, MOST)
    held = await theirs.reserve(MOST)
    waiting = asyncio.create_task(BudgetedChat(claude("one"), mine).complete(ASKED))
    await asyncio.sleep(0.1)
    assert not waiting.done()
    with held:
        held.cost(0)
    async with asyncio.timeout(2):
        assert (await waiting).text == "one"
    mine.close()
    theirs.close()


async def test_a_raised_limit_goes_on_where_the_last_one_stopped(sqlite_database: Database) -> None:
    for times in (1, 2, 3):
        budget = opened(sqlite_database, times * MOST)
        with await budget.reserve(MOST):
            pass
        with pytest.raises(LimitReached):
            await budget.reserve(1)
        budget.close()


async def test_a_model_without_a_price_is_refused_and_the_embedded_one_is_free(sqlite_database: Database) -> None:
    budget = opened(sqlite_database, 0)
    with pytest.raises(BadSetting, match="no known price"):
        BudgetedChat(ScriptedChat([], provider="unknown"), budget)
    with pytest.raises(BadSetting, match="no known price"):
        BudgetedEmbedder(ScriptedEmbedder(), budget)
    assert (await BudgetedChat(ScriptedChat(["one"]), budget).complete(ASKED)).text == "one"
    assert (await BudgetedEmbedder(ScriptedEmbedder(), budget, provider="embedded").embed(["a"])).shape == (1, 256)
    budget.close()


async def test_an_embedder_costs_its_texts_most_tokens(sqlite_database: Database) -> None:
    embedder = ScriptedEmbedder()
    embedder.name = "text-embedding-3-small"
    budget = opened(sqlite_database, 100)
    model = BudgetedEmbedder(embedder, budget, provider="openai")
    await model.embed(["a dog"])
    assert (await model.embed([])).shape == (0, 256)
    with pytest.raises(LimitReached):
        await model.embed(["a dog"])
    budget.close()
    assert budget.standing().spent == 60


@pytest.mark.parametrize("limit_usd", [-1.0, float("nan"), float("inf"), 1e12])
def test_what_is_no_amount_is_refused(sqlite_database: Database, limit_usd: float) -> None:
    with pytest.raises(BadSetting):
        Budget(limit_usd, database=sqlite_database, run_id="run")
