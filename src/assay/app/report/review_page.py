"""The review of a set of cases: one case at a time with its evidence as it stands in the document, decided by a key."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from markupsafe import Markup

from assay.app.report.addresses import review_url, set_url
from assay.app.report.case_parts import Manner, block, source_markup
from assay.app.report.library import Library
from assay.app.report.sets_page import manner_of
from assay.app.report.shell import crumbs_markup, problem_markup
from assay.app.report.text import inert, marked, one_line, shown
from assay.decisions.figures import counted
from assay.errors import AssayError, BadInput
from assay.evals.case import Case, Evidence
from assay.evals.gold import resolve
from assay.evals.review import ReviewItem, ReviewProgress
from assay.evals.scorer import Gold

_EXCERPT = 2_400
_SPARE_PIECES = 1
_NOTHING = Markup()
_STATES = {"accepted": "good", "fixed": "good", "rejected": "bad", "to_review": ""}


def review_markup(
    name: str,
    item: ReviewItem | None,
    progress: ReviewProgress,
    library: Library,
    *,
    edited: Case | None = None,
    problem: AssayError | None = None,
) -> Markup:
    """The case to decide on; with `edited` as the reviewer left it, and the problem it has."""
    body = _all_done(name, progress) if item is None else _case(name, item, progress, library, edited)
    return Markup('<div class="title">{}<div class="name"><h1>Review</h1>{}</div>{}</div>{}{}').format(
        crumbs_markup(("/cases", "Cases"), (set_url(name), name)),
        _save(name, progress) if item is not None else _NOTHING,
        _progress(progress),
        problem_markup(problem.message, problem.hint) if problem is not None else _NOTHING,
        body,
    )


def case_from_form(case: Case, fields: Mapping[str, Sequence[str]], library: Library) -> Case:
    """The case as the form says it should be.

    Evidence that was left alone stays as it is, with its offsets. Raises BadInput where there is no question.
    """
    question = _plain(fields, "question")
    if not question:
        raise BadInput("The case has no question.", hint="Write one, or reject the case.")
    quotes = dict(enumerate(_quotes(case, library)))
    evidence = []
    pairs = zip(fields.get("document", ()), fields.get("quote", ()), strict=False)
    for number, (document, quote) in enumerate((_line(one), _line(two)) for one, two in pairs):
        before = case.evidence[number] if number < len(case.evidence) else None
        if not document:
            continue
        if before is not None and document == _line(before.document) and quote == _line(quotes[number]):
            evidence.append(before)
        else:
            evidence.append(Evidence(document, quote, grade=before.grade if before is not None else 1))
    return replace(
        case,
        question=question,
        answers=tuple(answer for answer in map(_line, fields.get("answer", ())) if answer),
        evidence=tuple(evidence),
        answerable="unanswerable" not in fields,
    )


def _case(name: str, item: ReviewItem, progress: ReviewProgress, library: Library, edited: Case | None) -> Markup:
    case = item.fixed or item.case
    manner = manner_of(library)
    tags = Markup().join(Markup('<span class="tag">{}</span>').format(one_line(tag, 40)) for tag in case.tags[:12])
    state = "skipped before" if item.is_skipped else item.state.replace("_", " ")
    return Markup(
        '<section class="panel review"><div class="facts-line"><span class="num">{}</span><span><code>{}</code></span>'
        '<span class="tag {}">{}</span>{}</div><h2 class="asked-now"><bdi>{}</bdi></h2>{}'
        '<div class="sides"><div>{}{}{}</div><div>{}</div></div></section>'
    ).format(
        f"case {item.place + 1:,} of {progress.total:,}",
        one_line(case.id, 80),
        _STATES[item.state],
        state,
        tags,
        one_line(case.question, 2_000),
        Markup('<p class="muted">{}</p>').format(one_line(item.note, 400)) if item.note else _NOTHING,
        _decisions(name, item),
        _editor(name, item.case, edited or case, library, is_open=edited is not None),
        _expected(case, manner),
        _evidence(case, library, manner),
    )


def _expected(case: Case, manner: Manner) -> Markup:
    if not case.answerable:
        return block("Expected", Markup("To decline: the documents do not hold the answer."))
    if not case.answers:
        return block("Expected", Markup('<i class="faint">No reference answer.</i>'))
    answers = Markup("<br>").join(shown(answer, manner.answer) for answer in case.answers)
    return block("Expected", answers, aside=f"one of {len(case.answers)}" if len(case.answers) > 1 else "")


def _evidence(case: Case, library: Library, manner: Manner) -> Markup:
    """Each piece of evidence where it stands in its document, or why it stands nowhere."""
    if not case.evidence:
        return Markup('<div class="block"><h3>Evidence</h3><p class="faint">None.</p></div>')
    rows, places = [], []
    for piece in case.evidence:
        try:
            gold = resolve(replace(case, evidence=(piece,)), library)[0]
            found = library.find(gold.document)
        except BadInput as error:
            rows.append(_nowhere(piece, f"{error.message} {error.hint}", manner))
            continue
        if found is None:
            rows.append(_nowhere(piece, "This document is not in the workspace.", manner))
        else:
            places.append((gold, found[1]))
    rows += [_excerpt(golds, text, manner) for golds, text in _near(places)]
    return Markup('<div class="block"><h3>Evidence in its document</h3><ul class="excerpts">{}</ul></div>').format(
        Markup().join(rows)
    )


def _nowhere(piece: Evidence, why: str, manner: Manner) -> Markup:
    return Markup('<li>{}<p class="bad">{}</p><p class="quote">{}</p></li>').format(
        source_markup(piece.document, manner), one_line(why, 900), shown(piece.quote, manner.passage)
    )


def _near(places: Sequence[tuple[Gold, str]]) -> list[tuple[list[Gold], str]]:
    """Pieces of one document that can be read in one excerpt together."""
    groups: list[tuple[list[Gold], str]] = []
    for gold, text in sorted(places, key=lambda place: (place[0].document, place[0].start or 0)):
        before = groups[-1][0] if groups else []
        if before and before[0].document == gold.document and (gold.end or 0) - (before[0].start or 0) < _EXCERPT // 2:
            before.append(gold)
        else:
            groups.append(([gold], text))
    return groups


def _excerpt(golds: Sequence[Gold], text: str, manner: Manner) -> Markup:
    spans = [(gold.start, gold.end) for gold in golds if gold.start is not None and gold.end is not None]
    first = golds[0]
    return Markup('<li>{}<div class="excerpt text" dir="auto" tabindex="0">{}</div></li>').format(
        source_markup(first.document, manner, first.start, first.end), marked(text, spans, _EXCERPT)
    )


def _decisions(name: str, item: ReviewItem) -> Markup:
    buttons = Markup().join(
        Markup('<button class="button {}" name="decision" value="{}" data-key="{}">{} <kbd>{}</kbd></button>').format(
            kind, decision, key, label, key
        )
        for decision, key, label, kind in (
            ("accepted", "a", "Accept", "primary"),
            ("rejected", "r", "Reject", "bad"),
            ("skipped", "s", "Skip", ""),
            ("undo", "u", "Undo", ""),
        )
    )
    return Markup(
        '<form class="actions decide" method="post" action="{}"><input type="hidden" name="case" value="{}">{}</form>'
    ).format(review_url(name), item.case.digest, buttons)


def _editor(name: str, original: Case, case: Case, library: Library, *, is_open: bool) -> Markup:
    """The form that fixes a case. Empty answers and evidence without a document are left out."""
    answers = Markup().join(_area("answer", "Answer", answer, rows=2) for answer in (*case.answers, ""))
    quotes = _quotes(case, library)
    pieces = [(piece.document, quote) for piece, quote in zip(case.evidence, quotes, strict=True)]
    pieces += [("", "")] * _SPARE_PIECES
    evidence = Markup().join(
        Markup('<div class="edit-piece"><label>Document <input name="document" value="{}"></label>{}</div>').format(
            inert(document), _area("quote", "Quote, as it reads there (empty: the whole document)", quote, rows=3)
        )
        for document, quote in pieces
    )
    return Markup(
        '<details class="editor" data-edit{}><summary class="button" data-key="f">Fix <kbd>f</kbd></summary>'
        '<form method="post" action="{}"><input type="hidden" name="case" value="{}">{}{}<label class="check">'
        '<input type="checkbox" name="unanswerable" value="1"{}> The documents do not hold the answer</label>{}'
        '<div class="actions"><button class="button primary" name="decision" value="fixed" data-save>Save the fix '
        "<kbd>Ctrl Enter</kbd></button></div></form></details>"
    ).format(
        Markup(" open") if is_open else _NOTHING,
        review_url(name),
        original.digest,
        _area("question", "Question", case.question, rows=3),
        answers,
        _NOTHING if case.answerable else Markup(" checked"),
        evidence,
    )


def _area(name: str, label: str, text: str, *, rows: int) -> Markup:
    # A browser drops the first newline of a text area.
    return Markup('<label class="field">{}<textarea name="{}" rows="{}" dir="auto">\n{}</textarea></label>').format(
        label, name, rows, inert(text)
    )


def _quotes(case: Case, library: Library) -> list[str]:
    """What each piece of evidence quotes, read from the document where the case gives offsets alone."""
    quotes = []
    for piece in case.evidence:
        quote = piece.quote
        if not quote and piece.start is not None:
            try:
                quote = resolve(replace(case, evidence=(piece,)), library)[0].quote
            except BadInput:
                quote = ""
        quotes.append(quote)
    return quotes


def _progress(progress: ReviewProgress) -> Markup:
    decided = progress.total - progress.to_review
    facts = [f"{progress.accepted:,} accepted", f"{progress.fixed:,} fixed", f"{progress.rejected:,} rejected"]
    facts += [f"{progress.skipped:,} skipped"] if progress.skipped else []
    facts.append(f"{progress.to_review:,} to review")
    return Markup(
        '<div class="facts-line"><span class="going"><progress max="{}" value="{}" aria-label="Decided"></progress>'
        "</span>{}</div>"
    ).format(progress.total, decided, Markup().join(Markup("<span>{}</span>").format(fact) for fact in facts))


def _save(name: str, progress: ReviewProgress) -> Markup:
    good = progress.accepted + progress.fixed
    if not good:
        return _NOTHING
    return Markup(
        '<form class="actions" method="post" action="{}"><button class="button" name="decision" value="finish">'
        "Save {} as a new version</button></form>"
    ).format(review_url(name), counted(good, "reviewed case"))


def _all_done(name: str, progress: ReviewProgress) -> Markup:
    return Markup(
        '<section class="panel"><h2>Every case is decided</h2><p class="muted">{}</p><div class="actions">{}'
        '<form method="post" action="{}"><button class="button" name="decision" value="undo" data-key="u">'
        "Undo the last <kbd>u</kbd></button></form></div></section>"
    ).format(
        "What was accepted or fixed can be saved as a new version of the set; what was rejected is left out of it."
        if progress.accepted + progress.fixed
        else "None was accepted, so there is nothing to save.",
        _save(name, progress),
        review_url(name),
    )


def _plain(fields: Mapping[str, Sequence[str]], name: str) -> str:
    return _line(next(iter(fields.get(name, ())), ""))


def _line(text: str) -> str:
    # A form sends every line break as two characters.
    return text.replace("\r\n", "\n").strip()
