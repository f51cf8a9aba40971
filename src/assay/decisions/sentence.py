"""A comparison in words: one sentence that a reader who knows no statistics can repeat.

Invariant: the words agree with the verdict.
"""

from collections import Counter

from assay.decisions.comparison import VERDICTS, Change, Comparison, Family
from assay.decisions.figures import (
    all_of,
    counted,
    figure,
    level,
    limits,
    percent_change,
    percent_limits,
    shown_name,
    unit,
)


def sentence(comparison: Comparison, *, incumbent: str = "A", candidate: str = "B") -> str:
    """The verdict with its size, its interval and what it rests on, then what is shown of the margin, if one was given.

    The names must be safe to show (`shown_name`).
    """
    difference = comparison.difference
    on = f"on {counted(comparison.n, 'paired case')}{in_clusters(comparison)}"
    by = _by(comparison, incumbent)
    if difference.method == "none":
        found = f"Undecided: {candidate} scores {by} {on}, but no interval can be given: {difference.reason}."
    elif comparison.verdict == "UNDECIDED":
        interval = f"the {interval_name(comparison)} {limits(comparison)}"
        found = f"Undecided: {candidate} scores {by}, and {interval} includes no change, {on}."
    else:
        word, sign = ("better", 1) if comparison.verdict == "BETTER" else ("worse", -1)
        near, far = sorted(abs(limit) for limit in (difference.low, difference.high))
        size = f"{figure(comparison, sign * difference.value)}{unit(comparison)}"
        interval = f"{interval_name(comparison)} {figure(comparison, near)} to {figure(comparison, far)}"
        found = f"{candidate} is {word} than {incumbent} by {size} ({interval}), {on}."
    return f"{found} {said}" if (said := _on_margin(comparison)) else found


def interval_name(comparison: Comparison) -> str:
    """The kind of interval: "95% interval", or for one arm of many "95% interval for all 4 at once"."""
    together = f" for {all_of(comparison.family)} at once" if comparison.family > 1 else ""
    return f"{level(comparison.difference)} interval{together}"


def margin_word(comparison: Comparison) -> str:
    """What is shown of the margin, as a word of a table: held, broken or open; empty where none was given."""
    if comparison.margin is None:
        return ""
    if comparison.not_worse:
        return "held"
    return "broken" if comparison.difference.high < -comparison.margin else "open"


def _on_margin(comparison: Comparison) -> str:
    if comparison.margin is None:
        return ""
    size = f"{comparison.margin * (100 if comparison.unit_scale else 1):g}{unit(comparison)}"
    return {
        "held": f"It is shown not to be worse by more than {size}.",
        "broken": f"It is shown to be worse by more than {size}.",
        "open": f"That it is not worse by more than {size} is not shown.",
    }[margin_word(comparison)]


def outlook(comparison: Comparison) -> str:
    """Where undecided: what such data could have shown, and how many more would show what was seen if it is the truth.

    Empty otherwise, and where they could show nothing.
    """
    if comparison.verdict != "UNDECIDED" or comparison.detectable is None:
        return ""
    size = f"{figure(comparison, comparison.detectable)}{unit(comparison)}"
    could = f"With cases like these, a true change of {size} would show 4 times in 5."
    if comparison.needed is None or float(figure(comparison, comparison.difference.value)) == 0:
        return could
    return f"{could} To show the difference seen, if it is the true one, takes about {comparison.needed:,} more."


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


def _by(comparison: Comparison, incumbent: str) -> str:
    value = comparison.difference.value
    if float(figure(comparison, value)) == 0:
        return f"the same as {incumbent}"
    word = "worse" if value < 0 else "better" if comparison.lower_is_better else "higher"
    word = "lower" if word == "worse" and not comparison.lower_is_better else word
    return f"{figure(comparison, abs(value))}{unit(comparison)} {word} than {incumbent}"


def in_clusters(comparison: Comparison) -> str:
    """ " in 24 clusters", or nothing where each case stands alone."""
    if comparison.clusters is None or comparison.clusters == comparison.n:
        return ""
    return f" in {counted(comparison.clusters, 'cluster')}"


def headline(family: Family) -> str:
    """The sentence of the candidate with the largest improvement, and how many were found to be what."""
    count, top = len(family.arms), family.top
    rank = "best" if family.best is not None else "closest"
    name = shown_name(top.name) + (f", the {rank} of {count}," if count > 1 else "")
    found = Counter(arm.comparison.verdict for arm in family.arms)
    counts = ", ".join(f"{found[verdict]} {verdict.lower()}" for verdict in VERDICTS if found[verdict])
    said = sentence(top.comparison, incumbent=shown_name(family.incumbent), candidate=name)
    return f"{said} Of {counted(count, 'candidate')}: {counts}." if count > 1 else said


def caveat(family: Family) -> str:
    """Why the best of many will do less well than it did; empty for one candidate, or where none improves anything."""
    count = len(family.arms)
    if family.best is None or count == 1:
        return ""
    return (
        f"{shown_name(family.best.name)} was picked as the best of {count} on these cases, which flatters it: expect "
        "less on others. Its interval allows for the choice, the difference itself does not."
    )


def family_method(family: Family) -> str:
    """How the verdicts were made, and which error they bound."""
    top = family.top.comparison.difference
    return (
        f"max-T over sign flips, so that the chance to call any candidate better or worse that is neither is at most "
        f"{100 * family.alpha:g}%. {shown_name(family.top.name)}: {top.method} ({top.reason})."
    )
