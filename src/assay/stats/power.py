"""What a number of cases can see, before anyone spends it.

Proved against Miller's published example (969 questions) and by simulated power in `tests/unit/stats/test_power.py`.
"""

from math import ceil, inf, sqrt

from assay.stats.interval import Interval, z_two_sided


def sample_size(
    effect: float,
    *,
    variance: float | None = None,
    disc: float | None = None,
    alpha: float = 0.05,
    power: float = 0.8,
    two_sided: bool = True,
) -> int:
    """Paired cases needed to see `effect`: n = (z_{1-alpha/2} + z_power)² · variance/effect² (Miller 2024, eq. 9).

    `variance` is that of the per-case difference. For right-or-wrong scores give `disc` instead, the share of cases on
    which the two systems differ: the variance then is disc - effect². `two_sided=False` uses z_{1-alpha}. Raises
    `ValueError` for an effect of zero, or one larger than `disc`.
    """
    if disc is not None and not abs(effect) <= disc <= 1:
        raise ValueError(f"systems that differ on {disc} of the cases cannot be {effect} apart")
    spread = _variance(variance, None if disc is None else disc - effect**2)
    if effect == 0 or spread < 0:
        raise ValueError("effect must not be zero and variance not negative")
    return max(1, ceil(_reach(alpha, power, two_sided=two_sided) ** 2 * spread / effect**2))


def detectable(
    n: int,
    *,
    variance: float | None = None,
    disc: float | None = None,
    alpha: float = 0.05,
    power: float = 0.8,
    two_sided: bool = True,
) -> float:
    """The smallest effect that `n` paired cases show with probability `power`: the same formula solved for it.

    With `disc`, the share of right-or-wrong cases that differ, the variance is taken as disc, which is a little too
    much: 2.49·sqrt(disc/n) one-sided at alpha .05 and power .8. Infinite for no cases.
    """
    spread = _variance(variance, disc)
    if spread < 0 or (disc is not None and disc > 1):
        raise ValueError("a variance must not be negative, nor a share above 1")
    return _reach(alpha, power, two_sided=two_sided) * sqrt(spread / n) if n > 0 else inf


cases_needed, detectable_effect = sample_size, detectable  # their names inside this house until the public ones


def _variance(variance: float | None, from_share: float | None) -> float:
    if (variance is None) == (from_share is None):
        raise ValueError("give either the variance of the differences or the share of cases that differ")
    found = variance if variance is not None else from_share
    assert found is not None
    return found


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
