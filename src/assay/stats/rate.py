"""The error bar on one rate: k of n.

Wilson is what to show; Clopper-Pearson is what to promise (its coverage never falls below `1 - alpha`).
Proved against `scipy.stats.binomtest` in `tests/oracles/test_intervals.py` and by exact coverage sums there.
"""

from math import sqrt

from assay.stats.interval import Interval, z_two_sided


def wilson(successes: float, n: int, *, alpha: float = 0.05) -> Interval:
    """Wilson's score interval for a rate (Wilson 1927, JASA 22:209, as in Brown, Cai and DasGupta 2001, eq. 4).

    Coverage dips to .894 at n = 20-27 with a rate near .97; with n = 0 the interval is all of 0..1.
    """
    _check(successes, n)
    if n == 0:
        return Interval(0.0, 0.0, 1.0, "none", 0, alpha, "there is nothing to count")
    low, high = wilson_limits(successes, n, z_two_sided(alpha))
    return Interval(successes / n, low, high, "wilson", n, alpha)


def wilson_limits(successes: float, n: float, z: float) -> tuple[float, float]:
    """Wilson's two limits at the quantile `z` for n > 0 trials, which may be an effective number."""
    p = successes / n
    scale = 1 + z * z / n
    centre = (p + z * z / (2 * n)) / scale
    half = z / scale * sqrt(p * (1 - p) / n + z * z / (4 * n * n))
    # At 0 and n the limit is the end of the scale exactly; rounding must not leave it a hair inside.
    low = 0.0 if successes == 0 else max(0.0, centre - half)
    high = 1.0 if successes == n else min(1.0, centre + half)
    return low, high


def clopper_pearson(successes: float, n: int, *, alpha: float = 0.05) -> Interval:
    """The exact interval (Clopper and Pearson 1934, Biometrika 26:404), each tail at most `alpha/2`.

    Use it where a guarantee is needed. Zero failures in n gives the upper limit `1 - (alpha/2)**(1/n)`.
    Exact for counts; a fraction of a success is allowed and interpolates between them.
    """
    from scipy.special import betaincinv

    _check(successes, n)
    if n == 0:
        return Interval(0.0, 0.0, 1.0, "none", 0, alpha, "there is nothing to count")
    z_two_sided(alpha)
    low = 0.0 if successes == 0 else float(betaincinv(successes, n - successes + 1, alpha / 2))
    high = 1.0 if successes == n else float(betaincinv(successes + 1, n - successes, 1 - alpha / 2))
    return Interval(successes / n, low, high, "clopper-pearson", n, alpha)


def _check(successes: float, n: int) -> None:
    if n < 0 or not 0 <= successes <= n:
        raise ValueError(f"{successes} successes of {n} is not a count of a rate")
