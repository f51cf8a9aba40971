"""How numbers of a comparison are written, the same in the sentence, the terminal, the plot and the page.

Invariant: a limit that is not zero never reads as zero, since the verdict hangs on it.
"""

from math import floor, isfinite, log10

from assay.decisions.comparison import Comparison
from assay.stats.interval import Interval


def figure(comparison: Comparison, value: float) -> str:
    """A score difference: points of 100 for scores in 0 to 1, else the score's own unit, to two digits of the error."""
    if not isfinite(value):
        return "no limit"
    factor = _factor(comparison)
    difference = comparison.difference
    half_width = factor * difference.half_width
    decimals = 1 if comparison.unit_scale else 2
    if isfinite(half_width) and half_width > 0:
        decimals = min(12, max(1 if comparison.unit_scale else 0, 1 - floor(log10(half_width))))
    limits = [abs(factor * limit) for limit in (difference.low, difference.high) if limit and isfinite(limit)]
    while decimals < 12 and any(float(f"{limit:.{decimals}f}") == 0 for limit in limits):
        decimals += 1
    text = f"{factor * value:.{decimals}f}"
    return text.removeprefix("-") if float(text) == 0 else text


def signed(comparison: Comparison, value: float) -> str:
    """A score difference with its sign."""
    text = figure(comparison, value)
    return f"+{text}" if isfinite(value) and float(text) > 0 else text


NEXT_TO_ZERO = 5e-7
"""A limit nearer to zero than any digit would show: on this side of it, and that is all that can be said."""


def points(value: float | None) -> str:
    """A difference of scores in 0 to 1 as signed points of 100, with as many digits as keep it from reading as zero."""
    if value is None or not isfinite(value):
        return "no limit"
    if value and abs(value) < NEXT_TO_ZERO:
        return "just above 0" if value > 0 else "just below 0"
    decimals = 1
    while value and decimals < 12 and float(f"{100 * value:.{decimals}f}") == 0:
        decimals += 1
    text = f"{100 * value:+.{decimals}f}"
    return "0.0" if float(text) == 0 else text


def unit(comparison: Comparison) -> str:
    """What stands behind a score difference: " points", or nothing where the scale is the file's own."""
    return " points" if comparison.unit_scale else ""


def level(interval: Interval) -> str:
    """The confidence level: 95%."""
    return f"{100 * (1 - interval.alpha):g}%"


def limits(comparison: Comparison) -> str:
    """The interval of the score difference: "1.1 to 7.3", or "no interval"."""
    difference = comparison.difference
    if difference.method == "none":
        return "no interval"
    return f"{signed(comparison, difference.low)} to {signed(comparison, difference.high)}"


def probability(p: float) -> str:
    """A p-value to two digits: 0.034, and "<0.001" below that."""
    return "<0.001" if p < 0.001 else f"{p:.3f}" if p < 0.1 else f"{p:.2f}"


def mean_score(comparison: Comparison, value: float) -> str:
    """A mean score in the unit of the files, with as many digits as its difference deserves."""
    decimals = 3 if comparison.unit_scale else max(2, 2 - floor(log10(abs(value)))) if 0 < abs(value) < 1 else 2
    return f"{value:,.{decimals}f}" if abs(value) < 1e9 else f"{value:.3g}"


def percent_change(ratio: float) -> str:
    """A ratio as a signed change: 0.88 is -12%."""
    if not isfinite(ratio):
        return "no limit"
    change = 100 * (ratio - 1)
    text = f"{change:+.1f}" if abs(change) < 10 else f"{change:+,.0f}"
    return "0%" if float(text.replace(",", "")) == 0 else f"{text}%"


def percent_limits(ratio: Interval) -> str:
    """The limits of a ratio as signed changes."""
    return f"{percent_change(ratio.low)} to {percent_change(ratio.high)}"


def dollars(amount: float) -> str:
    """US dollars to three digits: $0.00123, $1.23, $1,234."""
    if amount == 0:
        return "$0"
    if amount >= 100:
        return f"${amount:,.0f}"
    return f"${amount:.{max(2, 2 - floor(log10(amount)))}f}"


def milliseconds(amount: float) -> str:
    """Milliseconds to three digits: 0.42 ms, 42.1 ms, 4,210 ms."""
    if amount == 0:
        return "0 ms"
    if amount >= 100:
        return f"{amount:,.0f} ms"
    return f"{amount:.{max(0, 2 - floor(log10(amount)))}f} ms"


def counted(number: int, noun: str) -> str:
    """ "1 cluster", "1,200 clusters"."""
    return f"{number:,} {noun}" + ("" if number == 1 else "s")


def all_of(count: int) -> str:
    """ "both", "all 4"; for one "the one"."""
    return {1: "the one", 2: "both"}.get(count, f"all {count:,}")


def shown_name(name: str) -> str:
    """A case's name as safe to print: control characters replaced, cut at 60 characters."""
    clean = "".join(char if char.isprintable() else "�" for char in name)
    return clean if len(clean) <= 60 else clean[:57] + "..."


def _factor(comparison: Comparison) -> float:
    return 100.0 if comparison.unit_scale else 1.0
