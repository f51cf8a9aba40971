"""What an evaluation will take, before it starts: calls, money, time, and the smallest difference it can show.

Figures come from what was measured before: outputs of this system, and judgements by these scorers, in earlier runs.
Where nothing was measured they come from what the system declares, and what nobody knows is None and said so. Proved by
`tests/unit/evals/test_plan.py`.
"""

import math
import os
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import islice
from statistics import fmean, stdev
from typing import Any, NamedTuple

from assay.evals.case import Case
from assay.evals.detectable import DISCORDANCES, detectable, measured_effects
from assay.evals.engine import spec_of
from assay.evals.outputs import output_key
from assay.evals.plan_words import lines_of
from assay.evals.result import Result
from assay.evals.run_spec import RunSpec
from assay.evals.runs import RunRecord, Runs
from assay.evals.scorer import Scorer
from assay.evals.system import System
from assay.evals.timing import Passages, Range, Rehearsal, Speed
from assay.ledger.values import Values

PILOT_RESULTS = 300
_RUNS_LOOKED_AT = 50
_Z95 = 1.96


@dataclass(frozen=True, slots=True)
class Plan:
    """What `evaluate` would do now.

    Of `questions` (cases times replicas) `finished` have their result in the run that would be resumed (`resumes`),
    `cached` have their output from earlier runs, and `fresh` are asked; `judged` of those that are left were judged
    before, so their judgements are cached too. `model_calls` and `judge_calls` are of what is not cached. `unpriced`
    names what has no known price: `cost_usd` is then only of the rest. `pilot` is how many measured results the
    figures of the system rest on, `judge_pilot` those of the judges. None: nothing is known.

    `seconds` is of the answers and of the judging that could be timed, `untimed` names what could not; `timed_by` says
    in words what it rests on. `judge_case_seconds` is of judging one case, and `slow_judge` is True where the embedded
    model judges.

    `detectable` is by share of cases on which two systems differ (None: more than these cases can show), `measured`
    by metric from the last two runs on these cases; both at 80% power and alpha .05, for cases that are independent.
    """

    system: str
    set_name: str
    cases: int
    clusters: int
    replicas: int
    questions: int
    resumes: str | None
    finished: int
    cached: int
    fresh: int
    judged: int
    metrics: tuple[str, ...]
    judges: tuple[str, ...]
    model_calls: Range | None
    judge_calls: Range | None
    cost_usd: Range | None
    unpriced: tuple[str, ...]
    seconds: Range | None
    untimed: tuple[str, ...]
    timed_by: tuple[str, ...]
    judge_case_seconds: Range | None
    slow_judge: bool
    pilot: int
    judge_pilot: int
    detectable: Mapping[float, float | None]
    measured: Mapping[str, float]

    def as_json(self) -> dict[str, Any]:
        """As `assay eval --plan --json` gives it."""
        shape = asdict(self)
        for name in ("model_calls", "judge_calls", "cost_usd", "seconds", "judge_case_seconds"):
            found: Range | None = getattr(self, name)
            shape[name] = None if found is None else found._asdict()
        return shape | {"detectable": {f"{share:.2f}": effect for share, effect in self.detectable.items()}}

    def lines(self) -> list[str]:
        """The same in words, one fact a line."""
        return lines_of(self)


def plan(
    system: System,
    cases: Sequence[Case],
    *,
    scorers: Sequence[Scorer],
    runs: Runs,
    values: Values,
    set_digest: str,
    set_name: str = "",
    replicas: int = 1,
    concurrency: int = 8,
    judge_call_usd: tuple[float, float] | None = None,
    slow_judge: bool = False,
    rehearsal: Rehearsal | None = None,
) -> Plan:
    """The plan of `evaluate` with the same arguments. Reads the ledger and asks nothing of system and judges.

    Where nothing was measured yet, calls are those that system and judges declare (`expected_calls`, the least and the
    most for a case), and `judge_call_usd` bounds what one call of a judge costs (None: unpriced); time is then what
    `rehearsal` found a moment ago.
    """
    spec = spec_of(system, cases, scorers=scorers, set_digest=set_digest, set_name=set_name, replicas=replicas)
    questions = len(cases) * replicas
    unfinished = runs.unfinished(spec)
    finished = unfinished.results - unfinished.failed if unfinished else 0
    # Of a run to be resumed the finished outputs are cached too; those are not asked for at all.
    cached = max(0, _cached(system, cases, values, replicas) - finished) if system.subject is not None else 0
    left = questions - finished
    recent = runs.list(_RUNS_LOOKED_AT)
    pilot = _pilot(runs, [run for run in recent if _same_system(run.spec, spec)])
    # Another setting of the same system is no measure of its cost, but of its time it is the best there is.
    similar = pilot if pilot.results else _pilot(runs, [run for run in recent if _similar(run.spec, spec)])
    same_judges = [run for run in recent if _judges_of(spec) and _judges_of(run.spec) == _judges_of(spec)]
    judge_pilot = _pilot(runs, same_judges, judged=True)
    judged = min(cached, max((_settled(run) for run in same_judges if _same_outputs(run.spec, spec)), default=0))
    made = _system_figures(system, pilot.results, similar.results, left - cached)
    judging = _judge_figures(scorers, judge_pilot.results, left - judged, call_usd=judge_call_usd)
    timed = _timed(
        _answering(system, made, similar, rehearsal, n=left - cached, now=concurrency),
        _judging(system, scorers, judging, judge_pilot, rehearsal, n=left - judged, now=concurrency),
    )
    judges = tuple(dict.fromkeys(scorer.judge.name for scorer in scorers if scorer.judge))
    bills = [bill for bill in (made.cost_usd, judging.cost_usd) if bill is not None]
    unpriced = [system.name] * (made.cost_usd is None) + [*judges] * (judging.cost_usd is None)
    return Plan(
        system=system.name,
        set_name=set_name,
        cases=len(cases),
        clusters=len({case.cluster or f"\0{i}" for i, case in enumerate(cases)}),
        replicas=replicas,
        questions=questions,
        resumes=unfinished.id if unfinished else None,
        finished=finished,
        cached=cached,
        fresh=left - cached,
        judged=judged,
        metrics=tuple(metric for scorer in scorers for metric in scorer.metrics),
        judges=judges,
        model_calls=made.calls,
        judge_calls=judging.calls,
        cost_usd=None if not bills else sum(bills[1:], bills[0]),
        unpriced=tuple(unpriced),
        seconds=timed.total,
        untimed=timed.unknown,
        timed_by=timed.basis,
        judge_case_seconds=timed.judge_case,
        slow_judge=slow_judge and bool(judges),
        pilot=len(pilot.results),
        judge_pilot=len(judge_pilot.results),
        detectable={share: detectable(len(cases), share) for share in DISCORDANCES},
        measured=measured_effects(runs, set_digest, len(cases)),
    )


class _Pilot(NamedTuple):
    results: Sequence[Result]
    concurrency: int


class _Figures(NamedTuple):
    """Of one half of the work: calls, dollars (None: no price), and milliseconds summed over the cases."""

    calls: Range | None
    cost_usd: Range | None
    milliseconds: Range | None


_NOTHING = _Figures(Range(0, 0, 0), Range(0, 0, 0), Range(0, 0, 0))


def _cached(system: System, cases: Sequence[Case], values: Values, replicas: int) -> int:
    keys = [output_key(system, case.question, replica) for case in cases for replica in range(replicas)]
    known = values.known(list(dict.fromkeys(keys)))
    return sum(key in known for key in keys)


def _pilot(runs: Runs, candidates: Sequence[RunRecord], *, judged: bool = False) -> _Pilot:
    """Results of the newest of these runs that has some; with `judged`, only those whose judge was paid."""
    for run in candidates:
        some = islice(runs.results(run.id), PILOT_RESULTS)
        found = [one for one in some if not one.error and (one.judge_paid_calls or not judged)]
        if found:
            return _Pilot(found, int(run.spec.details.get("concurrency", 1)))
    return _Pilot([], 1)


def _settled(run: RunRecord) -> int:
    return run.results - run.failed


def _same_outputs(one: RunSpec, other: RunSpec) -> bool:
    return one.subject is not None and (one.subject, one.set_digest) == (other.subject, other.set_digest)


def _same_system(one: RunSpec, other: RunSpec) -> bool:
    # Without a subject a name alone is not enough: another URL under it may cost something else.
    named = (one.system, one.identity) == (other.system, other.identity)
    return one.subject == other.subject and (one.subject is not None or named)


def _similar(one: RunSpec, other: RunSpec) -> bool:
    return one.kind == other.kind and one.system.split()[0] == other.system.split()[0]


def _judges_of(spec: RunSpec) -> set[str]:
    return {scorer["digest"] for scorer in spec.scorers if scorer["judge"]}


def _system_figures(system: System, pilot: Sequence[Result], similar: Sequence[Result], n: int) -> _Figures:
    if not n:
        return _NOTHING
    declared: tuple[float, float] | None = getattr(system, "expected_cost_usd", None)
    costs = [one.cost_usd for one in pilot if one.cost_usd is not None]
    cost = _total(costs, n) if pilot and len(costs) == len(pilot) else _declared(declared, n)
    calls = [float(one.output.calls) for one in pilot if one.output]
    return _Figures(
        _total(calls, n) if calls else _declared(getattr(system, "expected_calls", None), n),
        cost,
        _total([one.latency_ms for one in similar], n) if similar else None,
    )


def _declared(bounds: tuple[float, float] | None, n: int) -> Range | None:
    """What `n` cases take by what is declared for one."""
    return None if bounds is None else Range(bounds[0] * n, sum(bounds) / 2 * n, bounds[1] * n)


def _judge_figures(
    scorers: Sequence[Scorer], pilot: Sequence[Result], n: int, *, call_usd: tuple[float, float] | None
) -> _Figures:
    judges = [scorer for scorer in scorers if scorer.judge]
    if not n or not judges:
        return _NOTHING
    if not pilot:
        bounds: list[tuple[float, float] | None] = [getattr(judge, "expected_calls", None) for judge in judges]
        known = [pair for pair in bounds if pair is not None]
        if len(known) < len(bounds):
            return _Figures(None, None, None)
        low, high = sum(pair[0] for pair in known), sum(pair[1] for pair in known)
        cost = None if call_usd is None else _declared((low * call_usd[0], high * call_usd[1]), n)
        return _Figures(_declared((low, high), n), cost, None)
    # A case whose judgement was partly cached tells what one call costs, not what a case costs.
    per_case = [
        None if one.judge_cost_usd is None else one.judge_cost_usd * one.judge_calls / one.judge_paid_calls
        for one in pilot
    ]
    costs = [cost for cost in per_case if cost is not None]
    return _Figures(
        _total([float(one.judge_calls) for one in pilot], n),
        _total(costs, n) if len(costs) == len(per_case) else None,
        _total([one.judge_ms for one in pilot], n),
    )


def _total(measured: Sequence[float], n: int) -> Range:
    """The sum over `n` cases to come, from cases measured before: a 95% prediction interval, floored at 0."""
    mean = fmean(measured)
    spread = stdev(measured) if len(measured) > 1 else mean
    half = _Z95 * spread * math.sqrt(n + n * n / len(measured))
    return Range(max(0.0, n * mean - half), n * mean, n * mean + half)


class _Part(NamedTuple):
    """The wall-clock time of one half of the work (None: not known), and in words how that is known."""

    name: str
    seconds: Range | None
    basis: str = ""
    of_one: Range | None = None


class _Timed(NamedTuple):
    total: Range | None
    unknown: tuple[str, ...]
    basis: tuple[str, ...]
    judge_case: Range | None


def _timed(*parts: _Part) -> _Timed:
    known = [part.seconds for part in parts if part.seconds is not None]
    return _Timed(
        sum(known[1:], known[0]) if any(any(seconds) for seconds in known) or len(known) == len(parts) else None,
        tuple(part.name for part in parts if part.seconds is None),
        tuple(f"{part.name} {part.basis}" for part in parts if part.basis),
        parts[-1].of_one,
    )


def _answering(
    system: System, made: _Figures, similar: _Pilot, rehearsal: Rehearsal | None, *, n: int, now: int
) -> _Part:
    if not n:
        return _Part("answers", Range(0, 0, 0))
    if made.milliseconds is not None:
        return _Part("answers", _wall_clock(made.milliseconds, similar.concurrency, now), _from(similar))
    answer, speed = (None, None) if rehearsal is None else (rehearsal.answer, rehearsal.speed)
    work = getattr(system, "expected_work", None)
    if answer is not None:
        # Alone one question has the machine to itself: many at once take no longer than one after another.
        at_once = min(now, os.cpu_count() or 1)
        return _Part("answers", Range(n * answer.low / at_once, n * answer.expected, n * answer.high), _JUST_NOW)
    if speed is not None and work is not None:
        return _Part("answers", speed.seconds([work]).times(n), _by(speed))
    return _Part("answers", None)


def _judging(
    system: System,
    scorers: Sequence[Scorer],
    judging: _Figures,
    pilot: _Pilot,
    rehearsal: Rehearsal | None,
    *,
    n: int,
    now: int,
) -> _Part:
    judges = [scorer for scorer in scorers if scorer.judge]
    if not n or not judges:
        return _Part("judging", Range(0, 0, 0))
    if pilot.results and judging.milliseconds is not None:
        seconds = _wall_clock(judging.milliseconds, pilot.concurrency, now)
        return _Part("judging", seconds, _from(pilot), seconds.times(1 / n))
    works = [getattr(judge, "expected_work", None) for judge in judges]
    speed = None if rehearsal is None else rehearsal.speed
    if speed is None or None in works:
        return _Part("judging", None)
    passages: Passages = getattr(system, "expected_passages", Passages())
    one = speed.seconds([work.among(passages) for work in works if work is not None])
    return _Part("judging", one.times(n), _by(speed), one)


_JUST_NOW = "measured a moment ago"


def _by(speed: Speed) -> str:
    return f"by the model's speed a moment ago ({speed.read:.0f} tokens a second read, {speed.written:.0f} written)"


def _from(pilot: _Pilot) -> str:
    return f"from {len(pilot.results)} earlier result{'s' * (len(pilot.results) != 1)}"


def _wall_clock(milliseconds: Range, then: int, now: int) -> Range:
    """More at once than when it was measured may go faster, or only queue: that is the range."""
    low, expected, high = milliseconds
    slower, faster = min(then, now), max(then, now)
    at_once = now if now < then else then
    return Range(low / 1000 / faster, expected / 1000 / at_once, high / 1000 / slower)
