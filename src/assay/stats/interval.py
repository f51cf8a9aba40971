"""An estimate with its error bar: the one shape every formula of this room returns.

Invariant: `low <= high`. A side on which the data set no limit is infinite, never a made-up number.
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Interval:
    """An estimate, its two-sided `1 - alpha` interval, and how it was made.

    `value`, `low` and `high` are in the unit of what was measured. `n` counts the independent units the
    interval rests on (cases, or clusters of cases). `reason` is one sentence on why this method was chosen,
    empty where the caller chose it.
    """

    value: float
    low: float
    high: float
    method: str
    n: int
    alpha: float = 0.05
    reason: str = ""

    @property
    def half_width(self) -> float:
        """Half the distance between the limits, in the unit of `value`; infinite where a limit is."""
        return (self.high - self.low) / 2


def z_two_sided(alpha: float) -> float:
    """The standard normal quantile at `1 - alpha/2`; raises `ValueError` unless 0 < alpha < 1."""
    from scipy.special import ndtri

    if not 0 < alpha < 1:
        raise ValueError(f"alpha must lie between 0 and 1, not {alpha}")
    return float(-ndtri(alpha / 2))


def t_two_sided(alpha: float, degrees: float) -> float:
    """Student's t quantile at `1 - alpha/2` with `degrees` degrees of freedom (> 0)."""
    from scipy.special import stdtrit

    if not 0 < alpha < 1:
        raise ValueError(f"alpha must lie between 0 and 1, not {alpha}")
    return float(-stdtrit(degrees, alpha / 2))
