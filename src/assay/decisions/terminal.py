"""A comparison in characters: the figures, each interval against zero, and wins, ties and losses as a bar.

Invariant: every line is at most `width` characters, and nothing is said by colour alone.
"""

from collections.abc import Callable
from dataclasses import dataclass
from math import isfinite

from assay.decisions.axis import Axis, axis_for
from assay.decisions.comparison import Change, Comparison, Family
from assay.decisions.figures import (
    dollars,
    limits,
    mean_score,
    milliseconds,
    percent_change,
    percent_limits,
    probability,
    shown_name,
    signed,
    unit,
)
from assay.decisions.sentence import margin_word


@dataclass(frozen=True, slots=True)
class Glyphs:
    """The characters of a plot."""

    line: str
    left: str
    right: str
    point: str
    zero: str
    tick: str
    origin: str
    beyond: tuple[str, str]
    win: str
    tie: str
    loss: str


UNICODE = Glyphs("─", "├", "┤", "●", "│", "┴", "┼", ("◄", "►"), "█", "·", "░")
ASCII = Glyphs("-", "[", "]", "o", "|", "+", "+", ("<", ">"), "#", ".", "x")


def glyphs_for(encoding: str) -> Glyphs:
    """Line drawing where the terminal's encoding has it, else plain ASCII."""
    try:
        "─├┤●│┴┼◄►█·░".encode(encoding)
    except (UnicodeEncodeError, LookupError):
        return ASCII
    return UNICODE


def table_lines(comparison: Comparison, *, width: int) -> list[str]:
    """Score, cost and latency of A and B and the change between them; the change below where it does not fit beside."""
    rows = _table_rows(comparison)
    name, first, second, last = (max(len(row[i]) for row in rows) for i in range(4))
    lines = []
    if name + first + second + last + 9 <= width:
        return [f"{a:<{name}}   {b:>{first}}   {c:>{second}}   {d}".rstrip() for a, b, c, d in rows]
    for label, before, after, change in rows[1:]:
        lines += [label, f"  A {before}, B {after}", f"  {change}"]
    return [line[start : start + width] for line in lines for start in range(0, len(line), width)]


def _table_rows(comparison: Comparison) -> list[tuple[str, str, str, str]]:
    score = "mean score" + (" (lower is better)" if comparison.lower_is_better else "")
    first, second = (mean_score(comparison, mean) for mean in (comparison.incumbent_mean, comparison.candidate_mean))
    change = f"{signed(comparison, comparison.difference.value)}{unit(comparison)} ({limits(comparison)})"
    rows = [("", "A", "B", "B against A"), (score, first, second, change)]
    for name, effect, shown in (("cost", comparison.cost, dollars), ("p95 latency", comparison.latency, milliseconds)):
        if effect is not None:
            label = name if effect.pairs == comparison.n else f"{name} ({effect.pairs:,} of {comparison.n:,} cases)"
            ratio = effect.ratio
            against = f"{percent_change(ratio.value)} ({percent_limits(ratio)})" if ratio else "too few cases to say"
            rows.append((label, shown(effect.incumbent), shown(effect.candidate), against))
    return rows


def forest_lines(comparison: Comparison, *, width: int, glyphs: Glyphs = UNICODE) -> list[str]:
    """The interval of the improvement over an axis with zero, four lines of at most `width` (>= 20) characters."""
    axis = _axis([comparison], width)
    row = _interval_row(comparison, axis, width, glyphs)
    sides = _sides(_column(axis, 0.0, width), width, ("B worse", "B better"))
    return [line.rstrip() for line in (sides, row, *_axis_lines(axis, width, glyphs))]


def family_forest_lines(family: Family, *, width: int, glyphs: Glyphs = UNICODE) -> list[str]:
    """One interval a candidate, named at its left, over one axis; lines of at most `width` (>= 20) characters."""
    names = [shown_name(arm.name) for arm in family.arms]
    label = min(max(map(len, names)), max(6, width // 3))
    wide = width - label - 1
    axis = _axis([arm.comparison for arm in family.arms], wide)
    lines = [(" " * label, _sides(_column(axis, 0.0, wide), wide, ("worse", "better")))]
    for name, arm in zip(names, family.arms, strict=True):
        lines.append((_cut(name, label), _interval_row(arm.comparison, axis, wide, glyphs)))
    lines += [(" " * label, line) for line in _axis_lines(axis, wide, glyphs)]
    return [f"{name:<{label}} {line}".rstrip() for name, line in lines]


def family_table_lines(family: Family, *, width: int) -> list[str]:
    """A row a candidate: mean, difference, adjusted p-value, counts, verdict, margin if any; stacked if too wide."""
    first = family.arms[0].comparison
    base = shown_name(family.incumbent)
    against = f"against {base}" + (", points" if first.unit_scale else "")
    margin = () if first.margin is None else ("margin",)
    rows: list[tuple[str, ...]] = [
        ("", "mean", against, "p", "won/tied/lost", "verdict", *margin),
        (
            shown_name(family.incumbent),
            mean_score(first, first.incumbent_mean),
            "",
            "",
            "",
            "incumbent",
            *("" for _ in margin),
        ),
    ]
    for arm in family.arms:
        one = arm.comparison
        difference = f"{signed(one, one.difference.value)} ({limits(one)})"
        counts = f"{one.wins:,}/{one.ties:,}/{one.losses:,}"
        mean = mean_score(one, one.candidate_mean)
        held = [margin_word(one) for _ in margin]
        rows.append((shown_name(arm.name), mean, difference, probability(arm.p_adjusted), counts, one.verdict, *held))
    return _columns(rows, width)


def family_effect_lines(family: Family, *, width: int) -> list[str]:
    """Cost and p95 latency a candidate, where known; no lines where none is."""
    rows = []
    for arm in family.arms:
        changes = ((arm.comparison.cost, dollars), (arm.comparison.latency, milliseconds))
        if any(change for change, _ in changes):
            rows.append((shown_name(arm.name), *(_effect(change, shown) for change, shown in changes)))
    return _columns([("", "cost", "p95 latency"), *rows], width) if rows else []


def _effect(change: Change | None, shown: Callable[[float], str]) -> str:
    if change is None:
        return "unknown"
    ratio = change.ratio
    if ratio is None:
        return f"{shown(change.candidate)} from {shown(change.incumbent)}"
    return f"{shown(change.candidate)}, {percent_change(ratio.value)} ({percent_limits(ratio)})"


def _columns(rows: list[tuple[str, ...]], width: int) -> list[str]:
    """Rows under a heading; where they are wider than `width`, the name and then each cell with its heading."""
    wide = [max(map(len, column)) for column in zip(*rows, strict=True)]
    if sum(wide) + 2 * (len(wide) - 1) <= width:
        return ["  ".join(f"{cell:<{size}}" for cell, size in zip(row, wide, strict=True)).rstrip() for row in rows]
    lines = []
    for name, *cells in rows[1:]:
        lines.append(name)
        lines += [f"  {head}: {cell}" for head, cell in zip(rows[0][1:], cells, strict=True) if cell]
    return [line[start : start + width] for line in lines for start in range(0, len(line), width)]


def _cut(name: str, width: int) -> str:
    return name if len(name) <= width else f"{name[: width - 2]}.."


def _axis(comparisons: list[Comparison], width: int) -> Axis:
    factor = 100.0 if comparisons[0].unit_scale else 1.0
    differences = [comparison.difference for comparison in comparisons]
    return axis_for(differences, factor=factor, ticks=max(2, min(6, width // 14)))


def _column(axis: Axis, place: float, width: int) -> int:
    return round(axis.share(place) * (width - 1))


def _interval_row(comparison: Comparison, axis: Axis, width: int, glyphs: Glyphs) -> str:
    difference, factor = comparison.difference, 100.0 if comparison.unit_scale else 1.0
    zero, low, high, value = (
        _column(axis, factor * place, width)
        for place in (0.0, max(difference.low, -1e300), min(difference.high, 1e300), difference.value)
    )
    row = [" "] * width
    row[low : high + 1] = glyphs.line * (high - low + 1)
    row[zero] = glyphs.zero
    row[low] = glyphs.left if isfinite(difference.low) else glyphs.beyond[0]
    row[high] = glyphs.right if isfinite(difference.high) else glyphs.beyond[1]
    row[value] = glyphs.point
    return "".join(row)


def _axis_lines(axis: Axis, width: int, glyphs: Glyphs) -> tuple[str, str]:
    rule = [glyphs.line] * width
    for tick in axis.ticks:
        rule[_column(axis, tick, width)] = glyphs.tick
    rule[_column(axis, 0.0, width)] = glyphs.origin
    return "".join(rule), _labels(axis, width)


def bar_line(comparison: Comparison, *, width: int, glyphs: Glyphs = UNICODE) -> str:
    """Wins, ties and losses as one bar of `width` (>= 3) characters, each part that exists at least one wide."""
    counts = (comparison.wins, comparison.ties, comparison.losses)
    widths = [max(1, round(width * count / comparison.n)) if count else 0 for count in counts]
    widths[widths.index(max(widths))] += width - sum(widths)
    return "".join(mark * wide for mark, wide in zip((glyphs.win, glyphs.tie, glyphs.loss), widths, strict=True))


def _sides(zero: int, width: int, words: tuple[str, str]) -> str:
    left, right = words
    line = [" "] * width
    if zero >= len(left) + 1:
        line[zero - 1 - len(left) : zero - 1] = left
    if width - zero - 2 >= len(right):
        line[zero + 2 : zero + 2 + len(right)] = right
    return "".join(line)


def _labels(axis: Axis, width: int) -> str:
    line = [" "] * width
    free = 0
    for tick in axis.ticks:
        text = axis.label(tick)
        start = min(max(round(axis.share(tick) * (width - 1)) - len(text) // 2, 0), width - len(text))
        if start >= free:
            line[start : start + len(text)] = text
            free = start + len(text) + 1
    return "".join(line)
