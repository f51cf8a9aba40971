"""One scorer on one case, whatever happens: a score, a score that failed, or zero where the system failed."""

import asyncio
import json
import math
from collections.abc import Callable, Mapping
from dataclasses import replace

from assay.errors import AssayError, Corrupt, LimitReached
from assay.evals.case import Case
from assay.evals.output import Output
from assay.evals.scorer import Gold, Score, Scorer

_LONGEST_LINE = 500


async def score(
    scorer: Scorer, case: Case, output: Output | None, gold: tuple[Gold, ...], *, timeout_seconds: float
) -> Mapping[str, Score]:
    """The scorer's scores; without an output, 0 for each metric that would apply.

    A scorer that raises or hangs has failed for all of its metrics. Raises LimitReached and Corrupt only.
    """
    if output is None:
        applying = await _applying(scorer, case, gold, timeout_seconds)
        return {metric: Score(0.0) for metric in applying}
    try:
        async with asyncio.timeout(timeout_seconds) as limit:
            scores = await scorer.score(case, output, gold)
        return {metric: _sound(score) for metric, score in scores.items()}
    except (LimitReached, Corrupt):
        raise
    except Exception as error:  # noqa: BLE001 the edge to a foreign scorer: a failed score is counted, not dropped
        reason = f"timed_out: no score within {timeout_seconds:g} s" if limit.expired() else one_line(error)
        return {metric: Score(None, error=reason) for metric in scorer.metrics}


def one_line(error: Exception) -> str:
    """`code: message`, or the class of an exception that is not ours."""
    name = error.slug if isinstance(error, AssayError) else type(error).__name__
    return f"{name}: {' '.join(str(error).split())}"[:_LONGEST_LINE]


async def _applying(scorer: Scorer, case: Case, gold: tuple[Gold, ...], timeout_seconds: float) -> tuple[str, ...]:
    """A judge's metrics where it applies; those a formula gives for an empty output, all where even that fails."""
    if scorer.judge:
        applies_to: Callable[[Case], bool] | None = getattr(scorer, "applies_to", None)
        return scorer.metrics if applies_to is None or applies_to(case) else ()
    scores = await score(scorer, case, Output(), gold, timeout_seconds=timeout_seconds)
    return tuple(scores)


def _sound(score: Score) -> Score:
    """The score as it can be kept: one that is not from 0 to 1 failed. Raises where the details are no JSON."""
    if score.error or score.reasoning or score.details:
        json.dumps([score.error, score.reasoning, dict(score.details)], allow_nan=False)
    if score.value is None or (type(score.value) is float and 0.0 <= score.value <= 1.0):
        return score
    value = float(score.value)
    if math.isfinite(value) and 0.0 <= value <= 1.0:
        return replace(score, value=value)
    return replace(score, value=None, error=f"the score {value:g} is not between 0 and 1")
