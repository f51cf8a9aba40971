"""A comparison in words: one sentence that a reader who knows no statistics can repeat.

Invariant: the words agree with the verdict.
"""

from assay.decisions.comparison import Change, Comparison
from assay.decisions.figures import counted, figure, level, limits, percent_change, percent_limits, unit


def sentence(comparison: Comparison) -> str:
    """The verdict with its size, its interval and what it rests on."""
    difference = comparison.difference
    on = f"on {counted(comparison.n, 'paired case')}{_in_clusters(comparison)}"
    if difference.method == "none":
        return f"Undecided: B scores {_by(comparison)} {on}, but no interval can be given: {difference.reason}."
    if comparison.verdict == "UNDECIDED":
        return (
            f"Undecided: B scores {_by(comparison)}, and the {level(difference)} interval {limits(comparison)} "
            f"includes no change, {on}."
        )
    word, sign = ("better", 1) if comparison.verdict == "BETTER" else ("worse", -1)
    near, far = sorted(abs(limit) for limit in (difference.low, difference.high))
    return (
        f"B is {word} than A by {figure(comparison, sign * difference.value)}{unit(comparison)} "
        f"({level(difference)} interval {figure(comparison, near)} to {figure(comparison, far)}), {on}."
    )


def outlook(comparison: Comparison) -> str:
    """Where undecided: what such data could have shown. Empty otherwise, and where they could show nothing."""
    if comparison.verdict != "UNDECIDED" or comparison.detectable is None:
        return ""
    size = f"{figure(comparison, comparison.detectable)}{unit(comparison)}"
    return f"With cases like these, a true change of {size} would show 4 times in 5."


def side_effects(comparison: Comparison) -> str:
    """What the change did to cost and p95 latency, in one sentence; empty where the data are too few to say."""
    parts = [
        _effect(change, name)
        for change, name in ((comparison.cost, "cost"), (comparison.latency, "p95 latency"))
        if change is not None and change.ratio is not None
    ]
    return f"Beside it: {' and '.join(parts)}." if parts else ""


def _effect(change: Change, name: str) -> str:
    ratio = change.ratio
    assert ratio is not None
    if ratio.low <= 1 <= ratio.high:
        return f"no clear change in {name} ({percent_limits(ratio)})"
    direction = "up" if ratio.value > 1 else "down"
    return f"{name} {direction} {percent_change(ratio.value).lstrip('+-')} ({percent_limits(ratio)})"


def _by(comparison: Comparison) -> str:
    value = comparison.difference.value
    if float(figure(comparison, value)) == 0:
        return "the same as A"
    word = "worse" if value < 0 else "better" if comparison.lower_is_better else "higher"
    word = "lower" if word == "worse" and not comparison.lower_is_better else word
    return f"{figure(comparison, abs(value))}{unit(comparison)} {word} than A"


def _in_clusters(comparison: Comparison) -> str:
    if comparison.clusters is None or comparison.clusters == comparison.n:
        return ""
    return f" in {counted(comparison.clusters, 'cluster')}"
