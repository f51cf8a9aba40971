"""A comparison in words: one sentence that a reader who knows no statistics can repeat.

Invariant: the words agree with the verdict, and no limit is rounded onto the zero that it does not touch.
"""

from math import floor, isfinite, log10

from assay.decisions.comparison import Change, Comparison
from assay.stats.interval import Interval


def sentence(comparison: Comparison, *, incumbent: str = "A", candidate: str = "B") -> str:
    """The verdict with its size, its interval and what it rests on; one or, where undecided, two sentences."""
    difference = comparison.difference
    level = f"{100 * (1 - difference.alpha):g}%"
    on = f"on {_count(comparison.n, 'paired case')}{_in_clusters(comparison)}"
    if difference.method == "none":
        return f"Undecided: {candidate} - {incumbent} is {_signed(comparison)} {on}, but {difference.reason}."
    unit = _unit(comparison)
    if comparison.verdict == "UNDECIDED":
        low, high = figures(comparison, difference.low), figures(comparison, difference.high)
        seen = ""
        if comparison.detectable is not None:
            size = figures(comparison, comparison.detectable)
            seen = f" With cases like these, a true change of {size}{unit} would show 4 times in 5."
        return (
            f"Undecided: {candidate} scores {_signed(comparison)}{unit} against {incumbent}, and the {level} interval "
            f"{low} to {high} includes no change, {on}.{seen}"
        )
    word, sign = ("better", 1) if comparison.verdict == "BETTER" else ("worse", -1)
    near, far = sorted(abs(limit) for limit in (difference.low, difference.high))
    return (
        f"{candidate} is {word} than {incumbent} by {figures(comparison, sign * difference.value)}{unit} "
        f"({level} interval {figures(comparison, near)} to {figures(comparison, far)}), {on}."
    )


def side_effects(comparison: Comparison) -> str:
    """Cost and latency in one sentence, empty where neither is known."""
    parts = []
    if comparison.cost is not None:
        parts.append(_against(comparison.cost, "costs", "the cost"))
    if comparison.latency is not None:
        parts.append(_against(comparison.latency, "has a p95 latency", "the p95 latency"))
    known = [part for part in parts if part]
    return f"B {' and '.join(known)}." if known else ""


def figures(comparison: Comparison, value: float) -> str:
    """A score difference as shown: points of 100 for scores in 0 to 1, else the score's own unit."""
    if not isfinite(value):
        return "-inf" if value < 0 else "inf"
    factor = 100.0 if comparison.unit_scale else 1.0
    difference = comparison.difference
    sizes = [factor * size for size in (difference.half_width, abs(difference.low), abs(difference.high)) if size > 0]
    finite = [size for size in sizes if isfinite(size)]
    fewest = 1 if comparison.unit_scale else 0
    decimals = max(fewest, _decimals(factor * difference.half_width)) if finite else 2
    # A limit that is not zero must not read as zero: the verdict hangs on it.
    while decimals < 12 and any(float(f"{size:.{decimals}f}") == 0 for size in finite):
        decimals += 1
    text = f"{factor * value:.{decimals}f}"
    return text.removeprefix("-") if float(text) == 0 else text


def percent_change(ratio: float) -> str:
    """A ratio as a signed change: 0.88 is -12%."""
    change = 100 * (ratio - 1)
    text = f"{change:+.1f}%" if abs(change) < 10 else f"{change:+.0f}%"
    return "0%" if float(text[:-1]) == 0 else text


def _decimals(half_width: float) -> int:
    """Decimals that show two digits of the half-width."""
    if not isfinite(half_width) or half_width <= 0:
        return 2
    return max(0, 1 - floor(log10(half_width)))


def _signed(comparison: Comparison) -> str:
    text = figures(comparison, comparison.difference.value)
    return f"+{text}" if float(text) > 0 else text


def _unit(comparison: Comparison) -> str:
    return " points" if comparison.unit_scale else ""


def _in_clusters(comparison: Comparison) -> str:
    if comparison.clusters is None or comparison.clusters == comparison.n:
        return ""
    return f" in {_count(comparison.clusters, 'cluster')}"


def _count(number: int, noun: str) -> str:
    return f"{number:,} {noun}" + ("" if number == 1 else "s")


def _against(change: Change, verb: str, noun: str) -> str:
    ratio = change.ratio
    if ratio is None:
        return ""
    if ratio.low <= 1 <= ratio.high:
        return f"shows no clear change in {noun} ({interval_percent(ratio)})"
    more = "more" if ratio.value > 1 else "less"
    higher = "higher" if ratio.value > 1 else "lower"
    size = percent_change(ratio.value).lstrip("+-")
    comparative = more if verb == "costs" else higher
    return f"{verb} {size} {comparative} ({interval_percent(ratio)})"


def interval_percent(ratio: Interval) -> str:
    """The limits of a ratio as signed changes."""
    high = percent_change(ratio.high) if isfinite(ratio.high) else "no limit"
    return f"{percent_change(ratio.low)} to {high}"
