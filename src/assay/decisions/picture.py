"""A comparison as a picture: a forest plot in SVG, and one HTML page that needs nothing but itself.

Positions are percentages and text keeps its size, so the same plot reads at 390 px and at 1440 px; colours follow
the reader's light or dark setting; no meaning rests on colour alone. Invariant: every text that came from outside
is escaped, and the page asks the network for nothing.
"""

from collections.abc import Callable
from dataclasses import dataclass
from html import escape
from math import isfinite

from assay.decisions.axis import Axis, axis_for
from assay.decisions.comparison import Change, Comparison
from assay.decisions.figures import (
    dollars,
    level,
    limits,
    mean_score,
    milliseconds,
    percent_change,
    percent_limits,
    signed,
)
from assay.decisions.sentence import outlook, sentence, side_effects
from assay.stats.interval import Interval

_LIGHT = """
  --ground: #f7f7f5; --panel: #fff; --line: #e4e4df; --ink: #1c1d1f; --ink2: #565a60; --ink3: #6a6f76;
  --accent: #2b59c3; --good: #1a7f4b; --bad: #b3372f; --warn: #946200;
"""
_DARK = """
  --ground: #111315; --panel: #181b1e; --line: #292e33; --ink: #e8eaec; --ink2: #a9b0b7; --ink3: #8f979f;
  --accent: #86a8ff; --good: #5cc48d; --bad: #f0857c; --warn: #e0ae4f;
"""
_PLOT_STYLE = """
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
_PAGE_STYLE = """
* { box-sizing: border-box; }
body {
  margin: 0; background: var(--ground); color: var(--ink); font-variant-numeric: tabular-nums;
  font: 13px/1.5 system-ui, -apple-system, "Segoe UI", Roboto, Arial, sans-serif;
}
main { max-width: 760px; margin: 0 auto; padding: 24px 16px 40px; }
h1 { font-size: 20px; line-height: 1.35; font-weight: 600; margin: 10px 0 6px; text-wrap: pretty; }
h2 { font-size: 12px; font-weight: 600; color: var(--ink2); margin: 0 0 10px; }
p { margin: 0 0 8px; color: var(--ink2); }
section { background: var(--panel); border: 1px solid var(--line); border-radius: 6px; padding: 16px; margin: 16px 0; }
.verdict { font-size: 12px; font-weight: 600; border: 1px solid currentColor; border-radius: 6px; padding: 1px 8px; }
.verdict.BETTER { color: var(--good); }
.verdict.WORSE { color: var(--bad); }
.verdict.UNDECIDED { color: var(--warn); }
.files, .method { font-size: 12px; overflow-wrap: anywhere; }
.notes { border-left: 3px solid var(--warn); padding: 2px 0 2px 12px; margin: 12px 0; }
.notes p { color: var(--ink); margin: 4px 0; overflow-wrap: anywhere; }
svg { display: block; width: 100%; overflow: visible; }
.bar { display: flex; height: 14px; gap: 2px; border-radius: 3px; overflow: hidden; }
.bar i { display: block; min-width: 3px; }
.wins { background: var(--good); }
.ties { background: var(--line); }
.losses { background: repeating-linear-gradient(45deg, var(--bad) 0 4px, transparent 4px 6px); }
.key { display: flex; flex-wrap: wrap; gap: 4px 16px; margin: 8px 0 0; color: var(--ink2); font-size: 12px; }
.key i { display: inline-block; width: 10px; height: 10px; border-radius: 2px; margin-right: 6px; }
table { border-collapse: collapse; width: 100%; }
th, td { text-align: right; padding: 6px 0 6px 12px; border-top: 1px solid var(--line); vertical-align: top; }
th:first-child, td:first-child { text-align: left; padding-left: 0; }
thead th { border-top: 0; color: var(--ink2); font-size: 12px; font-weight: 600; }
td small { display: block; color: var(--ink2); font-size: 12px; }
"""
_ROW = 54


@dataclass(frozen=True, slots=True)
class _Row:
    name: str
    figure: str
    interval: Interval
    kind: str


def forest_svg(comparison: Comparison) -> str:
    """The score's forest plot as a stand-alone SVG document, 720 by about 130 px, light or dark as the reader is."""
    body, height = _score_plot(comparison)
    style = f".forest {{{_LIGHT}}} @media (prefers-color-scheme: dark) {{ .forest {{{_DARK}}} }}{_PLOT_STYLE}"
    return (
        f'<svg class="forest" xmlns="http://www.w3.org/2000/svg" width="760" height="{height + 32}" '
        f'viewBox="0 0 760 {height + 32}" role="img"><title>{escape(sentence(comparison))}</title>'
        f'<style>{style}</style><rect width="100%" height="100%" style="fill:var(--panel)"/>'
        f'<svg x="20" y="16" width="720" height="{height}">{body}</svg></svg>\n'
    )


def comparison_html(comparison: Comparison, *, incumbent: str, candidate: str) -> str:
    """The whole comparison as one page; `incumbent` and `candidate` say where A and B came from."""
    notes = "".join(f"<p>{escape(note)}</p>" for note in comparison.notes)
    difference = comparison.difference
    plot, height = _score_plot(comparison)
    points = ", in points" if comparison.unit_scale else ""
    parts = [
        f'<span class="verdict {comparison.verdict}">{comparison.verdict}</span>',
        f"<h1>{escape(sentence(comparison))}</h1>",
        *(f"<p>{escape(text)}</p>" for text in (outlook(comparison), side_effects(comparison)) if text),
        f'<p class="files">A, the incumbent: {escape(incumbent)}<br>B, the candidate: {escape(candidate)}</p>',
        f'<div class="notes" role="note">{notes}</div>' if notes else "",
        f"<section><h2>Improvement of the score{points}, {level(difference)} interval</h2>"
        f"{_inline(plot, height, sentence(comparison))}</section>",
        f"<section><h2>{comparison.n:,} paired cases</h2>{_bar(comparison)}</section>",
        _effects_section(comparison),
        f"<section>{_table(comparison)}</section>",
        f'<p class="method">Method: {escape(difference.method)} ({escape(difference.reason)}). '
        "BETTER or WORSE is said only where the whole interval lies on one side of zero.</p>",
    ]
    title = escape(f"{comparison.verdict}: {candidate} against {incumbent}")
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width,initial-scale=1">'
        '<meta name="color-scheme" content="light dark">'
        f"<title>{title}</title><style>:root {{{_LIGHT}}} @media (prefers-color-scheme: dark) {{ :root {{{_DARK}}} }}"
        f"{_PLOT_STYLE}{_PAGE_STYLE}</style></head><body><main>{''.join(parts)}</main></body></html>\n"
    )


def _score_plot(comparison: Comparison) -> tuple[str, int]:
    difference = comparison.difference
    figure = f"{signed(comparison, difference.value)} ({limits(comparison)})"
    row = _Row("score", figure, difference, comparison.verdict)
    axis = axis_for([difference], factor=100.0 if comparison.unit_scale else 1.0)
    return _forest([row], axis, factor=100.0 if comparison.unit_scale else 1.0, origin=0.0)


def _effects_section(comparison: Comparison) -> str:
    rows = [
        _Row(name, f"{percent_change(change.ratio.value)} ({percent_limits(change.ratio)})", change.ratio, "NEUTRAL")
        for name, change in (("cost", comparison.cost), ("p95 latency", comparison.latency))
        if change is not None and change.ratio is not None
    ]
    if not rows:
        return ""
    plot, height = _forest(
        rows,
        axis_for([row.interval for row in rows], factor=100.0, origin=1.0),
        factor=100.0,
        origin=1.0,
        ends=("B less", "B more"),
    )
    described = "; ".join(f"{row.name} {row.figure}" for row in rows)
    return (
        f"<section><h2>Cost and p95 latency, B against A, in percent</h2>{_inline(plot, height, described)}</section>"
    )


def _forest(
    rows: list[_Row], axis: Axis, *, factor: float, origin: float, ends: tuple[str, str] = ("B worse", "B better")
) -> tuple[str, int]:
    """The inside of a forest plot and its height: a name and its figures over each interval, then the axis."""
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


def _inline(body: str, height: int, description: str) -> str:
    return f'<svg class="forest" height="{height}" role="img" aria-label="{escape(description)}">{body}</svg>'


def _bar(comparison: Comparison) -> str:
    parts = (
        ("wins", "B better", comparison.wins),
        ("ties", "tied", comparison.ties),
        ("losses", "B worse", comparison.losses),
    )
    bar = "".join(f'<i class="{name}" style="flex:{count}"></i>' for name, _, count in parts if count)
    key = "".join(
        f'<span><i class="{name}"></i>{word} {count:,} ({count / comparison.n:.0%})</span>'
        for name, word, count in parts
    )
    return f'<div class="bar" aria-hidden="true">{bar}</div><div class="key">{key}</div>'


def _table(comparison: Comparison) -> str:
    lower = "<small>lower is better</small>" if comparison.lower_is_better else ""
    change = f"{signed(comparison, comparison.difference.value)}<small>{limits(comparison)}</small>"
    rows = [
        _table_row(
            f"mean score{lower}",
            mean_score(comparison, comparison.incumbent_mean),
            mean_score(comparison, comparison.candidate_mean),
            change,
        )
    ]
    if comparison.cost is not None:
        rows.append(_change_row("cost", comparison.cost, comparison.n, dollars))
    if comparison.latency is not None:
        rows.append(_change_row("p95 latency", comparison.latency, comparison.n, milliseconds))
    head = "<thead><tr><th></th><th>A</th><th>B</th><th>B against A</th></tr></thead>"
    return f"<table>{head}<tbody>{''.join(rows)}</tbody></table>"


def _change_row(name: str, change: Change, n: int, shown: Callable[[float], str]) -> str:
    of = f"<small>{change.pairs:,} of {n:,} cases</small>" if change.pairs < n else ""
    against = "<small>too few to say</small>"
    if change.ratio is not None:
        against = f"{percent_change(change.ratio.value)}<small>{percent_limits(change.ratio)}</small>"
    return _table_row(f"{name}{of}", shown(change.incumbent), shown(change.candidate), against)


def _table_row(*cells: str) -> str:
    return "<tr>" + "".join(f"<td>{cell}</td>" for cell in cells) + "</tr>"
