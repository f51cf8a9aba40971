"""The error bar on a paired difference of two rates, from the four counts of a 2 x 2 table, and McNemar's test.

Both intervals stay honest where the textbook's collapses: with every case tied the width is above zero.
Newcombe's reproduces the table of his paper (`tests/oracles/test_intervals.py`); McNemar's p-values are those of
`scipy.stats.binomtest` (`tests/oracles/test_permutations.py`).
"""

from math import sqrt

from assay.stats.interval import Interval, z_two_sided
from assay.stats.rate import wilson_limits


def newcombe(both: int, wins: int, losses: int, neither: int, *, alpha: float = 0.05) -> Interval:
    """Newcombe's method 10 (1998, Statistics in Medicine 17:2635) for candidate minus incumbent.

    `both` and `neither` count the cases that both or none got right, `wins` those only the candidate got
    right, `losses` those only the incumbent did. Two Wilson intervals, without continuity correction, are
    joined through the correlation phi of the table, whose numerator D = both*neither - wins*losses is moved
    towards zero: D - n/2 where D > n/2, 0 where 0 <= D <= n/2, D itself where D < 0; phi = 0 if a margin is empty.
    """
    n = _total(both, wins, losses, neither)
    if n == 0:
        return Interval(0.0, -1.0, 1.0, "none", 0, alpha, "there is nothing to compare")
    z = z_two_sided(alpha)
    candidate, incumbent = both + wins, both + losses
    p, q = candidate / n, incumbent / n
    low_p, high_p = wilson_limits(candidate, n, z)
    low_q, high_q = wilson_limits(incumbent, n, z)
    phi = _phi(both, wins, losses, neither)
    down = _joined(p - low_p, high_q - q, phi)
    up = _joined(high_p - p, q - low_q, phi)
    value = (wins - losses) / n
    return Interval(value, max(-1.0, value - down), min(1.0, value + up), "newcombe-10", n, alpha)


def bonett_price(wins: int, losses: int, n: int, *, alpha: float = 0.05) -> Interval:
    """Bonett and Price's adjusted Wald interval (2012, J. Educ. Behav. Stat. 37:479) for candidate minus incumbent.

    One win and one loss are added to `n` cases; the interval is the Wald interval of the enlarged table.
    """
    _total(n - wins - losses, wins, losses, 0)
    if n == 0:
        return Interval(0.0, -1.0, 1.0, "none", 0, alpha, "there is nothing to compare")
    p, q = (wins + 1) / (n + 2), (losses + 1) / (n + 2)
    half = z_two_sided(alpha) * sqrt((p + q - (p - q) ** 2) / (n + 2))
    return Interval((wins - losses) / n, max(-1.0, p - q - half), min(1.0, p - q + half), "bonett-price", n, alpha)


newcombe10 = newcombe  # the name inside this house until the public one was fixed


def mcnemar(wins: int, losses: int, *, mid_p: bool = False, alternative: str = "two-sided") -> float:
    """McNemar's exact p-value of a paired difference of two rates: of the cases that differ, wins are Bin(m, 1/2).

    Exact is never above its level; with `mid_p` half the chance of what was seen counts (Lancaster 1961, JASA 56:223;
    recommended for paired rates by Fagerland, Lydersen and Laake 2013, BMC Med. Res. Methodol. 13:91), which keeps its
    level on average only: with 16 cases that differ it is .077 at .05. 1 without a case that differs.
    """
    from scipy.special import bdtr, bdtrc

    _total(wins, losses)
    m = wins + losses
    if alternative not in {"two-sided", "greater", "less"}:
        raise ValueError(f"alternative must be two-sided, greater or less, not {alternative}")
    if m == 0:
        return 1.0
    at_most, below = float(bdtr(wins, m, 0.5)), float(bdtr(wins - 1, m, 0.5)) if wins else 0.0
    at_least = float(bdtrc(wins - 1, m, 0.5)) if wins else 1.0
    seen = (at_most - below) / 2 if mid_p else 0.0
    greater, less = at_least - seen, at_most - seen
    if alternative == "two-sided":
        return min(1.0, 2 * min(greater, less))
    return greater if alternative == "greater" else less


def _phi(both: int, wins: int, losses: int, neither: int) -> float:
    margins = (both + wins) * (losses + neither) * (both + losses) * (wins + neither)
    if margins == 0:
        return 0.0
    n = both + wins + losses + neither
    numerator = float(both * neither - wins * losses)
    if numerator > 0:
        numerator = max(numerator - n / 2, 0.0)
    return numerator / sqrt(margins)


def _joined(first: float, second: float, phi: float) -> float:
    # Rounding can leave a hair below zero when both terms are equal and phi is 1.
    return sqrt(max(first * first - 2 * phi * first * second + second * second, 0.0))


def _total(*counts: int) -> int:
    if min(counts) < 0:
        raise ValueError(f"counts of cases cannot be negative: {counts}")
    return sum(counts)
