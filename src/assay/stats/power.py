"""What a number of cases can see, before anyone spends it.

Proved against Miller's published example (969 questions) and by simulated power in `tests/unit/stats/test_power.py`.
"""

from math import ceil, inf, sqrt

from assay.stats.interval import Interval, z_two_sided


def cases_needed(
    effect: float, *, variance: float, alpha: float = 0.05, power: float = 0.8, two_sided: bool = True
) -> int:
    """Paired cases needed to see `effect`: n = (z_{1-alpha/2} + z_power)² · variance/effect² (Miller 2024, eq. 9).

    `variance` is that of the per-case difference; for right-or-wrong scores it is disc - effect², with disc the
    share of cases on which the two systems differ.
    """
    if effect == 0 or variance < 0:
        raise ValueError("effect must not be zero and variance not negative")
    return max(1, ceil(_reach(alpha, power, two_sided=two_sided) ** 2 * variance / effect**2))


def detectable_effect(
    n: int, *, variance: float, alpha: float = 0.05, power: float = 0.8, two_sided: bool = True
) -> float:
    """The smallest effect that `n` paired cases show with probability `power`: the same formula solved for it."""
    return _reach(alpha, power, two_sided=two_sided) * sqrt(variance / n) if n > 0 else inf


def detectable_from(interval: Interval, *, power: float = 0.8) -> float:
    """The smallest effect that data like these show with probability `power`: half-width · (z_{1-alpha/2} + z_power)/z.

    Takes the interval's width as it is, so clusters, ties and small samples are all accounted for.
    """
    z = z_two_sided(interval.alpha)
    return interval.half_width * (z + _z(power)) / z


def _reach(alpha: float, power: float, *, two_sided: bool) -> float:
    return (z_two_sided(alpha) if two_sided else _z(1 - alpha)) + _z(power)


def _z(probability: float) -> float:
    # z_two_sided(a) is the quantile at 1 - a/2; for probabilities up to 1/2 by symmetry.
    return (
        z_two_sided(2 * (1 - probability))
        if probability > 0.5
        else -z_two_sided(2 * probability)
        if probability < 0.5
        else 0.0
    )
