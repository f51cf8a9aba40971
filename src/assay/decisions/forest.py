"""A forest plot in SVG: one interval a row against a line of no change, over one axis.

Positions are percentages and text keeps its size, so the same plot reads at 390 px and at 1440 px; colours follow
the reader's light or dark setting; no meaning rests on colour alone. Invariant: every text that came from outside
is escaped.
"""

from dataclasses import dataclass
from html import escape
from math import isfinite

from assay.decisions.axis import Axis
from assay.stats.interval import Interval

LIGHT = """
  --ground: #f7f7f5; --panel: #fff; --line: #e4e4df; --ink: #1c1d1f; --ink2: #565a60; --ink3: #6a6f76;
  --accent: #2b59c3; --good: #1a7f4b; --bad: #b3372f; --warn: #946200;
"""
DARK = """
  --ground: #111315; --panel: #181b1e; --line: #292e33; --ink: #e8eaec; --ink2: #a9b0b7; --ink3: #8f979f;
  --accent: #86a8ff; --good: #5cc48d; --bad: #f0857c; --warn: #e0ae4f;
"""
PLOT_STYLE = """
.forest text {
  font: 12px system-ui, -apple-system, "Segoe UI", Roboto, Arial, sans-serif;
  fill: var(--ink2); font-variant-numeric: tabular-nums;
}
.forest .name { fill: var(--ink); font-weight: 600; }
.forest .figure { fill: var(--ink); }
.forest .rule { stroke: var(--line); }
.forest .zero { stroke: var(--ink3); stroke-dasharray: 3 3; }
.forest .range { stroke-width: 2; }
.forest .BETTER { stroke: var(--good); fill: var(--good); }
.forest .WORSE { stroke: var(--bad); fill: var(--bad); }
.forest .UNDECIDED { stroke: var(--warn); fill: var(--warn); }
.forest .NEUTRAL { stroke: var(--accent); fill: var(--accent); }
"""
_ROW = 54


@dataclass(frozen=True, slots=True)
class ForestRow:
    """A name, its figures in words, its interval, and the kind that colours it: a verdict or NEUTRAL."""

    name: str
    figure: str
    interval: Interval
    kind: str


def forest(
    rows: list[ForestRow], axis: Axis, *, factor: float, origin: float, ends: tuple[str, str] = ("B worse", "B better")
) -> tuple[str, int]:
    """The inside of a forest plot and its height in px: a name and its figures over each interval, then the axis."""
    bottom = 20 + _ROW * len(rows)
    zero = _at(axis, 0.0)
    marks = [f'<line class="zero" x1="{zero}" x2="{zero}" y1="18" y2="{bottom}"/>']
    marks.append(_ends(axis, ends))
    for number, row in enumerate(rows):
        top = 20 + _ROW * number
        low, high, value = (
            _at(axis, (x - origin) * factor) for x in (row.interval.low, row.interval.high, row.interval.value)
        )
        middle = top + 38
        marks.append(f'<text class="name" x="0" y="{top + 18}">{escape(row.name)}</text>')
        marks.append(f'<text class="figure" x="100%" y="{top + 18}" text-anchor="end">{escape(row.figure)}</text>')
        marks.append(f'<line class="range {row.kind}" x1="{low}" x2="{high}" y1="{middle}" y2="{middle}"/>')
        for limit, place in ((row.interval.low, low), (row.interval.high, high)):
            if isfinite(limit):
                marks.append(
                    f'<line class="range {row.kind}" x1="{place}" x2="{place}" y1="{middle - 5}" y2="{middle + 5}"/>'
                )
        marks.append(f'<circle class="{row.kind}" cx="{value}" cy="{middle}" r="5"/>')
    marks.append(f'<line class="rule" x1="0" x2="100%" y1="{bottom}" y2="{bottom}"/>')
    for tick in axis.ticks:
        place = _at(axis, tick)
        marks.append(f'<line class="rule" x1="{place}" x2="{place}" y1="{bottom}" y2="{bottom + 5}"/>')
        marks.append(f'<text x="{place}" y="{bottom + 19}" text-anchor="middle">{axis.label(tick)}</text>')
    return "".join(marks), bottom + 24


def _ends(axis: Axis, ends: tuple[str, str]) -> str:
    share = axis.share(0.0)
    marks = []
    if share > 0.25:
        marks.append(f'<text x="{_at(axis, 0.0)}" y="12" dx="-8" text-anchor="end">{ends[0]}</text>')
    if share < 0.75:
        marks.append(f'<text x="{_at(axis, 0.0)}" y="12" dx="8">{ends[1]}</text>')
    return "".join(marks)


def _at(axis: Axis, value: float) -> str:
    return f"{100 * axis.share(value):.2f}%"


def inline(body: str, height: int, description: str) -> str:
    """A plot inside a page."""
    return f'<svg class="forest" height="{height}" role="img" aria-label="{escape(description)}">{body}</svg>'


def standalone(body: str, height: int, description: str) -> str:
    """A plot as an SVG document of its own, 760 px wide."""
    style = f".forest {{{LIGHT}}} @media (prefers-color-scheme: dark) {{ .forest {{{DARK}}} }}{PLOT_STYLE}"
    return (
        f'<svg class="forest" xmlns="http://www.w3.org/2000/svg" width="760" height="{height + 32}" '
        f'viewBox="0 0 760 {height + 32}" role="img"><title>{escape(description)}</title>'
        f'<style>{style}</style><rect width="100%" height="100%" style="fill:var(--panel)"/>'
        f'<svg x="20" y="16" width="720" height="{height}">{body}</svg></svg>\n'
    )
