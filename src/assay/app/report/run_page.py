"""The page of one run: the report's board, and all of its cases, filtered, ordered and paged by the server."""

from collections.abc import Sequence

from markupsafe import Markup

from assay.app.report.addresses import case_url, run_url
from assay.app.report.cases import kept_markup, most_common, options_markup, outcome_markup
from assay.app.report.run_index import RunIndex, Selection
from assay.app.report.shell import pager_markup
from assay.app.report.text import one_line
from assay.decisions.figures import counted
from assay.evals.explore import CORRECTNESS
from assay.evals.runs import RunRecord

PAGE_CASES = 50
_NOTHING = Markup()


def actions_markup(run: RunRecord) -> Markup:
    """What can be done with a run."""
    return Markup(
        '<div class="actions"><a class="button small" href="{}/report.html" download="assay-{}.html">'
        "Download the report</a></div>"
    ).format(run_url(run.id), run.id[:8])


def cases_markup(
    run: RunRecord, index: RunIndex, selection: Selection, chosen: Sequence[int], *, kept: int = 0
) -> Markup:
    """The cases that fit, one page of them, with what they are filtered and ordered by.

    `kept` counts those that are not listed because decisions are made on them.
    """
    pages = max(1, -(-len(chosen) // PAGE_CASES))
    page = min(max(selection.page, 1), pages)
    first = (page - 1) * PAGE_CASES
    _, _, metric = selection.order.partition(":")
    metrics = [name for name in CORRECTNESS if name in index.columns.metrics][:1]
    metrics += [metric] if metric and metric in index.columns.metrics and metric not in metrics else []
    scores = {name: index.score(name) for name in metrics}
    rows = Markup().join(
        _row(run, index, selection, ordinal, number, scores)
        for number, ordinal in enumerate(chosen[first : first + PAGE_CASES], start=first + 1)
    )
    listed = (
        Markup('<div class="case-head" aria-hidden="true"><span></span><span></span><span></span>{}</div>').format(
            Markup().join(Markup("<span>{}</span>").format(name) for name in metrics)
        )
        + Markup('<ol class="case-rows" data-rows>{}</ol>').format(rows)
        if chosen
        else Markup('<p class="empty">No case fits. <a href="{}#cases">Show all</a></p>').format(run_url(run.id))
    )
    if kept == len(index.standings):
        listed = _NOTHING
    said = counted(len(chosen), "case") if len(chosen) == len(index.standings) else _of(len(chosen), index)
    return Markup(
        '<section class="panel cases" id="cases"><h2>Cases <span class="muted num">{}</span></h2>{}{}{}{}</section>'
    ).format(
        said,
        kept_markup(kept),
        _NOTHING if kept == len(index.standings) else _filters(run, index, selection),
        listed,
        pager_markup(page, pages, lambda number: f"{run_url(run.id)}{selection.query(page=number)}#cases"),
    )


def page_of(chosen: Sequence[int], ordinal: int) -> int:
    """On which page of the list a case stands."""
    return chosen.index(ordinal) // PAGE_CASES + 1 if ordinal in chosen else 1


def _of(count: int, index: RunIndex) -> str:
    return f"{count:,} of {counted(len(index.standings), 'case')}"


def _filters(run: RunRecord, index: RunIndex, selection: Selection) -> Markup:
    orders = Markup().join(
        Markup('<option value="{}"{}>{}</option>').format(
            order, Markup(" selected") if order == selection.order else _NOTHING, name
        )
        for order, name in index.orders
    )
    tags = index.tags
    tag = Markup('<label>Tag <select name="tag"><option value="">all</option>{}</select></label>').format(
        _tag_options(tags, selection.tag)
    )
    return Markup(
        '<form class="filters" method="get" action="{}#cases" data-auto><label>Outcome <select name="outcome">'
        '<option value="">all</option>{}</select></label>{}<label>Order <select name="order">{}</select></label>'
        '<label class="grow">Find <input type="search" name="q" value="{}" data-find '
        'placeholder="in questions, answers, reasons"></label><button class="button small">Apply</button></form>'
    ).format(
        run_url(run.id),
        options_markup(index.outcomes, selection.outcome),
        tag if tags else _NOTHING,
        orders,
        one_line(selection.q, 200),
    )


def _tag_options(tags: dict[str, int], chosen: str) -> Markup:
    # The value is the tag itself, escaped; what is read is the tag made inert.
    return Markup().join(
        Markup('<option value="{}"{}>{} ({})</option>').format(
            tag, Markup(" selected") if tag == chosen else _NOTHING, one_line(tag, 80), f"{count:,}"
        )
        for tag, count in most_common(tags)
    )


def _row(
    run: RunRecord,
    index: RunIndex,
    selection: Selection,
    ordinal: int,
    number: int,
    scores: dict[str, dict[int, float]],
) -> Markup:
    case, standing = index.cases[ordinal], index.standings[ordinal]
    figures = Markup().join(
        Markup('<span class="num score" title="{}">{}</span>').format(
            name, f"{found[ordinal]:.2f}" if ordinal in found else "–"
        )
        for name, found in scores.items()
    )
    return Markup(
        '<li><a class="row-link" href="{}"><span class="rank num">{}</span><span class="asked"><bdi>{}</bdi></span>{}{}'
        "</a></li>"
    ).format(
        case_url(run.id, case.id, selection),
        f"{number:,}",
        one_line(case.question, 200),
        outcome_markup(standing.outcome),
        figures,
    )
