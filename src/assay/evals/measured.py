"""Measure any callable on cases: question in, outcome out, one score per case, nothing dropped.

A case whose system failed scores 0 and keeps its error; it stays in the denominator.
"""

import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

from assay.answers.outcome import Outcome
from assay.errors import AssayError
from assay.evals.case import Case

System = Callable[[str], Awaitable[Outcome]]
Scorer = Callable[[Case, Outcome], float]


@dataclass(frozen=True, slots=True)
class Measured:
    """One case's result: `score` in [0, 1], what it cost (None: unpriced) and how long it took."""

    case: str
    cluster: str
    score: float
    cost_usd: float | None
    latency_ms: float
    error: str = ""


async def measure(
    system: System, cases: Sequence[Case], *, scorer: Scorer, progress: Callable[[int], None] = lambda _done: None
) -> list[Measured]:
    """Scores of `system` on `cases`, in their order."""
    results = []
    for done, case in enumerate(cases, start=1):
        results.append(await _one(system, case, scorer))
        progress(done)
    return results


async def _one(system: System, case: Case, scorer: Scorer) -> Measured:
    started = time.perf_counter()
    try:
        outcome = await system(case.question)
    except AssayError as error:
        elapsed_ms = (time.perf_counter() - started) * 1000
        return Measured(case.id, case.cluster, 0.0, None, elapsed_ms, error=error.slug)
    elapsed_ms = (time.perf_counter() - started) * 1000
    return Measured(case.id, case.cluster, scorer(case, outcome), outcome.cost_usd, elapsed_ms)
