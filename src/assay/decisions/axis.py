"""Where the numbers of a plot go: a stretch of the line that holds zero and the interval, with round ticks.

Invariant: zero and every finite limit lie inside the axis, ticks are multiples of 1, 2 or 5 times a power of ten.
"""

from dataclasses import dataclass
from math import ceil, floor, inf, isfinite, log10

from assay.stats.interval import Interval


@dataclass(frozen=True, slots=True)
class Axis:
    """A stretch from `low` to `high` with `ticks` in it, all in the unit shown; ticks print with `decimals`."""

    low: float
    high: float
    ticks: tuple[float, ...]
    decimals: int

    def share(self, value: float) -> float:
        """Where `value` lies between the ends, 0 to 1; values beyond an end stay at it."""
        return min(1.0, max(0.0, (value - self.low) / (self.high - self.low)))

    def label(self, tick: float) -> str:
        """The tick as printed, signed."""
        return "0" if tick == 0 else f"{tick:+.{self.decimals}f}"


def axis_for(intervals: list[Interval], *, factor: float = 1.0, origin: float = 0.0, ticks: int = 5) -> Axis:
    """An axis that holds zero and (each limit - origin) * factor, with about `ticks` ticks."""
    limits = [(limit - origin) * factor for i in intervals for limit in (i.low, i.high, i.value) if isfinite(limit)]
    low, high = min([0.0, *limits]), max([0.0, *limits])
    if low == high:
        low, high = low - 1, high + 1
    margin = (high - low) * 0.08
    low, high = low - margin, high + margin
    step = _round_step((high - low) / ticks)
    first, last = ceil(low / step), floor(high / step)
    decimals = max(0, -floor(log10(step) + 1e-9))
    return Axis(low, high, tuple(number * step for number in range(first, last + 1)), decimals)


def _round_step(rough: float) -> float:
    power = 10.0 ** floor(log10(rough))
    return min((m * power for m in (1, 2, 5, 10) if m * power >= rough * 0.999), default=inf)
