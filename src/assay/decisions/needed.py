"""How many more cases like these it takes to show a difference: read from the width of the interval they gave.

Of one look (`further_cases`), and of a decision that may go on (`further_questions`); the tests of `assay.stats` say by
themselves what they need where they are used alone. The width is what clusters, ties and few cases made it, so the
variance behind it counts all three as if cases stood alone. Proved in `tests/unit/decisions/test_needed.py`.
"""

from math import ceil, isfinite

from assay.decisions.hypothesis import Margins
from assay.stats.estimate import Evidence
from assay.stats.interval import Interval, z_two_sided
from assay.stats.power import sample_size

MOST_NEEDED = 10_000_000
"""More than this is no plan: None is said instead."""

MOST_QUESTIONS = 1_000_000
"""The same of a decision, whose questions are asked."""


def further_cases(difference: Interval, n: int, *, effect: float) -> int | None:
    """Cases beyond these `n` until a true difference of `effect` is shown 4 times in 5, at the interval's alpha.

    At least 1. None where the interval says nothing of the variance, the effect is 0, or the number is out of reach.
    """
    spread = difference.half_width
    if n < 2 or difference.method == "none" or effect == 0 or spread == 0 or not isfinite(spread):
        return None
    # In units of the effect: squares of scores near the largest allowed, or of tiny ones, would leave the numbers.
    error = spread / abs(effect) / z_two_sided(difference.alpha)
    if not error < MOST_NEEDED:
        return None
    total = sample_size(1.0, variance=n * error**2, alpha=difference.alpha)
    return max(1, total - n) if total < MOST_NEEDED else None


def further_questions(found: Evidence, margins: Margins, *, asked: int) -> int | None:
    """How many more than those `asked` would decide if the difference stays what it is; None where none can be told.

    An interval narrows with the root of the questions, so the one shown (with its clusters, its alpha, its looks) says
    how many it takes until a limit passes 0, the margin, or what matters: the nearest of them counts.
    """
    reaches = []
    for value, limit, goal in (
        (found.raw, found.low, 0.0),
        (found.raw, found.low, -margins.margin),
        (-found.raw, -found.high, -margins.smallest),
    ):
        if value > goal and isfinite(limit) and value > limit:
            reaches.append(((value - limit) / (value - goal)) ** 2)
    if not reaches or found.n == 0 or asked < 2 or min(reaches) * asked > MOST_QUESTIONS:
        return None
    return max(1, ceil(min(reaches) * asked) - asked)
