"""How many more cases like these it takes to show a difference: read from the width of the interval they gave.

The width is what clusters, ties and few cases made it, so the variance behind it counts all three as if cases stood
alone. Proved in `tests/unit/decisions/test_needed.py`.
"""

from math import isfinite

from assay.stats.interval import Interval, z_two_sided
from assay.stats.power import sample_size

MOST_NEEDED = 10_000_000
"""More than this is no plan: None is said instead."""


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
