"""The lower half of a report's file: the cases, worst first, with everything needed to see what went wrong."""

from collections.abc import Mapping, Sequence

from markupsafe import Markup

from assay.app.report.case_parts import Manner, facts_markup, sides_markup
from assay.app.report.text import one_line
from assay.app.report.view import CaseView
from assay.decisions.figures import counted
from assay.evals.diff import kept_words
from assay.evals.explore import CORRECTNESS, OUTCOMES, Outcome
from assay.evals.scorer import Score

# What a case may take: 500 of them stay under ten megabytes.
_MANNER = Manner(
    question=2_000, answer=3_000, passage=1_200, reasoning=1_500, error=1_000, details=800,
    passages=10, pieces=6, statements=12,
)  # fmt: skip
_KINDS: Mapping[Outcome, str] = {
    "failed": "bad", "wrong": "bad", "answered unanswerable": "bad", "declined answerable": "warn",
    "partly right": "warn", "right": "good", "declined rightly": "good",
}  # fmt: skip


def filters_markup(
    number: int, total: int, tags: Mapping[str, int], outcomes: Mapping[str, int], *, full: bool, kept: int = 0
) -> Markup:
    """The heading of the cases, and what they can be filtered by (with JavaScript; without it all are listed)."""
    said = f"All {counted(total, 'case')}" if number == total else f"{number:,} of {total:,} cases"
    why = ", as many as fit into this file" if full else ""
    return Markup(
        '<section class="panel cases" id="cases"><h2>Cases</h2><p class="muted">{}, worst first: where the '
        'system failed, then by correctness, then by the mean of all scores{}.</p>{}<div class="filters" hidden>'
        '<label>Outcome <select data-filter="outcome"><option value="">all</option>{}</select></label>'
        '<label{}>Tag <select data-filter="tag"><option value="">all</option>{}</select></label>'
        '<label>Order <select data-order><option value="">worst first</option><option value="best">best first</option>'
        '<option value="slow">slowest first</option></select></label>'
        '<label class="grow">Find <input type="search" data-find placeholder="in all that is shown"></label>'
        '<span class="muted" data-count role="status"></span></div><div class="list">'
    ).format(
        said,
        why,
        kept_markup(kept),
        options_markup([(outcome, outcomes[outcome]) for outcome in OUTCOMES if outcome in outcomes]),
        Markup("") if tags else Markup(" hidden"),
        options_markup(most_common(tags)),
    )


def kept_markup(kept: int) -> Markup:
    """That so many cases are not listed, and how one can be; nothing where there are none."""
    if not kept:
        return Markup()
    return Markup('<p class="muted">{}</p>').format(kept_words(kept))


def case_markup(view: CaseView, *, number: int) -> Markup:
    """One case: its question and outcome in a line, all the rest below it."""
    return Markup(
        '<details class="case" data-outcome="{}" data-tags="{}" data-ms="{}"{}><summary>'
        '<span class="rank num">{}</span><span class="asked"><bdi>{}</bdi></span>{}'
        '<span class="num score">{}</span></summary><div class="body">{}{}</div></details>'
    ).format(
        view.outcome,
        "\n".join(one_line(tag, 200) for tag in view.case.tags),
        f"{view.result.latency_ms:.0f}",
        Markup(" open") if number == 1 else Markup(),
        number,
        one_line(view.case.question, 160),
        outcome_markup(view.outcome),
        correctness_text(view.result.scores),
        facts_markup(view, _MANNER),
        sides_markup(view, _MANNER),
    )


def outcome_markup(outcome: Outcome) -> Markup:
    """What became of a case, as a coloured word."""
    return Markup('<span class="tag {}">{}</span>').format(_KINDS.get(outcome, ""), outcome)


def options_markup(pairs: Sequence[tuple[str, int]], chosen: str = "") -> Markup:
    """Options of a choice, each with how many there are."""
    return Markup().join(
        Markup('<option value="{0}"{2}>{0} ({1})</option>').format(
            one_line(value, 200), f"{count:,}", Markup(" selected") if chosen and value == chosen else Markup()
        )
        for value, count in pairs
    )


def most_common(tags: Mapping[str, int], *, most: int = 200) -> list[tuple[str, int]]:
    """The tags with most cases first."""
    return sorted(tags.items(), key=lambda pair: (-pair[1], pair[0]))[:most]


def correctness_text(scores: Mapping[str, Score]) -> str:
    """The score that says whether the answer is right; empty where there is none."""
    name = next((name for name in CORRECTNESS if name in scores), None)
    if name is None:
        return ""
    value = scores[name].value
    return "not scored" if value is None else f"{value:.2f}"
