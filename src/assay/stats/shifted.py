"""Evidence that a mean difference of wins, losses and ties lies above -shift: the test of a margin, from three counts.

For x = d + shift with d in {-1, 0, 1} and a true mean of x at most 0, the product of 1 + lambda x is a supermartingale
for every lambda it stays positive for, and so is a mean over lambdas. It passes 1/alpha with probability at most alpha,
whenever anyone looks (Ville 1939). One formula serves three questions: "worse by less than a margin" as it is, "better
by less than the smallest difference that matters" with wins and losses swapped, and the limits of the running interval
by asking for which shift the evidence is just enough.

Invariant: evidence rises with the shift, so the limits answer the same question as the test, at the same level.
Proved by `tests/properties/test_shifted_properties.py`; exact error rates in `tests/oracles/test_trinomial.py`.
"""

from functools import lru_cache
from math import exp, log, log1p
from typing import Final

_BETS: Final = (0.02, 0.05, 0.1, 0.2, 0.35, 0.5, 0.7, 0.95)  # shares of the most that can be lost at once
_HALVINGS: Final = 45  # of an interval of length 2: limits exact to 6e-14

Gains = tuple[tuple[float, float, float], ...]


def log_e_shifted(wins: int, losses: int, ties: int, *, shift: float) -> float:
    """ln of the evidence that the mean of d is above -`shift` (-1 < shift < 1): the mean over eight fixed bets."""
    return _log_mean(wins, losses, ties, gains(shift))


def shows(wins: int, losses: int, ties: int, *, shift: float, level: float) -> bool:
    """Whether that evidence is enough at `level`, without its exact value where no single bet would be."""
    enough = log(1 / level)
    bets = gains(shift)
    if max([wins * w + losses * b + ties * t for w, b, t in bets]) < enough:
        return False
    return _log_mean(wins, losses, ties, bets) >= enough


def lower_limit(wins: int, losses: int, ties: int, *, alpha: float) -> float:
    """The highest mean of d that the evidence rules out at `alpha`, valid at any time; -1 where it rules out none."""
    enough = log(1 / alpha)
    low, high = -1.0, 1.0
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        if _log_mean(wins, losses, ties, _gains(middle)) >= enough:
            high = middle
        else:
            low = middle
    return -high


@lru_cache(maxsize=64)
def gains(shift: float) -> Gains:
    """Per bet: what a win, a loss and a tie add to the logarithm. Kept for the margins that tests are asked about."""
    return _gains(shift)


def _gains(shift: float) -> Gains:
    left = 1 - shift
    return tuple((log1p(theta * (1 + shift) / left), log1p(-theta), log1p(theta * shift / left)) for theta in _BETS)


def _log_mean(wins: int, losses: int, ties: int, bets: Gains) -> float:
    sums = [wins * w + losses * b + ties * t for w, b, t in bets]
    top = max(sums)
    return top + log(sum([exp(value - top) for value in sums]) / len(sums))
