"""Evidence that a mean difference of wins, losses and ties lies above -shift: the test of a margin, from three counts.

For x = d + shift with d in {-1, 0, 1} and a true mean of x at most 0, the product of 1 + lambda x is a supermartingale
for every lambda it stays positive for, and so is a mean over lambdas. It passes 1/alpha with probability at most alpha,
whenever anyone looks (Ville 1939). One formula serves three questions: "worse by less than a margin" as it is, "better
by less than the smallest difference that matters" with wins and losses swapped, and the limits of the running interval
by asking for which shift the evidence is just enough.

Invariant: evidence rises with the shift, so the limits answer the same question as the test, at the same level.
Proved by `tests/properties/test_shifted_properties.py`; error rates at the boundary in `tests/oracles/test_horizon.py`.
"""

from functools import lru_cache
from math import exp, log, log1p
from typing import Final

_BETS: Final = (0.02, 0.05, 0.1, 0.2, 0.35, 0.5, 0.7, 0.95)  # shares of the most that can be lost at once
_STEPS: Final = 50  # halvings of an interval of length 2: limits exact to 2e-15


def log_e_shifted(wins: int, losses: int, ties: int, *, shift: float) -> float:
    """ln of the evidence that the mean of d is above -`shift` (-1 < shift < 1): the mean over eight fixed bets."""
    sums = [wins * w + losses * b + ties * t for w, b, t in gains(shift)]
    top = max(sums)
    return top + log(sum(exp(value - top) for value in sums) / len(sums))


def lower_limit(wins: int, losses: int, ties: int, *, alpha: float) -> float:
    """The highest mean of d that the evidence rules out at `alpha`, valid at any time; -1 where it rules out none."""
    enough = log(1 / alpha)
    low, high = -1.0, 1.0
    for _ in range(_STEPS):
        middle = (low + high) / 2
        if log_e_shifted(wins, losses, ties, shift=middle) >= enough:
            high = middle
        else:
            low = middle
    return -high


@lru_cache(maxsize=64)
def gains(shift: float) -> tuple[tuple[float, float, float], ...]:
    """Per bet: what a win, a loss and a tie add to the logarithm."""
    bets = [(theta, theta / (1 - shift)) for theta in _BETS]
    return tuple((log1p(bet * (1 + shift)), log1p(-theta), log1p(bet * shift)) for theta, bet in bets)
