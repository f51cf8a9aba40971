"""Evaluate a system on cases: every case and replica once, scored, written down, never paid twice.

Invariants: an output is kept before anything else is awaited, so kill -9 costs at most the calls in flight; a case
whose system failed stays, with zeros for every metric that applies; nothing grows with the cases but a byte for each.
Proved by `tests/unit/evals/test_engine.py`, `tests/story/test_eval_kill.py` and `benchmarks/evals/engine.py`.
"""

import asyncio
import contextlib
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

from assay.errors import BadSetting, LimitReached
from assay.evals.case import Case
from assay.evals.follow import Follower
from assay.evals.live_run import LiveRun
from assay.evals.outputs import Kept, Outputs, Question
from assay.evals.progress import Progress, Reporter
from assay.evals.result import Result
from assay.evals.run_spec import RunSpec, Status, described
from assay.evals.runs import RunRecord, Runs
from assay.evals.scorer import Gold, Score, Scorer
from assay.evals.scoring import one_line, score
from assay.evals.system import System
from assay.gateway.bill import nanodollars
from assay.gateway.budget import Budget
from assay.gateway.replica import replica
from assay.gateway.tally import Tally, tally
from assay.ledger.values import Values

FLUSH_SECONDS = 0.3
BREATH_SECONDS = 0.01
GRACE_SECONDS = 2.0
MOST_WAITING_BYTES = 8 * 2**20


def no_gold(_case: Case) -> tuple[Gold, ...]:
    """For systems whose evidence cannot be resolved."""
    return ()


def spec_of(
    system: System,
    cases: Sequence[Case],
    *,
    scorers: Sequence[Scorer],
    set_digest: str,
    set_name: str = "",
    replicas: int = 1,
    details: Mapping[str, Any] | None = None,
) -> RunSpec:
    """The spec under which `evaluate` starts or resumes a run."""
    return RunSpec(
        system=system.name,
        subject=system.subject,
        kind=system.kind,
        set_digest=set_digest,
        set_name=set_name,
        cases=len(cases),
        replicas=replicas,
        scorers=tuple(described(scorer) for scorer in scorers),
        details=details or {},
        identity=str(getattr(system, "identity", "")),
    )


async def evaluate(
    system: System,
    cases: Sequence[Case],
    *,
    scorers: Sequence[Scorer],
    runs: Runs,
    values: Values,
    set_digest: str,
    set_name: str = "",
    gold: Callable[[Case], tuple[Gold, ...]] = no_gold,
    replicas: int = 1,
    concurrency: int = 8,
    timeout_seconds: float = 120.0,
    progress: Callable[[Progress], None] | None = None,
    details: Mapping[str, Any] | None = None,
    resume: bool = True,
    run_id: str | None = None,
    budget: Budget | None = None,
    give_up_after: int = 25,
    follower: Follower | None = None,
) -> RunRecord:
    """Run `system` on every case, `replicas` times, and score it; the run as it ended.

    An unfinished run of the same system, cases, scorers and replicas is resumed unless `resume` is False: what is
    finished stays, what failed is tried again. `run_id` is for a new run (see `Runs.id_for`). Status "done", or
    "budget" where LimitReached stopped it. Cancelling writes what there is, leaves the run "interrupted" and raises
    CancelledError. When the first `give_up_after` outputs all fail, the run is "failed" and the last failure is raised.

    `timeout_seconds` holds for one output and for one scorer. `budget` is for a system that calls no model of ours (an
    endpoint, a callable): the most it expects to cost is reserved for each output.

    A `follower` is told the results and may end the run early, as "stopped". What failed is not tried again then, as
    the follower has counted it, unless it says so (`Follower.again`).

    Raises Conflict where another process is at work on this evaluation, BadSetting where there is a budget and the
    system has no price.
    """
    if replicas < 1 or concurrency < 1:
        raise ValueError("replicas and concurrency must be at least 1")
    names = [metric for scorer in scorers for metric in scorer.metrics]
    if len(names) != len(set(names)):
        raise ValueError(f"two scorers give the same metric: {sorted(names)}")
    spec = spec_of(
        system,
        cases,
        scorers=scorers,
        set_digest=set_digest,
        set_name=set_name,
        replicas=replicas,
        details={"concurrency": concurrency, **(details or {})},
    )
    reserve = partial(budget.reserve, most_nano(system)) if budget is not None else None
    with await _started(partial(runs.start, spec, resume=resume, run_id=run_id)) as live:
        outputs = Outputs(
            system,
            cases,
            live=live,
            values=values,
            timeout_seconds=timeout_seconds,
            reserve=reserve,
            again=follower is None or follower.again,
        )
        if follower is not None and live.resumed:
            for result in await asyncio.to_thread(list, runs.results(live.id)):
                follower.seen(result)
        work = _Work(
            outputs,
            live,
            scorers=scorers,
            gold=gold,
            timeout_seconds=timeout_seconds,
            progress=progress,
            give_up_after=give_up_after,
            follower=follower,
        )
        status = await work.run(concurrency)
        await asyncio.to_thread(values.flush)
        await asyncio.to_thread(live.finish, status)
        if work.failure is not None:
            raise work.failure
    return await asyncio.to_thread(runs.get, live.id)


async def _started(start: Callable[[], LiveRun]) -> LiveRun:
    starting = asyncio.ensure_future(asyncio.to_thread(start))
    try:
        return await asyncio.shield(starting)
    except asyncio.CancelledError:
        # The thread goes on: what it started must be let go of again.
        with contextlib.suppress(Exception), await starting:
            pass
        raise


def most_nano(system: System) -> int:
    """The most an output is expected to cost, in nano-dollars. Raises BadSetting where it is not declared."""
    expected: tuple[float, float] | None = getattr(system, "expected_cost_usd", None)
    if expected is None:
        raise BadSetting(
            f"What a question to {system.name} costs at most is not declared, so a budget in dollars cannot be kept: "
            "what earlier answers cost is no limit.",
            hint="Declare it in the system's file (cost_usd_per_question), or run without a budget.",
        )
    return nanodollars(expected[1])


class _Work:
    """An evaluation under way: workers that take questions until none is left or something stops them."""

    def __init__(
        self,
        outputs: Outputs,
        live: LiveRun,
        *,
        scorers: Sequence[Scorer],
        gold: Callable[[Case], tuple[Gold, ...]],
        timeout_seconds: float,
        progress: Callable[[Progress], None] | None,
        give_up_after: int,
        follower: Follower | None = None,
    ) -> None:
        self.failure: Exception | None = None
        self._outputs, self._live, self._scorers, self._gold = outputs, live, scorers, gold
        self._timeout_seconds, self._give_up_after = timeout_seconds, give_up_after
        self._follower = follower
        self._reporter = Reporter(live, progress)
        self._stop: Status | None = None
        self._failed_first: int | None = None if live.standing.results > live.standing.failed else 0
        self._breathed = time.perf_counter()
        self._full, self._room = asyncio.Event(), asyncio.Event()

    async def run(self, concurrency: int) -> Status:
        """Work until there is no more to do or something stops it; how it ended."""
        flushing = asyncio.create_task(self._flush_often())
        workers = {asyncio.create_task(self._work()) for _ in range(concurrency)}
        left = set(workers)
        try:
            self._reporter.report(now=True)
            while left:
                done, left_or_flushing = await asyncio.wait({flushing, *left}, return_when=asyncio.FIRST_COMPLETED)
                for task in done:
                    task.result()
                left = left_or_flushing - {flushing}
        finally:
            for task in (flushing, *workers):
                task.cancel()
            # A system that swallows its cancellation must not hold up Ctrl-C.
            await asyncio.wait({flushing, *workers}, timeout=GRACE_SECONDS)
            self._reporter.report(now=True)
        return self._stop or "done"

    async def _work(self) -> None:
        while self._stop is None and (question := await self._outputs.next()) is not None:
            if self._follower is not None and not await self._follower.may(question.ordinal):
                self._stop = "stopped"
                return
            await self._one(question)
            self._reporter.report()
            if self._live.waiting_bytes > MOST_WAITING_BYTES:
                self._room.clear()
                self._full.set()
                await self._room.wait()
            if time.perf_counter() - self._breathed > BREATH_SECONDS:
                # Systems and scorers that never wait would keep Ctrl-C and the writer from their turn.
                await asyncio.sleep(0)
                self._breathed = time.perf_counter()

    async def _flush_often(self) -> None:
        while True:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._full.wait(), FLUSH_SECONDS)
            self._full.clear()
            await asyncio.to_thread(self._live.flush)
            self._room.set()

    async def _one(self, question: Question) -> None:
        """One case and replica, from the question to a result that is on its way to the ledger."""
        spent = Tally()
        tally.set(spent)
        replica.set(question.replica)
        try:
            gold = self._gold(question.case)  # first: gold that cannot be resolved must cost nothing
            kept = await self._outputs.of(question)
            self._count_first_failures(kept.failure)
            result = await self._scored(question, kept, gold, spent)
            spent.add(kept.recovered)
            self._live.add(result, spent)
            if self._follower is not None:
                self._follower.seen(result)
        except LimitReached:
            self._stop = self._stop or "budget"
            self._live.spend(spent)
        except BaseException:
            self._live.spend(spent)
            raise

    def _count_first_failures(self, failure: Exception | None) -> None:
        if failure is None:
            self._failed_first = None
        if self._failed_first is None:
            return
        self._failed_first += 1
        if self._failed_first >= self._give_up_after and self._stop is None:
            self._stop, self.failure = "failed", failure

    async def _scored(self, question: Question, kept: Kept, gold: tuple[Gold, ...], spent: Tally) -> Result:
        case, output = question.case, kept.output
        before, started = replace(spent), time.perf_counter()
        scores: dict[str, Score] = {}
        for scorer in self._scorers:
            scores |= await score(scorer, case, output, gold, timeout_seconds=self._timeout_seconds)
        paid_calls = spent.paid_calls - before.paid_calls
        priced = spent.unpriced_calls == before.unpriced_calls
        return Result(
            ordinal=question.ordinal,
            replica=question.replica,
            case_id=case.id,
            output=output,
            scores=scores,
            error=one_line(kept.failure) if kept.failure else "",
            cost_usd=output.cost_usd if output else None,
            latency_ms=output.latency_ms if output else 0.0,
            judge_calls=paid_calls + spent.cached_calls - before.cached_calls,
            judge_paid_calls=paid_calls,
            judge_cost_usd=spent.cost_usd - before.cost_usd if priced else None,
            judge_ms=(time.perf_counter() - started) * 1000,
        )
