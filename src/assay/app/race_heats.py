"""The rounds of a race on real systems: every arm left answers the questions of the round, a few arms at a time.

An arm has one run in the ledger, gone on with from round to round, so a race that was killed asks nothing twice. All
arms stand behind one gateway: the same search, generation or judgement is made once, whichever arm needs it first.
Invariant: an arm is asked only questions of rounds it was in. Proved by `tests/story/test_race.py`.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field, replace
from statistics import median
from typing import Any

from assay.app.behind import unretried
from assay.app.corpus import StoredCorpus
from assay.app.evaluating import Evaluation, evaluation, own_system
from assay.app.foreign import Located, settled
from assay.app.measuring import Chosen, Measuring
from assay.app.race_arms import Entry
from assay.app.settings import SettingsInForce
from assay.app.wiring import Workspace
from assay.decisions.race.halving import Round
from assay.decisions.trial import first_failure
from assay.errors import AssayError, Conflict, LimitReached, Upstream
from assay.evals.engine import most_nano
from assay.evals.result import Result
from assay.evals.runs import RunRecord
from assay.evals.systems.parse import OwnSettings, parse_system
from assay.evals.systems.probe import FEWEST_ASKED
from assay.models.settings import ModelSettings

_OUTAGE = 0.5
"""The share of a round that failed from which it is the judge or the provider that failed, not the answers."""


@dataclass(frozen=True, slots=True)
class Answered:
    """One question as an arm answered it. `score` is None where the judge gave none, 0 where the system failed."""

    ordinal: int
    score: float | None
    failed: bool
    cost_usd: float | None
    latency_ms: float


@dataclass(slots=True)
class Runner:
    """An arm ready to answer. `problem` says why it cannot: it is then marked and scores 0."""

    entry: Entry
    ready: Evaluation | None
    problem: str = ""
    record: RunRecord | None = None
    answered: dict[int, Answered] = field(default_factory=dict)

    def cost_usd(self) -> float | None:
        """The mean cost of an answer; None where a price is not known or nothing was answered."""
        costs = [one.cost_usd for one in self.answered.values() if not one.failed]
        known = [cost for cost in costs if cost is not None]
        return sum(known) / len(known) if known and len(known) == len(costs) else None

    def latency_ms(self) -> tuple[float, float] | None:
        """(median, 95th percentile) of the latency of its answers."""
        found = sorted(one.latency_ms for one in self.answered.values() if not one.failed)
        return (median(found), found[min(len(found) - 1, int(0.95 * len(found)))]) if found else None


class Heats:
    """All arms of a race, open. `concurrency` questions are in flight at once over all of them."""

    def __init__(self, runners: Sequence[Runner], *, metric: str, concurrency: int) -> None:
        self.runners, self._metric = list(runners), metric
        self._concurrency = max(1, concurrency)
        self.done = 0
        """Answers of the round under way so far."""

    async def run(self, heat: Round, *, changed: Callable[[], None], again: bool = False) -> None:
        """Ask every arm of the round its questions. `again`: also those whose answer or judgement failed before.

        Raises LimitReached where a budget stops it, Upstream where the judge failed on most of what it was asked.
        """
        wanted = heat.last - heat.first
        each = max(1, min(self._concurrency, wanted))
        gate = asyncio.Semaphore(max(1, self._concurrency // each))

        async def one(number: int) -> None:
            async with gate:
                await self._arm(self.runners[number], heat, each, changed, again=again)

        try:
            async with asyncio.TaskGroup() as group:
                for number in heat.arms:
                    group.create_task(one(number))
        except BaseExceptionGroup as failures:
            raise first_failure(failures) from None
        self._check_outage(heat)

    async def _arm(
        self, runner: Runner, heat: Round, concurrency: int, changed: Callable[[], None], *, again: bool
    ) -> None:
        if runner.ready is None:
            for ordinal in range(heat.first, heat.last):
                runner.answered[ordinal] = Answered(ordinal, 0.0, True, None, 0.0)
            changed()
            return

        def seen(result: Result) -> None:
            self.done += heat.first <= result.ordinal < heat.last
            changed()

        follower = _UpTo(heat.last, seen=seen, again=again)
        try:
            runner.record = await runner.ready.results(follower=follower, concurrency=concurrency)
        except (LimitReached, Conflict, asyncio.CancelledError):
            raise
        except AssayError as error:
            # The first answers all failed: this arm is out, the others race on.
            runner.problem = error.message
            runner.ready = None
        if runner.record is not None:
            if runner.record.status == "budget":
                raise LimitReached("The budget stopped the race.", hint="Run it again with a larger --budget-usd.")
            for result in await asyncio.to_thread(self._results, runner, heat):
                runner.answered[result.ordinal] = self._read(result)
        for ordinal in range(heat.first, heat.last):
            if ordinal not in runner.answered and runner.problem:
                runner.answered[ordinal] = Answered(ordinal, 0.0, True, None, 0.0)
        changed()

    def _results(self, runner: Runner, heat: Round) -> list[Result]:
        assert runner.record is not None
        runs = runner.ready.measuring.runs if runner.ready else None
        found = [] if runs is None else runs.results(runner.record.id, outputs=False)
        return [result for result in found if heat.first <= result.ordinal < heat.last]

    def _read(self, result: Result) -> Answered:
        score = result.scores.get(self._metric)
        failed = bool(result.error)
        value = 0.0 if failed else None if score is None else score.value
        return Answered(result.ordinal, value, failed, result.cost_usd, result.latency_ms)

    def _check_outage(self, heat: Round) -> None:
        """What failed on everybody says nothing about anybody: it is to be asked again, not counted."""
        answered = {
            arm: [one for n in range(heat.first, heat.last) if (one := self.runners[arm].answered.get(n)) is not None]
            for arm in heat.arms
        }
        broken = [arm for arm, ones in answered.items() if sum(one.failed for one in ones) > _OUTAGE * len(ones)]
        if len(broken) == len(answered):
            problem = next((runner.problem for runner in self.runners if runner.problem), "")
            raise Upstream(
                f"All {len(broken):,} designs of round {heat.number} failed on most questions. {problem}".rstrip(),
                hint="See why with assay runs show; then run the same command: only what failed is asked again.",
            )
        judged = [one for ones in answered.values() for one in ones if not one.failed]
        missing = sum(one.score is None for one in judged)
        if missing > _OUTAGE * len(judged):
            raise Upstream(
                f"{missing:,} of {len(judged):,} answers of round {heat.number} have no {self._metric}: the judge or "
                "the metric fails on them.",
                hint="Check the judge (evals.judge), then run the same command: only what failed is asked again.",
            )


class _UpTo:
    """Lets a run go as far as its round does."""

    def __init__(self, last: int, *, seen: Callable[[Result], None], again: bool) -> None:
        self.again, self.seen = again, seen
        self._last = last

    async def may(self, ordinal: int) -> bool:
        return ordinal < self._last


@asynccontextmanager
async def heats(
    measuring: Measuring,
    entries: Sequence[Entry],
    chosen: Chosen,
    base: SettingsInForce,
    *,
    metric: str,
    budget_usd: float | None,
    budget_id: str,
) -> AsyncIterator[Heats]:
    """Every arm opened; an arm that cannot be opened is marked, where at least one other can."""
    async with AsyncExitStack() as stack:
        shared: dict[str, Evaluation] = {}
        runners: list[Runner] = []
        hosts: dict[ModelSettings, Workspace] = {}
        failure: AssayError | None = None
        corpus = await asyncio.to_thread(StoredCorpus, measuring.workspace.store)
        for entry in entries:
            kind = "own" if entry.contender.system is None else "theirs"
            try:
                if kind not in shared:
                    shared[kind] = await stack.enter_async_context(
                        evaluation(
                            measuring,
                            chosen,
                            entry.in_force.changed({"evals.metrics": metric}),
                            system=entry.contender.system,
                            system_settings=entry.contender.system_settings or None,
                            budget_usd=budget_usd,
                            budget_id=budget_id,
                        )
                    )
                    ready = replace(shared[kind], run_id=None)
                else:
                    may_ask = budget_usd is None
                    ready = await _another(measuring, shared[kind], entry, corpus, stack, hosts, may_ask=may_ask)
            except AssayError as error:
                if entry.is_incumbent:
                    raise
                failure = failure or error
                runners.append(Runner(entry, None, problem=error.message))
            else:
                runners.append(Runner(entry, ready))
        for runner in runners:
            if budget_usd is not None and runner.ready is not None and runner.ready.is_foreign:
                most_nano(runner.ready.system)  # refused now, before anything is spent
        if failure is not None and all(runner.ready is None for runner in runners):
            raise failure
        options = base.settings.evals
        yield Heats(runners, metric=metric, concurrency=options.concurrency)


async def _another(
    measuring: Measuring,
    first: Evaluation,
    entry: Entry,
    corpus: StoredCorpus,
    stack: AsyncExitStack,
    hosts: dict[ModelSettings, Workspace],
    *,
    may_ask: bool,
) -> Evaluation:
    """The evaluation of another arm: its own system, everything else that of the first.

    `hosts` are arms by the settings of their models: the next one of the same has theirs, loaded once.
    """
    assert first.behind is not None
    if entry.contender.system is None:
        in_force = unretried(entry.in_force)
        host = hosts.get(in_force.settings.models, measuring.workspace)
        variant = await stack.enter_async_context(host.variant(in_force))
        hosts.setdefault(in_force.settings.models, variant)
        system = await own_system(measuring, variant, first.behind)
        return replace(first, system=system, run_id=None, settings=_evaluated(first, entry))
    found = parse_system(entry.contender.system, settings=dict(entry.contender.system_settings) or None)
    assert not isinstance(found, OwnSettings)
    stack.push_async_callback(found.aclose)
    questions = [case.question for case in first.chosen.cases[:FEWEST_ASKED]]
    known = await settled(measuring, found, questions, may_ask=may_ask)
    located = Located(known, corpus, state=measuring.workspace.corpus_state())
    return replace(first, system=located, run_id=None)


def _evaluated(first: Evaluation, entry: Entry) -> Any:
    return entry.in_force.settings.model_copy(update={"evals": first.settings.evals})


def spent(runners: Sequence[Runner]) -> Mapping[str, Any]:
    """What all runs of the arms have cost so far, as the view shows it."""
    records = [runner.record for runner in runners if runner.record is not None]
    return {
        "usd": sum(record.cost_usd for record in records),
        "unpriced_calls": sum(record.unpriced_calls for record in records),
        "paid_calls": sum(record.paid_calls for record in records),
        "cached_calls": sum(record.cached_calls for record in records),
    }
