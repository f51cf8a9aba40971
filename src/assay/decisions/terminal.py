"""A comparison in characters: the figures, the interval against zero, and wins, ties and losses as a bar.

Invariant: every line is at most `width` characters, and nothing is said by colour alone.
"""

from dataclasses import dataclass
from math import isfinite

from assay.decisions.axis import Axis, axis_for
from assay.decisions.comparison import Comparison
from assay.decisions.figures import (
    dollars,
    limits,
    mean_score,
    milliseconds,
    percent_change,
    percent_limits,
    signed,
    unit,
)


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
    difference = comparison.difference
    factor = 100.0 if comparison.unit_scale else 1.0
    axis = axis_for([difference], factor=factor, ticks=max(2, min(6, width // 14)))
    last = width - 1

    def column(value: float) -> int:
        return round(axis.share(factor * value) * last)

    zero, low, high = column(0), column(max(difference.low, -1e300)), column(min(difference.high, 1e300))
    row = [" "] * width
    row[low : high + 1] = glyphs.line * (high - low + 1)
    row[zero] = glyphs.zero
    row[low] = glyphs.left if isfinite(difference.low) else glyphs.beyond[0]
    row[high] = glyphs.right if isfinite(difference.high) else glyphs.beyond[1]
    row[column(difference.value)] = glyphs.point
    rule = [glyphs.line] * width
    for tick in axis.ticks:
        rule[round(axis.share(tick) * last)] = glyphs.tick
    rule[zero] = glyphs.origin
    lines = [_sides(zero, width), "".join(row), "".join(rule), _labels(axis, width)]
    return [line.rstrip() for line in lines]


def bar_line(comparison: Comparison, *, width: int, glyphs: Glyphs = UNICODE) -> str:
    """Wins, ties and losses as one bar of `width` (>= 3) characters, each part that exists at least one wide."""
    counts = (comparison.wins, comparison.ties, comparison.losses)
    widths = [max(1, round(width * count / comparison.n)) if count else 0 for count in counts]
    widths[widths.index(max(widths))] += width - sum(widths)
    return "".join(mark * wide for mark, wide in zip((glyphs.win, glyphs.tie, glyphs.loss), widths, strict=True))


def _sides(zero: int, width: int) -> str:
    left, right = "B worse", "B better"
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
