"""The plan against what then happens, and against the formulas it cites."""

import math
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from assay.errors import LimitReached
from assay.evals.case import Case, set_digest
from assay.evals.detectable import DISCORDANCES, detectable
from assay.evals.engine import evaluate
from assay.evals.plan import Plan, plan
from assay.evals.runs import RunRecord, Runs
from assay.evals.scorer import Scorer
from assay.evals.timing import Passages, Range, Rehearsal, Speed, Work
from assay.gateway.cache import CachedChat
from assay.gateway.meter import MeteredChat
from assay.ledger.database import Database
from assay.ledger.values import Values
from assay.models.scripted import ScriptedChat
from assay.stats.power import cases_needed
from eval_parts import ChatJudge, Contains, FunctionSystem, cases_of


class Bench:
    """A workspace in which to plan and to run."""

    def __init__(self, database: Database) -> None:
        self.runs, self.values = Runs(database), Values(database)

    def plan(self, system: FunctionSystem, cases: list[Case], *scorers: Scorer, **options: Any) -> Plan:
        return plan(
            system,
            cases,
            scorers=scorers or (Contains(),),
            runs=self.runs,
            values=self.values,
            set_digest=set_digest(cases),
            set_name="golden",
            **options,
        )

    async def run(self, system: FunctionSystem, cases: list[Case], *scorers: Scorer, **options: int) -> RunRecord:
        return await evaluate(
            system,
            cases,
            scorers=scorers or (Contains(),),
            runs=self.runs,
            values=self.values,
            set_digest=set_digest(cases),
            **options,  # type: ignore[arg-type]
        )

    def judge(self) -> ChatJudge:
        return ChatJudge(CachedChat(MeteredChat(ScriptedChat(lambda _: "1")), self.values))


@pytest.fixture
def bench(sqlite_database: Database) -> Iterator[Bench]:
    made = Bench(sqlite_database)
    yield made
    made.values.close()


def test_before_anything_was_measured_only_what_is_declared_is_said(bench: Bench) -> None:
    system = FunctionSystem()
    system.expected_cost_usd = None
    found = bench.plan(system, cases_of(50), bench.judge(), replicas=2)
    assert (found.questions, found.fresh, found.cached, found.finished, found.pilot) == (100, 100, 0, 0, 0)
    assert (found.model_calls, found.judge_calls, found.cost_usd, found.seconds) == (None, None, None, None)
    assert found.untimed == ("answers", "judging")
    assert "time: answers and judging not known before the first cases (the bar tells then)" in found.lines()
    assert found.unpriced == ("function", "chat-judge")
    assert any("NO KNOWN PRICE: function, chat-judge" in line for line in found.lines())
    system.expected_cost_usd = (0.01, 0.03)
    assert bench.plan(system, cases_of(50), replicas=2).cost_usd == Range(1.0, 2.0, 3.0)
    assert bench.plan(system, cases_of(50)).unpriced == ()


async def test_a_pilot_tells_calls_cost_and_time_of_what_is_left(bench: Bench) -> None:
    await bench.run(FunctionSystem(delay_seconds=0.01), cases_of(40), bench.judge(), concurrency=4)
    found = bench.plan(FunctionSystem(), cases_of(400), bench.judge(), concurrency=4)
    assert (found.fresh, found.cached, found.pilot, found.judge_pilot) == (360, 40, 40, 40)
    assert found.model_calls == Range(360, 360, 360)
    assert found.judge_calls is not None
    assert found.judge_calls.expected == 400
    assert found.cost_usd is not None
    assert found.cost_usd.expected == pytest.approx(0.36)
    assert found.seconds is not None
    assert 0.8 < found.seconds.expected < 5
    assert found.seconds.low <= found.seconds.expected <= found.seconds.high
    faster = bench.plan(FunctionSystem(), cases_of(400), bench.judge(), concurrency=40)
    assert faster.seconds is not None
    assert faster.seconds.low < found.seconds.low / 5


async def test_a_time_says_what_it_rests_on(bench: Bench) -> None:
    system, judge = FunctionSystem(), bench.judge()
    judge.expected_work = Work((100, 300), (10, 30), passages=1)
    system.expected_passages = Passages((1, 1), (0, 100))
    speed = Speed(read=100, written=10)
    answers_only = bench.plan(system, cases_of(60), judge, rehearsal=Rehearsal(answer=Range(0.1, 0.2, 0.4)))
    assert answers_only.untimed == ("judging",)
    assert answers_only.seconds is not None
    assert (answers_only.seconds.expected, answers_only.seconds.high) == (12, 24)
    told = next(line for line in answers_only.lines() if line.startswith("time:"))
    assert "judging not known before" in told
    assert "(answers measured a moment ago)" in told
    both = bench.plan(system, cases_of(60), judge, slow_judge=True, rehearsal=Rehearsal(Range(0.1, 0.2, 0.4), speed))
    assert both.judge_case_seconds == Range(2, 4.5, 7)
    assert both.seconds is not None
    assert (both.seconds.expected, both.seconds.high, both.untimed) == (12 + 60 * 4.5, 24 + 60 * 7, ())
    told = next(line for line in both.lines() if line.startswith("time:"))
    assert "100 tokens a second read, 10 written" in told
    assert any("embedded model takes about 2 s to 7 s a case" in line for line in both.lines())
    few = bench.plan(system, cases_of(3), judge, slow_judge=True, rehearsal=Rehearsal(Range(0.1, 0.2, 0.4), speed))
    assert not any("embedded model" in line for line in few.lines())
    await bench.run(system, cases_of(60), judge)
    after = bench.plan(FunctionSystem(subject="b"), cases_of(60), judge, rehearsal=Rehearsal(Range(9, 9, 9), speed))
    assert after.timed_by == ("answers from 60 earlier results", "judging from 60 earlier results")
    assert after.seconds is not None
    assert after.seconds.expected < 60


async def test_a_repeated_evaluation_plans_to_cost_nothing(bench: Bench) -> None:
    await bench.run(FunctionSystem(), cases_of(30), bench.judge())
    found = bench.plan(FunctionSystem(), cases_of(30), bench.judge())
    assert (found.fresh, found.cached, found.judged) == (0, 30, 30)
    assert (found.model_calls, found.judge_calls, found.cost_usd) == (Range(0, 0, 0),) * 3
    second = await bench.run(FunctionSystem(), cases_of(30), bench.judge())
    assert second.paid_calls == 0


async def test_a_run_to_be_resumed_is_named_with_what_it_has(bench: Bench) -> None:
    system = FunctionSystem(lambda question: LimitReached("spent") if "7" in question else question)
    stopped = await bench.run(system, cases_of(20), concurrency=1)
    found = bench.plan(FunctionSystem(), cases_of(20))
    assert (found.resumes, found.finished, found.cached, found.fresh) == (stopped.id, 7, 0, 13)
    assert any(stopped.id[:8] in line for line in found.lines())


async def test_what_the_last_two_runs_differ_by_tells_what_can_be_shown(bench: Bench) -> None:
    cases = cases_of(100)
    await bench.run(FunctionSystem(subject="a"), cases)
    await bench.run(FunctionSystem(lambda q: "no" if q.endswith("5?") else q, subject="b"), cases)
    found = bench.plan(FunctionSystem(subject="c"), cases)
    variance = (0.1 - 0.01) * 100 / 99
    assert found.measured["exact_match"] == pytest.approx(2.80159 * math.sqrt(variance / 100), rel=1e-4)
    assert found.as_json()["detectable"].keys() == {"0.10", "0.16", "0.25"}


def test_clusters_are_counted_and_said(bench: Bench) -> None:
    cases = [Case(f"c{i}", f"{i}", cluster=f"d{i % 3}" if i else "") for i in range(10)]
    found = bench.plan(FunctionSystem(), cases)
    assert found.clusters == 4
    assert any("4 clusters" in line for line in found.lines())


@given(cases=st.integers(1, 100_000), share=st.sampled_from(DISCORDANCES))
def test_the_smallest_difference_is_where_the_formula_needs_these_cases(cases: int, share: float) -> None:
    effect = detectable(cases, share)
    if effect is None:
        assert cases_needed(share, variance=max(1e-12, share - share**2)) > cases
    else:
        assert cases_needed(effect * (1 + 1e-9), variance=share - effect**2) <= cases
        assert cases_needed(effect * 0.98, variance=share - (effect * 0.98) ** 2) >= cases


def test_no_cases_show_nothing(bench: Bench) -> None:
    found = bench.plan(FunctionSystem(), [])
    assert set(found.detectable.values()) == {None}
    assert "too few cases to show any difference" in found.lines()
