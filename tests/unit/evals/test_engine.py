"""The engine: every case once, nothing dropped, nothing finished paid twice, stopped as promised."""

import asyncio
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from itertools import count

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from assay.errors import BadInput, BadSetting, Conflict, Corrupt, LimitReached, Refused, TimedOut
from assay.evals.case import Case, set_digest
from assay.evals.engine import evaluate, spec_of
from assay.evals.output import Output
from assay.evals.outputs import output_key
from assay.evals.progress import Progress
from assay.evals.result import Result
from assay.evals.runs import RunRecord, Runs
from assay.evals.scorer import Gold, Score, Scorer
from assay.evals.system import System
from assay.gateway.budget import Budget
from assay.gateway.cache import CachedChat
from assay.gateway.meter import MeteredChat
from assay.gateway.replica import replica
from assay.gateway.tally import Tally, in_force
from assay.ledger.database import Database
from assay.ledger.values import Values, key_of
from assay.models.scripted import ScriptedChat
from eval_parts import ChatJudge, Contains, FunctionSystem, cases_of


class Bench:
    """A workspace's runs and values, and `run` with the usual options."""

    def __init__(self, database: Database) -> None:
        self.runs, self.values = Runs(database), Values(database)

    async def run(self, system: System, cases: list[Case], *scorers: Scorer, **options: object) -> RunRecord:
        return await evaluate(
            system,
            cases,
            scorers=scorers or (Contains(),),
            runs=self.runs,
            values=self.values,
            set_digest=set_digest(cases),
            **options,  # type: ignore[arg-type]
        )

    def results(self, record: RunRecord) -> list[Result]:
        return list(self.runs.results(record.id))


@pytest.fixture
def bench(sqlite_database: Database) -> Iterator[Bench]:
    made = Bench(sqlite_database)
    yield made
    made.values.close()


async def test_every_case_and_replica_once_in_order(database: Database) -> None:
    bench, seen = Bench(database), []

    def answer(question: str) -> str:
        seen.append((question, replica.get()))
        return f"{question} {replica.get()}"

    cases = cases_of(30)
    record = await bench.run(FunctionSystem(answer), cases, replicas=3, concurrency=4)
    results = bench.results(record)
    assert [(one.ordinal, one.replica) for one in results] == [(i, r) for i in range(30) for r in range(3)]
    assert [one.case_id for one in results[::3]] == [case.id for case in cases]
    assert [one.output.text for one in results if one.output] == [
        f"What is {i}? {r}" for i in range(30) for r in range(3)
    ]
    assert sorted(seen) == sorted((case.question, r) for case in cases for r in range(3))
    assert (record.status, record.results, record.failed, record.paid_calls) == ("done", 90, 0, 90)
    assert record.cost_usd == pytest.approx(0.09)
    assert record.means == {"exact_match": 1.0}
    bench.values.close()


async def test_a_second_run_pays_nothing_and_says_so(bench: Bench) -> None:
    judge = ScriptedChat(lambda _: "0.5")
    scorers = Contains(), ChatJudge(CachedChat(MeteredChat(judge), bench.values))
    first = await bench.run(FunctionSystem(), cases_of(20), *scorers)
    system = FunctionSystem()
    second = await bench.run(system, cases_of(20), *scorers)
    assert (first.paid_calls, first.cached_calls) == (40, 0)
    assert (second.paid_calls, second.cached_calls, second.cost_usd) == (0, 40, 0.0)
    assert (first.id != second.id, system.asked, len(judge.requests)) == (True, [], 20)
    strip = [(one.ordinal, one.output, one.scores, one.cost_usd, one.latency_ms) for one in bench.results(first)]
    assert strip == [
        (one.ordinal, one.output, one.scores, one.cost_usd, one.latency_ms) for one in bench.results(second)
    ]
    assert [(one.judge_calls, one.judge_paid_calls) for one in bench.results(first)] == [(1, 1)] * 20
    assert [(one.judge_calls, one.judge_paid_calls) for one in bench.results(second)] == [(1, 0)] * 20


async def test_another_subject_shares_nothing(bench: Bench) -> None:
    await bench.run(FunctionSystem(subject="a"), cases_of(5))
    system = FunctionSystem(subject="b")
    await bench.run(system, cases_of(5))
    assert len(system.asked) == 5


async def test_a_system_without_a_subject_shares_only_with_the_run_it_resumes(bench: Bench) -> None:
    stops = FunctionSystem(_then_stops(7), subject=None)
    record = await bench.run(stops, cases_of(20), concurrency=1)
    assert (record.status, record.results) == ("budget", 7)
    again = FunctionSystem(subject=None)
    resumed = await bench.run(again, cases_of(20), concurrency=1)
    assert (resumed.id, resumed.status, resumed.results, len(again.asked)) == (record.id, "done", 20, 13)
    fresh = FunctionSystem(subject=None)
    assert (await bench.run(fresh, cases_of(20))).id != record.id
    assert len(fresh.asked) == 20


async def test_equal_questions_are_asked_once_at_a_time(bench: Bench) -> None:
    cases = [Case(f"c{i}", f"What is {i % 3}?", answers=("x",)) for i in range(30)]
    system = FunctionSystem(delay_seconds=0.01)
    record = await bench.run(system, cases, concurrency=10)
    assert sorted(system.asked) == ["What is 0?", "What is 1?", "What is 2?"]
    assert (record.results, record.paid_calls, record.cached_calls) == (30, 3, 27)


async def test_a_failed_system_scores_zero_where_a_metric_applies_and_keeps_its_error(bench: Bench) -> None:
    failures: dict[str, BaseException] = {
        "What is 1?": Refused("no\nkey"),
        "What is 2?": ValueError("theirs"),
        "What is 3?": TimeoutError("not ours"),
    }
    judge = ScriptedChat(lambda _: "1")
    cases = [*cases_of(5), Case("open", "What is 3?")]
    record = await bench.run(
        FunctionSystem(lambda question: failures.get(question, "5? 4? 0?")), cases, Contains(), ChatJudge(judge)
    )
    results = bench.results(record)
    assert [one.error for one in results[1:4]] == ["refused: no key", "ValueError: theirs", "TimeoutError: not ours"]
    assert [one.scores["exact_match"].value for one in results[:5]] == [1.0, 0.0, 0.0, 0.0, 1.0]
    assert [one.scores["faithfulness"].value for one in results] == [1.0, 0.0, 0.0, 0.0, 1.0, 0.0]
    assert "exact_match" not in results[5].scores
    assert (record.status, record.failed, len(judge.requests)) == ("done", 4, 2)


async def test_what_failed_is_tried_again_on_rerun_and_what_finished_is_not(bench: Bench) -> None:
    down = {"What is 2?", "What is 4?"}
    system = FunctionSystem(lambda question: Refused("down") if question in down else question)
    first = await bench.run(system, cases_of(8))
    assert first.failed == 2
    system.asked.clear()
    down.clear()
    second = await bench.run(system, cases_of(8))
    assert sorted(system.asked) == ["What is 2?", "What is 4?"]
    assert second.failed == 0


async def test_what_failed_is_tried_again_on_resuming(bench: Bench) -> None:
    replies = count()

    def answer(question: str) -> str | BaseException:
        number = next(replies)
        return Refused("down") if number in (1, 3) else LimitReached("spent") if number == 5 else question

    first = await bench.run(FunctionSystem(answer), cases_of(8), concurrency=1)
    assert (first.status, first.results, first.failed) == ("budget", 5, 2)
    system = FunctionSystem()
    second = await bench.run(system, cases_of(8), concurrency=1)
    assert (second.id, second.results, second.failed) == (first.id, 8, 0)
    assert sorted(system.asked) == [f"What is {i}?" for i in (1, 3, 5, 6, 7)]


class Scoring:
    """A scorer that does what it is told to for each case."""

    metrics = ("rubric", "g_eval")
    digest = "scoring"
    judge = None

    def __init__(self, act: Callable[[Case], object]) -> None:
        self._act = act

    async def score(self, case: Case, output: Output, gold: tuple[Gold, ...]) -> Mapping[str, Score]:
        done = self._act(case)
        if isinstance(done, BaseException):
            raise done
        if done == "hang":
            await asyncio.sleep(60)
        return {"rubric": done}  # type: ignore[dict-item]


async def test_a_scorer_that_fails_in_any_way_has_failed_and_stays(bench: Bench) -> None:
    acts: list[object] = [
        Score(1.0),
        RuntimeError("broken"),
        TimedOut("slow judge"),
        Score(float("nan")),
        Score(7.0),
        Score(0.5, details={"odd": object()}),
        Score(True),
        "hang",
        Score(None, error="garbled: prose"),
    ]
    record = await bench.run(
        FunctionSystem(), cases_of(9), Scoring(lambda case: acts[int(case.id[1:])]), timeout_seconds=0.2
    )
    scores = [one.scores for one in bench.results(record)]
    assert [one["rubric"].value for one in scores] == [1.0, None, None, None, None, None, 1.0, None, None]
    errors = [one["rubric"].error.split(":")[0] for one in scores]
    assert errors[1:3] == ["RuntimeError", "timed_out"]
    assert errors[3] == "the score nan is not between 0 and 1"
    assert errors[5] == "TypeError"
    assert errors[7:] == ["timed_out", "garbled"]
    assert scores[1]["g_eval"].value is None
    assert (record.status, record.failed) == ("done", 7)


async def test_a_hung_system_times_out(bench: Bench) -> None:
    system = FunctionSystem(delay_seconds=60)
    started = time.perf_counter()
    record = await bench.run(system, cases_of(4), timeout_seconds=0.1)
    assert time.perf_counter() - started < 5
    assert {one.error for one in bench.results(record)} == {"timed_out: The system gave no answer within 0.1 s."}


async def test_an_output_that_is_not_json_is_the_cases_failure(bench: Bench) -> None:
    system = FunctionSystem(lambda question: Output(text=question, extra={"odd": object()}))
    record = await bench.run(system, cases_of(3))
    assert all(one.error.startswith("garbled: ") for one in bench.results(record))


async def test_limit_reached_by_a_judge_keeps_the_output_and_the_bill(bench: Bench) -> None:
    numbers = count()

    class Limited(ChatJudge):
        async def score(self, case: Case, output: Output, gold: tuple[Gold, ...]) -> Mapping[str, Score]:
            if next(numbers) == 3:
                raise LimitReached("spent")
            return await super().score(case, output, gold)

    scorer = Limited(CachedChat(MeteredChat(ScriptedChat(lambda _: "1")), bench.values))
    first = await bench.run(FunctionSystem(), cases_of(10), scorer, concurrency=1)
    assert (first.status, first.results, first.paid_calls) == ("budget", 3, 7)
    system = FunctionSystem()
    second = await bench.run(system, cases_of(10), scorer, concurrency=1)
    assert (second.id, second.status, second.results) == (first.id, "done", 10)
    assert len(system.asked) == 6
    assert (second.paid_calls, second.cached_calls) == (20, 1)
    assert second.cost_usd == pytest.approx(0.01)


async def test_a_foreign_system_never_spends_more_than_the_budget(bench: Bench) -> None:
    system = FunctionSystem(cost_usd=0.03, delay_seconds=0.002)
    system.expected_cost_usd = (0.01, 0.04)
    budget = Budget(1.0, database=bench.runs.database, run_id="r")
    record = await bench.run(system, cases_of(100), budget=budget)
    assert record.status == "budget"
    # The last reservation of 4 cents finds fewer than 4 left.
    assert (len(system.asked), record.results) == (33, 33)
    assert record.cost_usd == pytest.approx(0.99)
    assert budget.standing().spent_usd == pytest.approx(0.99)
    budget.close()
    more = Budget(10.0, database=bench.runs.database, run_id="r")
    record = await bench.run(system, cases_of(100), budget=more)
    assert (record.status, len(system.asked)) == ("done", 100)
    assert more.standing().spent_usd == pytest.approx(3.0)
    more.close()


async def test_what_a_failed_call_cost_is_settled_at_what_is_known(bench: Bench) -> None:
    fates = {"What is 0?": Refused("no", status=401), "What is 1?": TimedOut("slow")}
    system = FunctionSystem(lambda question: fates.get(question, question), cost_usd=0.03)
    system.expected_cost_usd = (0.0, 0.05)
    budget = Budget(1.0, database=bench.runs.database, run_id="r")
    await bench.run(system, cases_of(3), budget=budget)
    assert budget.standing().spent_usd == pytest.approx(0.05 + 0.03)
    budget.close()


async def test_an_unpriced_system_is_refused_under_a_budget(bench: Bench) -> None:
    budget = Budget(1.0, database=bench.runs.database, run_id="r")
    with pytest.raises(BadSetting, match="not declared"):
        await bench.run(FunctionSystem(), cases_of(3), budget=budget)
    budget.close()
    assert bench.runs.list() == []


async def test_a_new_run_takes_the_id_it_was_promised(bench: Bench) -> None:
    cases = cases_of(3)
    spec = spec_of(FunctionSystem(), cases, scorers=[Contains()], set_digest=set_digest(cases))
    promised = bench.runs.id_for(spec)
    stops = FunctionSystem(_then_stops(1))
    assert (await bench.run(stops, cases, run_id=promised)).id == promised
    assert bench.runs.id_for(spec) == promised
    assert bench.runs.id_for(spec, resume=False) != promised


async def test_cancelling_is_quick_and_what_is_done_is_written(bench: Bench) -> None:
    reports: list[Progress] = []
    system = FunctionSystem(delay_seconds=0.005)
    running = asyncio.create_task(bench.run(system, cases_of(5000), progress=reports.append))
    await asyncio.sleep(0.5)
    started = time.perf_counter()
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    assert time.perf_counter() - started < 1.0
    record = bench.runs.get(reports[-1].run_id)
    assert (record.status, record.results) == ("interrupted", reports[-1].done)
    assert len(system.asked) - 8 <= record.results == len(bench.results(record)) < 5000


async def test_a_system_that_swallows_its_cancellation_does_not_hold_up_the_end(bench: Bench) -> None:
    async def stubborn(_question: str) -> Output:
        for _ in range(30):
            try:
                await asyncio.sleep(0.1)
            except asyncio.CancelledError:
                continue
        return Output()

    system = FunctionSystem()
    system.__class__ = type("Stubborn", (FunctionSystem,), {"__call__": staticmethod(stubborn)})
    running = asyncio.create_task(bench.run(system, cases_of(3), concurrency=1))
    await asyncio.sleep(0.2)
    started = time.perf_counter()
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    assert time.perf_counter() - started < 4


async def test_results_are_written_within_half_a_second(bench: Bench) -> None:
    system = FunctionSystem(lambda question: question, delay_seconds=0.05)
    running = asyncio.create_task(bench.run(system, cases_of(200), concurrency=2))
    await asyncio.sleep(1.2)
    run_id = bench.runs.list()[0].id
    asked = len(system.asked)
    await asyncio.sleep(0.6)
    assert len(list(bench.runs.results(run_id))) >= asked - 2
    running.cancel()
    await asyncio.wait([running])


async def test_when_everything_fails_from_the_start_it_gives_up(bench: Bench) -> None:
    system = FunctionSystem(lambda _: Refused("wrong key", status=401))
    with pytest.raises(Refused, match="wrong key"):
        await bench.run(system, cases_of(500), give_up_after=10, concurrency=2)
    assert 10 <= len(system.asked) <= 12
    record = bench.runs.list()[0]
    assert (record.status, record.results, record.failed) == ("failed", len(system.asked), len(system.asked))
    fixed = FunctionSystem()
    done = await bench.run(fixed, cases_of(500))
    assert (done.id, done.status, done.failed) == (record.id, "done", 0)


async def test_a_few_that_succeed_keep_it_going(bench: Bench) -> None:
    record = await bench.run(
        FunctionSystem(lambda question: question if "?" in question and "7" in question else Refused("flaky")),
        cases_of(60),
        give_up_after=10,
        concurrency=1,
    )
    assert (record.status, record.results) == ("done", 60)


async def test_corruption_and_unresolvable_gold_stop_everything_and_cost_nothing_more(bench: Bench) -> None:
    with pytest.raises(Corrupt):
        await bench.run(FunctionSystem(lambda _: Corrupt("broken")), cases_of(10))
    system = FunctionSystem(subject="other")

    def gold(case: Case) -> tuple[Gold, ...]:
        raise BadInput(f"no evidence for {case.id}")

    with pytest.raises(BadInput):
        await bench.run(system, cases_of(10), gold=gold)
    assert system.asked == []
    assert {record.status for record in bench.runs.list()} == {"interrupted"}


async def test_only_one_works_on_an_evaluation(bench: Bench) -> None:
    running = asyncio.create_task(bench.run(FunctionSystem(delay_seconds=0.05), cases_of(500)))
    await asyncio.sleep(0.2)
    with pytest.raises(Conflict, match="already running"):
        await bench.run(FunctionSystem(), cases_of(500))
    running.cancel()
    await asyncio.wait([running])


async def test_scorers_see_the_gold_of_their_case(bench: Bench) -> None:
    seen = {}

    class Sees(Contains):
        async def score(self, case: Case, output: Output, gold: tuple[Gold, ...]) -> Mapping[str, Score]:
            seen[case.id] = gold
            return await super().score(case, output, gold)

    await bench.run(FunctionSystem(), cases_of(3), Sees(), gold=lambda case: (Gold("doc", case.id),))
    assert seen == {f"c{i}": (Gold("doc", f"c{i}"),) for i in range(3)}


async def test_calls_are_counted_once_whoever_counts_them(bench: Bench) -> None:
    class Metered(FunctionSystem):
        """Counts its calls in the tally and reports them in the output too."""

        async def __call__(self, question: str) -> Output:
            counts = in_force()
            counts.paid(0.25)
            counts.paid(None)
            counts.cached_calls += 1
            return Output(text=question, calls=2, cost_usd=0.25)

    record = await bench.run(Metered(subject="m"), cases_of(4))
    assert (record.paid_calls, record.cached_calls, record.cost_usd, record.unpriced_calls) == (8, 4, 1.0, 4)
    again = await bench.run(Metered(subject="m"), cases_of(4))
    assert (again.paid_calls, again.cached_calls, again.cost_usd, again.unpriced_calls) == (0, 12, 0.0, 0)
    unpriced = await bench.run(FunctionSystem(subject="u", cost_usd=None, calls=3), cases_of(4))
    assert (unpriced.paid_calls, unpriced.cost_usd, unpriced.unpriced_calls) == (12, 0.0, 12)


async def test_progress_counts_up_with_means_and_spend(bench: Bench) -> None:
    stops = FunctionSystem(_then_stops(40), delay_seconds=0.01)
    reports: list[Progress] = []
    await bench.run(stops, cases_of(100), progress=reports.append)
    assert [one.done for one in reports] == sorted(one.done for one in reports)
    assert (reports[0].done, reports[0].total, reports[0].resumed) == (0, 100, False)
    assert (reports[-1].done, reports[-1].means) == (40, {"exact_match": 1.0})
    assert reports[-1].cost_usd == pytest.approx(0.04)
    assert any(one.remaining_seconds for one in reports)
    first, reports = reports, []
    await bench.run(FunctionSystem(), cases_of(100), progress=reports.append)
    assert (reports[0].done, reports[0].resumed, reports[0].means) == (40, True, {"exact_match": 1.0})
    assert (reports[0].run_id, reports[-1].done, reports[-1].paid_calls) == (first[0].run_id, 100, 100)


@pytest.mark.parametrize("subject", ["subject", None])
async def test_what_a_killed_attempt_paid_and_could_not_write_is_counted_by_the_next(
    bench: Bench, subject: str | None
) -> None:
    cases = cases_of(5)
    system = FunctionSystem(subject=subject)
    spec = spec_of(system, cases, scorers=[Contains()], set_digest=set_digest(cases))
    killed = bench.runs.start(spec)
    key = output_key(system, cases[2].question, 0)
    if subject is None:
        key = key_of("output", {"run": killed.id, "ordinal": 2, "replica": 0})
    shape = {"attempt": killed.attempt, "spent": [2, 1, 0.5, 1], "output": Output(text="kept").as_json()}
    bench.values.put(key, "output", shape)
    killed._stack.close()
    record = await bench.run(system, cases)
    assert (record.id, len(system.asked)) == (killed.id, 4)
    assert (record.paid_calls, record.cached_calls, record.unpriced_calls) == (6, 1, 1)
    assert record.cost_usd == pytest.approx(0.504)
    assert bench.results(record)[2].output == Output(text="kept")


async def test_what_a_killed_attempt_did_write_is_not_counted_again(bench: Bench) -> None:
    cases = cases_of(1)
    system = FunctionSystem()
    spec = spec_of(system, cases, scorers=[Contains()], set_digest=set_digest(cases))
    killed = bench.runs.start(spec)
    output = Output(text="kept")
    shape = {"attempt": killed.attempt, "spent": [2, 0, 0.5, 0], "output": output.as_json()}
    bench.values.put(output_key(system, cases[0].question, 0), "output", shape)
    killed.add(Result(0, 0, "c0", output, {"exact_match": Score(None, error="judge down")}), Tally(2, 0, 0.5))
    killed.flush()
    killed._stack.close()
    record = await bench.run(system, cases)
    assert (record.failed, record.paid_calls, record.cached_calls, record.cost_usd) == (0, 2, 2, 0.5)


async def test_two_scorers_of_one_metric_are_refused(bench: Bench) -> None:
    with pytest.raises(ValueError, match="same metric"):
        await bench.run(FunctionSystem(), cases_of(1), Contains(), Contains())


async def test_no_cases_is_a_run_that_is_done(bench: Bench) -> None:
    record = await bench.run(FunctionSystem(), [])
    assert (record.status, record.results) == ("done", 0)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    fates=st.lists(st.sampled_from(["answer", "fail", "limit", "crash"]), min_size=1, max_size=40),
    concurrency=st.integers(1, 9),
    replicas=st.integers(1, 2),
    subject=st.booleans(),
)
async def test_whatever_happens_reruns_finish_it_and_nothing_finished_is_paid_twice(
    bench: Bench, fates: list[str], concurrency: int, replicas: int, subject: bool
) -> None:
    """Fates strike calls in turn; after each stop the evaluation is run again, until it is done without failures."""
    salt = str(time.perf_counter_ns())
    struck = iter(fates)
    succeeded: Counter[tuple[str, int]] = Counter()

    def answer(question: str) -> str | BaseException:
        fate = next(struck, "answer")
        if fate == "answer":
            succeeded[question, replica.get()] += 1
            return question
        return {"fail": Refused("down"), "limit": LimitReached("spent"), "crash": Corrupt("broken")}[fate]

    cases = [Case(f"c{i}", f"{salt} {i}", answers=(str(i),)) for i in range(7)]
    system = FunctionSystem(answer, subject=salt if subject else None)
    system.name = salt
    for _ in range(2 * len(fates) + 2):
        try:
            record = await bench.run(system, cases, concurrency=concurrency, replicas=replicas)
        except Corrupt:
            continue
        if record.status == "done":
            break
    assert record.status == "done"
    results = bench.results(record)
    assert len(results) == 7 * replicas
    assert max(succeeded.values()) == 1
    assert {(cases[one.ordinal].question, one.replica) for one in results if not one.error} <= set(succeeded)
    if record.failed == 0:
        assert record.paid_calls == len(succeeded) == 7 * replicas


def _then_stops(answers: int) -> Callable[[str], str | BaseException]:
    """Answers so many questions, then the budget is spent."""
    numbers = count()
    return lambda question: question if next(numbers) < answers else LimitReached("spent")
