"""A comparison as a picture: a forest plot in SVG, and one HTML page that needs nothing but itself.

Invariant: every text that came from outside is escaped, and the page asks the network for nothing.
"""

from collections.abc import Callable, Sequence
from html import escape

from assay.decisions.axis import axis_for
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
from assay.decisions.forest import DARK, LIGHT, PLOT_STYLE, ForestRow, forest, inline, standalone
from assay.decisions.sentence import outlook, sentence, side_effects

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
.wide { overflow-x: auto; }
.wide td { white-space: nowrap; }
td small { display: block; color: var(--ink2); font-size: 12px; }
"""


def forest_svg(comparison: Comparison) -> str:
    """The score's forest plot as a stand-alone SVG document, 760 by about 130 px, light or dark as the reader is."""
    return standalone(*_score_plot(comparison), sentence(comparison))


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
        f"{inline(plot, height, sentence(comparison))}</section>",
        f"<section><h2>{comparison.n:,} paired cases</h2>{_bar(comparison)}</section>",
        _effects_section(comparison),
        f"<section>{_table(comparison)}</section>",
        f'<p class="method">Method: {escape(difference.method)} ({escape(difference.reason)}). '
        "BETTER or WORSE is said only where the whole interval lies on one side of zero.</p>",
    ]
    return page(f"{comparison.verdict}: {candidate} against {incumbent}", parts)


def page(title: str, parts: Sequence[str]) -> str:
    """A page of HTML `parts` that asks the network for nothing; `title` is plain text."""
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width,initial-scale=1">'
        '<meta name="color-scheme" content="light dark">'
        f"<title>{escape(title)}</title><style>:root {{{LIGHT}}} @media (prefers-color-scheme: dark) "
        f"{{ :root {{{DARK}}} }}{PLOT_STYLE}{_PAGE_STYLE}</style></head>"
        f"<body><main>{''.join(parts)}</main></body></html>\n"
    )


def _score_plot(comparison: Comparison) -> tuple[str, int]:
    difference = comparison.difference
    figure = f"{signed(comparison, difference.value)} ({limits(comparison)})"
    row = ForestRow("score", figure, difference, comparison.verdict)
    axis = axis_for([difference], factor=100.0 if comparison.unit_scale else 1.0)
    return forest([row], axis, factor=100.0 if comparison.unit_scale else 1.0, origin=0.0)


def _effects_section(comparison: Comparison) -> str:
    rows = [
        ForestRow(
            name, f"{percent_change(change.ratio.value)} ({percent_limits(change.ratio)})", change.ratio, "NEUTRAL"
        )
        for name, change in (("cost", comparison.cost), ("p95 latency", comparison.latency))
        if change is not None and change.ratio is not None
    ]
    if not rows:
        return ""
    plot, height = forest(
        rows,
        axis_for([row.interval for row in rows], factor=100.0, origin=1.0),
        factor=100.0,
        origin=1.0,
        ends=("B less", "B more"),
    )
    described = "; ".join(f"{row.name} {row.figure}" for row in rows)
    return f"<section><h2>Cost and p95 latency, B against A, in percent</h2>{inline(plot, height, described)}</section>"


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
        table_row(
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
    return table_row(f"{name}{of}", shown(change.incumbent), shown(change.candidate), against)


def table_row(*cells: str) -> str:
    """A row of cells that hold HTML."""
    return "<tr>" + "".join(f"<td>{cell}</td>" for cell in cells) + "</tr>"
