"""The page of one case of a run: everything that is known of it, and the way to the next."""

from collections.abc import Sequence

from markupsafe import Markup

from assay.app.report.addresses import case_url, run_url
from assay.app.report.case_parts import Manner, Places, answer_markup, facts_markup, scores_markup, sides_markup
from assay.app.report.cases import outcome_markup
from assay.app.report.run_index import RunIndex, Selection
from assay.app.report.run_page import page_of
from assay.app.report.shell import crumbs_markup
from assay.app.report.text import one_line, shown
from assay.app.report.view import CaseView
from assay.evals.result import Result
from assay.evals.runs import RunRecord

_NOTHING = Markup()


def manner_of(run: RunRecord, places: Places) -> Manner:
    """All of a case within reason: a judge may have replied ten megabytes."""
    judges = {
        metric: scorer["judge"] for scorer in run.spec.scorers if scorer.get("judge") for metric in scorer["metrics"]
    }
    return Manner(
        question=50_000, answer=100_000, passage=50_000, reasoning=50_000, error=20_000, details=20_000,
        passages=100, pieces=100, statements=500, places=places, judges=judges,
    )  # fmt: skip


def case_page_markup(
    run: RunRecord,
    view: CaseView,
    results: Sequence[Result],
    *,
    places: Places,
    index: RunIndex,
    selection: Selection,
    chosen: Sequence[int],
) -> Markup:
    """The case, between the one before and the one after it in the chosen list."""
    manner = manner_of(run, places)
    title = one_line(view.case.question, 300)
    ordinal = index.ordinals[view.case.id]
    back = f"{run_url(run.id)}{selection.query(page=page_of(chosen, ordinal))}#cases"
    crumbs = crumbs_markup(("/runs", "Runs"), (run_url(run.id), run.spec.system), (back, "Cases"))
    return Markup(
        '<div class="title">{}<div class="name"><h1><bdi>{}</bdi></h1>{}</div>{}{}</div>'
        '<section class="panel case-page">{}</section>{}'
    ).format(
        crumbs,
        title,
        outcome_markup(view.outcome),
        facts_markup(view, manner),
        _steps(run, index, selection, chosen, ordinal),
        sides_markup(view, manner, with_question=title != view.case.question),
        _replicas(view, results, manner),
    )


def _steps(run: RunRecord, index: RunIndex, selection: Selection, chosen: Sequence[int], ordinal: int) -> Markup:
    if ordinal not in chosen:
        return _NOTHING
    at = chosen.index(ordinal)

    def link(place: int, rel: str, key: str, label: str) -> Markup:
        if not 0 <= place < len(chosen):
            return Markup('<span class="button small disabled">{}</span>').format(label)
        url = case_url(run.id, index.cases[chosen[place]].id, selection)
        return Markup('<a class="button small" rel="{}" data-key="{}" href="{}">{} <kbd>{}</kbd></a>').format(
            rel, key, url, label, key
        )

    filters = ", ".join(part for part in (selection.outcome, selection.tag, selection.q) if part)
    return Markup('<nav class="steps" aria-label="Cases">{}{}<span class="muted num">{}</span></nav>').format(
        link(at - 1, "prev", "k", "Previous"),
        link(at + 1, "next", "j", "Next"),
        f"{at + 1:,} of {len(chosen):,}" + (f" with {one_line(filters, 80)}" if filters else ""),
    )


def _replicas(view: CaseView, results: Sequence[Result], manner: Manner) -> Markup:
    if len(results) < 2:
        return _NOTHING
    listed = Markup().join(
        Markup('<details class="replica"><summary>Answer {} {}</summary>{}{}{}</details>').format(
            result.replica + 1,
            outcome_markup(CaseView(view.case, view.gold, result).outcome),
            Markup('<p class="bad">{}</p>').format(shown(result.error, manner.error)) if result.error else _NOTHING,
            answer_markup(result.output, manner, answerable=view.case.answerable) if result.output else _NOTHING,
            scores_markup(result.scores, manner),
        )
        for result in results
    )
    return Markup(
        '<section class="panel"><h2>All {} answers</h2><p class="muted">Above is the worst of them. A case counts with '
        "their mean.</p>{}</section>"
    ).format(len(results), listed)
