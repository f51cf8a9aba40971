"""Many candidates as a picture: a forest plot with a row for each in SVG, and one HTML page.

Invariant: every text that came from outside is escaped, and the page asks the network for nothing.
"""

from collections.abc import Callable
from html import escape

from assay.decisions.axis import axis_for
from assay.decisions.comparison import Change, ComparedArm, Family
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
)
from assay.decisions.forest import ForestRow, forest, inline, standalone
from assay.decisions.picture import page, table_row
from assay.decisions.sentence import caveat, family_method, headline, interval_name, margin_word, outlook

_LONGEST = 24


def family_svg(family: Family) -> str:
    """The forest plot as a stand-alone SVG document, 760 px by 54 px a candidate and the axis."""
    return standalone(*_plot(family), headline(family))


def family_html(family: Family) -> str:
    """The whole comparison as one page."""
    top, n = family.top.comparison, family.arms[0].comparison.n
    notes = "".join(f"<p>{escape(note)}</p>" for note in family.notes)
    points = ", in points" if top.unit_scale else ""
    plot, height = _plot(family)
    parts = [
        f'<span class="verdict {top.verdict}">{top.verdict}</span>',
        f"<h1>{escape(headline(family))}</h1>",
        *(f"<p>{escape(text)}</p>" for text in (caveat(family), outlook(top)) if text),
        f'<p class="files">The incumbent: {escape(shown_name(family.incumbent))}<br>'
        f"{len(family.arms)} candidates, {n:,} cases that all have</p>",
        f'<div class="notes" role="note">{notes}</div>' if notes else "",
        f"<section><h2>Improvement of the score{points}, {interval_name(top)}</h2>"
        f"{inline(plot, height, headline(family))}</section>",
        f'<section class="wide">{_table(family)}</section>',
        f'<p class="method">Method: {escape(family_method(family))} BETTER or WORSE is said only where the whole '
        "interval lies on one side of zero.</p>",
    ]
    return page(f"{top.verdict}: the best of {len(family.arms)} against {family.incumbent}", parts)


def _plot(family: Family) -> tuple[str, int]:
    factor = 100.0 if family.top.comparison.unit_scale else 1.0
    rows = [_row(arm) for arm in family.arms]
    axis = axis_for([row.interval for row in rows], factor=factor)
    return forest(rows, axis, factor=factor, origin=0.0, ends=("worse", "better"))


def _row(arm: ComparedArm) -> ForestRow:
    one = arm.comparison
    figure = f"{signed(one, one.difference.value)} ({limits(one)}) {one.verdict}"
    # The table names it in full; here it shares its line with the figures, on a phone too.
    name = shown_name(arm.name)
    return ForestRow(name if len(name) <= _LONGEST else f"{name[: _LONGEST - 1]}…", figure, one.difference, one.verdict)


def _table(family: Family) -> str:
    first = family.arms[0].comparison
    lower = "<small>lower is better</small>" if first.lower_is_better else ""
    heads = ("", f"mean score{lower}", "difference", "adjusted p", "better / tied / worse", "cost", "p95 latency")
    mean = mean_score(first, first.incumbent_mean)
    rows = [table_row(f"{escape(shown_name(family.incumbent))}<small>incumbent</small>", mean, "", "", "", "", "")]
    for arm in family.arms:
        one = arm.comparison
        held = f", margin {margin_word(one)}" if one.margin is not None else ""
        rows.append(
            table_row(
                f"{escape(shown_name(arm.name))}<small>{one.verdict}{held}</small>",
                mean_score(one, one.candidate_mean),
                f"{signed(one, one.difference.value)}<small>{limits(one)}</small>",
                escape(probability(arm.p_adjusted)),
                f"{one.wins:,} / {one.ties:,} / {one.losses:,}",
                _effect(one.cost, dollars),
                _effect(one.latency, milliseconds),
            )
        )
    head = "".join(f"<th>{name}</th>" for name in heads)
    return f"<table><thead><tr>{head}</tr></thead><tbody>{''.join(rows)}</tbody></table>"


def _effect(change: Change | None, shown: Callable[[float], str]) -> str:
    if change is None:
        return ""
    if change.ratio is None:
        return f"{shown(change.candidate)}<small>from {shown(change.incumbent)}</small>"
    ratio = change.ratio
    return (
        f"{shown(change.candidate)}<small>{percent_change(ratio.value)}</small><small>{percent_limits(ratio)}</small>"
    )
