"""The lower half of a report: the cases, worst first, with everything needed to see what went wrong.

All text here is from outside (models, documents, people) and passes through `assay.app.report.text`.
"""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from markupsafe import Markup

from assay.app.report.text import marked, one_line, shown
from assay.app.report.view import CaseView
from assay.decisions.figures import counted, dollars, milliseconds
from assay.evals.explore import CORRECTNESS, OUTCOMES
from assay.evals.gold import covered, find_quote, held, is_whole
from assay.evals.output import Output, Retrieved
from assay.evals.scoreboard import headline
from assay.evals.scorer import Gold, Score

# What a case may take: 500 of them stay under ten megabytes.
_QUESTION, _ANSWER, _PASSAGE, _REASONING, _ERROR, _DETAILS = 2_000, 3_000, 1_200, 1_500, 1_000, 800
_MOST_PASSAGES, _MOST_PIECES, _MOST_STATEMENTS = 10, 6, 12
_KINDS = {
    "failed": "bad", "wrong": "bad", "answered unanswerable": "bad", "declined answerable": "warn",
    "partly right": "warn", "right": "good", "declined rightly": "good",
}  # fmt: skip


def filters_markup(
    number: int, total: int, tags: Mapping[str, int], outcomes: Mapping[str, int], *, full: bool
) -> Markup:
    """The heading of the cases, and what they can be filtered by (with JavaScript; without it all are listed)."""
    said = f"All {counted(total, 'case')}" if number == total else f"{number:,} of {total:,} cases"
    why = ", as many as fit into this file" if full else ""
    return Markup(
        '<section class="panel cases" id="cases"><h2>Cases</h2><p class="muted">{}, worst first: where the '
        'system failed, then by correctness, then by the mean of all scores{}.</p><div class="filters" hidden>'
        '<label>Outcome <select data-filter="outcome"><option value="">all</option>{}</select></label>'
        '<label{}>Tag <select data-filter="tag"><option value="">all</option>{}</select></label>'
        '<label>Order <select data-order><option value="">worst first</option><option value="best">best first</option>'
        '<option value="slow">slowest first</option></select></label>'
        '<label class="grow">Find <input type="search" data-find placeholder="in all that is shown"></label>'
        '<span class="muted" data-count role="status"></span></div><div class="list">'
    ).format(
        said,
        why,
        _options([(outcome, outcomes[outcome]) for outcome in OUTCOMES if outcome in outcomes]),
        Markup("") if tags else Markup(" hidden"),
        _options(sorted(tags.items(), key=lambda pair: (-pair[1], pair[0]))[:200]),
    )


def case_markup(view: CaseView, *, number: int) -> Markup:
    """One case: its question and outcome in a line, all the rest below it."""
    case, result, output = view.case, view.result, view.result.output
    outcome = view.outcome
    return Markup(
        '<details class="case" data-outcome="{}" data-tags="{}" data-ms="{}"{}><summary>'
        '<span class="rank num">{}</span><span class="asked"><bdi>{}</bdi></span><span class="tag {}">{}</span>'
        '<span class="num score">{}</span></summary><div class="body"><div class="facts-line">{}</div>{}'
        '<div class="sides"><div>{}{}{}{}</div><div>{}{}</div></div></div></details>'
    ).format(
        outcome,
        "\n".join(one_line(tag, 200) for tag in case.tags),
        f"{result.latency_ms:.0f}",
        Markup(" open") if number == 1 else Markup(),
        number,
        one_line(case.question, 160),
        _KINDS.get(outcome, ""),
        outcome,
        _correctness(result.scores),
        _facts(view),
        _block("Error", shown(result.error, _ERROR), kind="bad") if result.error else Markup(),
        _block("Question", shown(case.question, _QUESTION)),
        _expected(view),
        _answer(output, case.answerable) if output is not None else Markup(),
        _scores(result.scores),
        _gold(view.gold, output),
        _passages(output, view.gold),
    )


def _options(pairs: Sequence[tuple[str, int]]) -> Markup:
    return Markup().join(
        Markup('<option value="{0}">{0} ({1})</option>').format(one_line(value, 200), f"{count:,}")
        for value, count in pairs
    )


def _facts(view: CaseView) -> Markup:
    case, result = view.case, view.result
    parts = [Markup("<code>{}</code>").format(one_line(case.id, 80))]
    parts += [Markup('<span class="tag">{}</span>').format(one_line(tag, 40)) for tag in case.tags[:12]]
    if case.cluster:
        parts.append(Markup("cluster <bdi>{}</bdi>").format(one_line(case.cluster, 60)))
    if view.replicas > 1:
        parts.append(Markup("{}").format(f"the worst of {view.replicas} answers"))
    if result.output is not None:
        parts.append(Markup("{}").format(milliseconds(result.latency_ms)))
        parts.append(Markup("{}").format("unpriced" if result.cost_usd is None else dollars(result.cost_usd)))
        if result.output.confidence is not None:
            parts.append(Markup("{}").format(f"confidence {result.output.confidence:.2f}"))
        if result.output.trace_id:
            parts.append(Markup("trace <code>{}</code>").format(one_line(result.output.trace_id, 40)))
    return Markup().join(Markup("<span>{}</span>").format(part) for part in parts)


def _block(title: str, content: Markup, *, kind: str = "", aside: str = "") -> Markup:
    return Markup(
        '<div class="block {}"><h3>{}<span class="muted">{}</span></h3><div class="text" dir="auto">{}</div></div>'
    ).format(kind, title, f" {aside}" if aside else "", content)


def _expected(view: CaseView) -> Markup:
    case = view.case
    if not case.answerable:
        return _block("Expected", Markup("To decline: the documents do not hold the answer."))
    if not case.answers:
        return Markup()
    alternatives = [shown(answer, _QUESTION // 2) for answer in case.answers[:_MOST_PIECES]]
    more = len(case.answers) - len(alternatives)
    aside = f"one of {len(case.answers)}" if len(case.answers) > 1 else ""
    listed = Markup("<br>").join(alternatives) + (Markup("<br>and {} more").format(more) if more else Markup())
    return _block("Expected", listed, aside=aside)


def _answer(output: Output, answerable: bool) -> Markup:
    if output.declined:
        right = "as it should" if not answerable else "the documents do hold the answer"
        said = shown(output.text, _ANSWER) if output.text else Markup("<i>Nothing said.</i>")
        return _block("Declined", said, aside=right)
    if not output.text:
        return Markup() if output.passages else _block("Answer", Markup("<i>Empty.</i>"), kind="bad")
    cited = Markup().join(
        Markup('<li><bdi class="source">{}</bdi>{}</li>').format(
            one_line(citation.document, 120),
            Markup(' <span class="quote">{}</span>').format(shown(citation.quote, 300)) if citation.quote else Markup(),
        )
        for citation in output.citations[:_MOST_PASSAGES]
    )
    sources = Markup('<ol class="citations">{}</ol>').format(cited) if cited else Markup()
    return _block("Answer", shown(output.text, _ANSWER)) + sources


def _scores(scores: Mapping[str, Score]) -> Markup:
    if not scores:
        return Markup()
    first = headline(scores)
    rest = [name for name in scores if name not in first]
    chips = Markup().join(_chip(name, scores[name]) for name in first)
    more = Markup()
    if rest:
        more = Markup('<details class="more"><summary>{}</summary><div class="chips">{}</div></details>').format(
            f"{len(rest)} more at other cuts", Markup().join(_chip(name, scores[name]) for name in rest)
        )
    reasoned = [
        _reasoning(name, score) for name, score in scores.items() if score.reasoning or score.error or score.details
    ]
    return Markup('<div class="block"><h3>Scores</h3><div class="chips">{}</div>{}</div>{}').format(
        chips, more, Markup().join(reasoned)
    )


def _chip(name: str, score: Score) -> Markup:
    if score.value is None:
        return Markup('<span class="chip bad">{} <b>not scored</b></span>').format(name)
    return Markup('<span class="chip">{} <b class="num">{}</b></span>').format(name, f"{score.value:.3g}")


def _reasoning(name: str, score: Score) -> Markup:
    parts = []
    if score.error:
        parts.append(Markup('<p class="bad">{}</p>').format(shown(score.error, _ERROR)))
    statements = _statements(score.details)
    if statements:
        parts.append(statements)
    elif score.reasoning:
        parts.append(Markup("<p>{}</p>").format(shown(score.reasoning, _REASONING)))
    if score.details and not statements:
        text = json.dumps(dict(score.details), ensure_ascii=False, default=str)
        parts.append(Markup('<p class="faint">{}</p>').format(shown(text, _DETAILS)))
    value = "not scored" if score.value is None else f"{score.value:.3g}"
    return _block(name, Markup().join(parts), aside=value, kind="judged")


def _statements(details: Mapping[str, Any]) -> Markup:
    """A judge's statements with its verdict on each, where it gave some; else nothing."""
    said = details.get("statements")
    if not isinstance(said, list) or not said:
        return Markup()
    verdicts = next(
        (found for key in ("supported", "attributed") if isinstance(found := details.get(key), list)),
        [None] * len(said),
    )
    given = details.get("reasons")
    reasons = given if isinstance(given, list) else []
    rows = []
    for number, statement in enumerate(said[:_MOST_STATEMENTS]):
        verdict = verdicts[number] if number < len(verdicts) else None
        mark = "?" if verdict is None else "yes" if verdict else "no"
        reason = str(reasons[number]) if number < len(reasons) else ""
        rows.append(
            Markup('<li><span class="tag {}">{}</span> {}{}</li>').format(
                {"yes": "good", "no": "bad"}.get(mark, ""),
                mark,
                shown(str(statement), 400),
                Markup(' <span class="muted">{}</span>').format(shown(reason, 300)) if reason else Markup(),
            )
        )
    left = len(said) - len(rows)
    rows += [Markup("<li>and {} more</li>").format(left)] if left > 0 else []
    return Markup('<ul class="statements">{}</ul>').format(Markup().join(rows))


def _gold(gold: Sequence[Gold], output: Output | None) -> Markup:
    if not gold:
        return Markup()
    passages = output.passages if output is not None else ()
    rows = []
    for piece in gold[:_MOST_PIECES]:
        share = covered(piece, passages)
        words = "the whole document" if is_whole(piece) else ""
        rows.append(
            Markup(
                '<li><span class="tag {}">{}</span> <bdi class="source">{}</bdi>'
                '<div class="quote" dir="auto">{}</div></li>'
            ).format(
                "good" if share >= 1 else "warn" if share > 0 else "bad",
                f"{share:.0%} retrieved" if not is_whole(piece) else "retrieved" if share else "not retrieved",
                one_line(piece.document, 120),
                shown(piece.quote, _QUESTION // 2) if piece.quote else Markup("<i>{}</i>").format(words),
            )
        )
    left = len(gold) - len(rows)
    rows += [Markup("<li>and {} more</li>").format(left)] if left > 0 else []
    return Markup('<div class="block"><h3>Gold evidence</h3><ul class="gold">{}</ul></div>').format(Markup().join(rows))


def _passages(output: Output | None, gold: Sequence[Gold]) -> Markup:
    if output is None or not output.passages:
        return Markup()
    rows = []
    for passage in output.passages[:_MOST_PASSAGES]:
        spans = gold_spans(passage, gold)
        rows.append(
            Markup('<li class="{}"><bdi class="source">{}</bdi><div class="text" dir="auto">{}</div></li>').format(
                "holds" if spans else "", one_line(passage.document, 120), marked(passage.text, spans, _PASSAGE)
            )
        )
    left = len(output.passages) - len(rows)
    aside = f"first {len(rows)} of {len(output.passages)}" if left > 0 else f"{len(rows)}"
    return Markup(
        '<div class="block"><h3>Retrieved passages <span class="muted">{}, gold marked</span></h3>'
        '<ol class="passages">{}</ol></div>'
    ).format(aside, Markup().join(rows))


def gold_spans(passage: Retrieved, gold: Sequence[Gold]) -> list[tuple[int, int]]:
    """The characters of the passage's text that hold gold."""
    spans = []
    for piece in gold:
        if is_whole(piece):
            continue
        for start, end in held(piece, passage):
            if piece.start is not None and passage.start is not None and passage.end is not None:
                at = piece.start - passage.start
                spans.append((at + start, at + end))
            elif found := find_quote(passage.text, piece.quote[start:end]):
                spans.append(found)
    return spans


def _correctness(scores: Mapping[str, Score]) -> str:
    name = next((name for name in CORRECTNESS if name in scores), None)
    if name is None:
        return ""
    value = scores[name].value
    return "not scored" if value is None else f"{value:.2f}"
