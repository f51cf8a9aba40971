"""What is shown of one case: question, what was expected, answer, scores with their reasons, gold, passages.

The report's file and the page show the same parts; a `Manner` says how much of each, and where documents and traces
can be opened. All text here is from outside (models, documents, people) and passes through `assay.app.report.text`.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from markupsafe import Markup

from assay.app.report.text import marked, one_line, shown
from assay.app.report.view import CaseView
from assay.decisions.figures import dollars, milliseconds
from assay.evals.gold import covered, find_quote, held, is_whole
from assay.evals.output import Output, Retrieved
from assay.evals.scoreboard import headline
from assay.evals.scorer import Gold, Score

_NOTHING = Markup()


class Places(Protocol):
    """Where things can be opened."""

    def document(self, source: str, start: int | None = None, end: int | None = None) -> str | None:
        """The address of a document at these characters; None where it is not in the workspace."""
        ...

    def trace(self, trace_id: str) -> str:
        """The address of a trace."""
        ...


@dataclass(frozen=True, slots=True)
class Manner:
    """How a case is shown: characters of each kind of text, how many of each list, and what can be opened.

    `judges` describe the judge of a metric, as the run recorded it.
    """

    question: int
    answer: int
    passage: int
    reasoning: int
    error: int
    details: int
    passages: int
    pieces: int
    statements: int
    places: Places | None = None
    judges: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)


def facts_markup(view: CaseView, manner: Manner) -> Markup:
    """Id, tags, cluster, latency, cost, confidence and trace, on one line."""
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
        if trace_id := result.output.trace_id:
            code = Markup("trace <code>{}</code>").format(one_line(trace_id, 40))
            url = manner.places.trace(trace_id) if manner.places else None
            parts.append(Markup('<a href="{}">{}</a>').format(url, code) if url else code)
    return Markup('<div class="facts-line">{}</div>').format(
        Markup().join(Markup("<span>{}</span>").format(part) for part in parts)
    )


def sides_markup(view: CaseView, manner: Manner, *, with_question: bool = True) -> Markup:
    """Everything else, in two columns: what was asked and answered, and what it rests on."""
    case, result, output = view.case, view.result, view.result.output
    return Markup('{}<div class="sides"><div>{}{}{}{}</div><div>{}{}</div></div>').format(
        block("Error", shown(result.error, manner.error), kind="bad") if result.error else _NOTHING,
        block("Question", shown(case.question, manner.question)) if with_question else _NOTHING,
        expected_markup(view, manner),
        answer_markup(output, manner, answerable=case.answerable) if output is not None else _NOTHING,
        scores_markup(result.scores, manner),
        _gold(view.gold, output, manner),
        _passages(output, view.gold, manner),
    )


def block(title: str, content: Markup, *, kind: str = "", aside: str = "") -> Markup:
    """A titled piece of text."""
    return Markup(
        '<div class="block {}"><h3>{}<span class="muted">{}</span></h3><div class="text" dir="auto">{}</div></div>'
    ).format(kind, title, f" {aside}" if aside else "", content)


def expected_markup(view: CaseView, manner: Manner) -> Markup:
    """The reference answers, or that declining is right."""
    case = view.case
    if not case.answerable:
        return block("Expected", Markup("To decline: the documents do not hold the answer."))
    if not case.answers:
        return _NOTHING
    alternatives = [shown(answer, manner.question // 2) for answer in case.answers[: manner.pieces]]
    more = len(case.answers) - len(alternatives)
    aside = f"one of {len(case.answers)}" if len(case.answers) > 1 else ""
    listed = Markup("<br>").join(alternatives) + (Markup("<br>and {} more").format(more) if more else _NOTHING)
    return block("Expected", listed, aside=aside)


def answer_markup(output: Output, manner: Manner, *, answerable: bool) -> Markup:
    """The answer with its citations, or the refusal."""
    if output.declined:
        right = "as it should" if not answerable else "the documents do hold the answer"
        said = shown(output.text, manner.answer) if output.text else Markup("<i>Nothing said.</i>")
        return block("Declined", said, aside=right)
    if not output.text:
        return _NOTHING if output.passages else block("Answer", Markup("<i>Empty.</i>"), kind="bad")
    cited = Markup().join(
        Markup("<li>{}{}</li>").format(
            source_markup(citation.document, manner, citation.start, citation.end),
            Markup(' <span class="quote">{}</span>').format(shown(citation.quote, 300)) if citation.quote else _NOTHING,
        )
        for citation in output.citations[: manner.passages]
    )
    sources = Markup('<ol class="citations">{}</ol>').format(cited) if cited else _NOTHING
    return block("Answer", shown(output.text, manner.answer)) + sources


def scores_markup(scores: Mapping[str, Score], manner: Manner) -> Markup:
    """Every score, then what judges gave as reasons."""
    if not scores:
        return _NOTHING
    first = headline(scores)
    rest = [name for name in scores if name not in first]
    chips = Markup().join(_chip(name, scores[name]) for name in first)
    more = _NOTHING
    if rest:
        more = Markup('<details class="more"><summary>{}</summary><div class="chips">{}</div></details>').format(
            f"{len(rest)} more at other cuts", Markup().join(_chip(name, scores[name]) for name in rest)
        )
    reasoned = [
        _reasoning(name, score, manner)
        for name, score in scores.items()
        if score.reasoning or score.error or score.details or name in manner.judges
    ]
    return Markup('<div class="block"><h3>Scores</h3><div class="chips">{}</div>{}</div>{}').format(
        chips, more, Markup().join(reasoned)
    )


def source_markup(source: str, manner: Manner, start: int | None = None, end: int | None = None) -> Markup:
    """A document's name; a link where it can be opened."""
    name = one_line(source, 120)
    url = manner.places.document(source, start, end) if manner.places else None
    if url is None:
        return Markup('<bdi class="source">{}</bdi>').format(name)
    return Markup('<a class="source" href="{}"><bdi>{}</bdi></a>').format(url, name)


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


def instrument_markup(judge: Mapping[str, Any]) -> Markup:
    """A judge on one line: name, model, digests of its prompts, last check against people."""
    prompts = Markup(" ").join(
        Markup("<code>{}@{}</code>").format(one_line(name, 40), one_line(digest, 16))
        for name, digest in judge["prompts"].items()
    )
    return Markup('<p class="instrument">{}, {} {} {}</p>').format(
        one_line(judge["name"], 80),
        one_line(judge["model"], 80),
        prompts,
        one_line(judge["last_check"], 200) if judge["last_check"] else "never checked against people",
    )


def _chip(name: str, score: Score) -> Markup:
    if score.value is None:
        return Markup('<span class="chip bad">{} <b>not scored</b></span>').format(name)
    return Markup('<span class="chip">{} <b class="num">{}</b></span>').format(name, f"{score.value:.3g}")


def _reasoning(name: str, score: Score, manner: Manner) -> Markup:
    parts = []
    if score.error:
        parts.append(Markup('<p class="bad">{}</p>').format(shown(score.error, manner.error)))
    statements = _statements(score.details, manner)
    if statements:
        parts.append(statements)
    elif score.reasoning:
        parts.append(Markup("<p>{}</p>").format(shown(score.reasoning, manner.reasoning)))
    if score.details and not statements:
        text = json.dumps(dict(score.details), ensure_ascii=False, default=str)
        parts.append(Markup('<p class="faint">{}</p>').format(shown(text, manner.details)))
    if name in manner.judges:
        parts.append(instrument_markup(manner.judges[name]))
    value = "not scored" if score.value is None else f"{score.value:.3g}"
    return block(name, Markup().join(parts), aside=value, kind="judged")


def _statements(details: Mapping[str, Any], manner: Manner) -> Markup:
    """A judge's statements with its verdict on each, where it gave some; else nothing."""
    said = details.get("statements")
    if not isinstance(said, list) or not said:
        return _NOTHING
    verdicts = next(
        (found for key in ("supported", "attributed") if isinstance(found := details.get(key), list)),
        [None] * len(said),
    )
    given = details.get("reasons")
    reasons = given if isinstance(given, list) else []
    rows = []
    for number, statement in enumerate(said[: manner.statements]):
        verdict = verdicts[number] if number < len(verdicts) else None
        mark = "?" if verdict is None else "yes" if verdict else "no"
        reason = str(reasons[number]) if number < len(reasons) else ""
        rows.append(
            Markup('<li><span class="tag {}">{}</span> {}{}</li>').format(
                {"yes": "good", "no": "bad"}.get(mark, ""),
                mark,
                shown(str(statement), 400),
                Markup(' <span class="muted">{}</span>').format(shown(reason, 300)) if reason else _NOTHING,
            )
        )
    left = len(said) - len(rows)
    rows += [Markup("<li>and {} more</li>").format(left)] if left > 0 else []
    return Markup('<ul class="statements">{}</ul>').format(Markup().join(rows))


def _gold(gold: Sequence[Gold], output: Output | None, manner: Manner) -> Markup:
    if not gold:
        return _NOTHING
    passages = output.passages if output is not None else ()
    rows = []
    for piece in gold[: manner.pieces]:
        share = covered(piece, passages)
        found = f"{share:.0%} retrieved" if not is_whole(piece) else "retrieved" if share else "not retrieved"
        kind = "good" if share >= 1 else "warn" if share > 0 else "bad"
        if not passages:  # a system that shows no passages has not failed to find them
            kind, found = "", "no passages shown"
        words = "the whole document" if is_whole(piece) else ""
        rows.append(
            Markup('<li><span class="tag {}">{}</span> {}<div class="quote" dir="auto">{}</div></li>').format(
                kind,
                found,
                source_markup(piece.document, manner, piece.start, piece.end),
                shown(piece.quote, manner.question // 2) if piece.quote else Markup("<i>{}</i>").format(words),
            )
        )
    left = len(gold) - len(rows)
    rows += [Markup("<li>and {} more</li>").format(left)] if left > 0 else []
    return Markup('<div class="block"><h3>Gold evidence</h3><ul class="gold">{}</ul></div>').format(Markup().join(rows))


def _passages(output: Output | None, gold: Sequence[Gold], manner: Manner) -> Markup:
    if output is None or not output.passages:
        return _NOTHING
    rows = []
    for passage in output.passages[: manner.passages]:
        spans = gold_spans(passage, gold)
        rows.append(
            Markup('<li class="{}">{}<div class="text" dir="auto">{}</div></li>').format(
                "holds" if spans else "",
                source_markup(passage.document, manner, passage.start, passage.end),
                marked(passage.text, spans, manner.passage),
            )
        )
    left = len(output.passages) - len(rows)
    aside = f"first {len(rows)} of {len(output.passages)}" if left > 0 else f"{len(rows)}"
    return Markup(
        '<div class="block"><h3>Retrieved passages <span class="muted">{}, gold marked</span></h3>'
        '<ol class="passages">{}</ol></div>'
    ).format(aside, Markup().join(rows))
