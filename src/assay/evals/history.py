"""How each metric went over runs: points with error bars, oldest first, from the scoreboards kept with the runs.

Intervals of two runs that overlap do not say that nothing changed: the same cases make the difference smaller than
either interval, so compare two runs with `diff`. Proved by `tests/unit/evals/test_history.py`.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from assay.evals.runs import RunRecord
from assay.evals.scorer import AGAINST

_SETTINGS = re.compile(r"[ (#]")
"""What follows in a system's name says its settings or its model: `assay index.k=8`, `bot:answer(k=5)`."""


@dataclass(frozen=True, slots=True)
class Point:
    """One metric of one run. `same_cases` is whether the run was on the set of the newest run."""

    run_id: str
    created_ns: int
    system: str
    value: float
    low: float
    high: float
    n: int
    failed: int
    same_cases: bool


def history(runs: Iterable[RunRecord], *, before: RunRecord | None = None) -> Mapping[str, tuple[Point, ...]]:
    """Points by metric, oldest first, of the runs that have a scoreboard; metrics in the order of the newest run.

    With `before`, only that run and those before it, and of its system under any settings: another system's scores are
    no course of this one's.
    Of a metric that compares two answers only runs with the newest one's opponent: others are on another scale.
    """
    wanted = (run for run in runs if run.summary and (before is None or _precedes(run, before)))
    ordered = sorted(wanted, key=lambda run: (run.created_ns, run.id))
    points: dict[str, list[Point]] = {}
    opponents: dict[str, str] = {}
    for run in reversed(ordered):
        for name, metric in ((run.summary or {}).get("metrics") or {}).items():
            opponent = _opponent(run, name)
            if opponents.setdefault(name, opponent) != opponent:
                continue
            point = Point(
                run_id=run.id,
                created_ns=run.created_ns,
                system=run.spec.system,
                value=metric["value"],
                low=metric["low"],
                high=metric["high"],
                n=metric["n"],
                failed=metric["failed"],
                same_cases=run.spec.set_digest == ordered[-1].spec.set_digest,
            )
            points.setdefault(name, []).append(point)
    return {name: tuple(reversed(found)) for name, found in points.items()}


def _precedes(run: RunRecord, other: RunRecord) -> bool:
    one, two = (_SETTINGS.split(record.spec.system, maxsplit=1)[0] for record in (run, other))
    return one == two and run.created_ns <= other.created_ns


def _opponent(run: RunRecord, metric: str) -> str:
    """Whom the metric compares with; empty where it compares with nobody."""
    comparing = (scorer for scorer in run.spec.scorers if AGAINST in scorer)
    return next((scorer[AGAINST]["name"] for scorer in comparing if metric in scorer["metrics"]), "")
