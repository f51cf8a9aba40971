"""A turn as HTML: the text with numbered chips, the sources, the foot; or why there is none.

Everything a model or a document wrote goes through `Markup.format`, which escapes it: text from
outside can be shown but can never become a tag, an attribute or a link. Proved by
`tests/unit/web/test_page_answer.py` on every field, and in a browser by `tests/story/test_page.py`.
"""

import re
from collections.abc import Mapping, Sequence

from markupsafe import Markup

from assay.answers.outcome import Answer, Citation, Declined, FlagKind, Outcome, flag_kind
from assay.app.service import ModelStatus
from assay.app.web import icons
from assay.app.web.conversation import Failure, Turn
from assay.app.web.figures import count, duration, money, size
from assay.app.web.place import Place, Spot
from assay.index.hit import Hit

_FILE = re.compile(r"/[^/]*\.\w{1,8}$")
_MARKER = re.compile(r"\[(\d{1,3})\]")

STEPS: Mapping[str, str] = {
    "retrieve": "Retrieving passages",
    "rerank": "Ordering passages",
    "pack": "Reading",
    "generate": "Writing",
    "verify": "Checking citations",
}
"""What a step of the service is called on the page. A step not named here is shown by its own name."""

_FLAG_TITLES: Mapping[FlagKind, str] = {
    "unsupported": "Not supported by the passages",
    "cut short": "The answer ends early",
    "unphrased": "Only the quote",
    "other": "What to know about this answer",
}

NEAREST = 4


def question_markup(question: str) -> Markup:
    """The question, as it was typed."""
    return Markup('<h2 class="spoken">Question</h2><p class="question" dir="auto">{}</p>').format(question)


def body_markup(turn: Turn) -> Markup:
    """The answer so far, or how the turn ended."""
    if turn.failure is not None:
        return _failure(turn.failure)
    match turn.outcome:
        case Answer() as answer:
            return _answer(answer)
        case Declined() as declined:
            return _declined(declined)
    text = Markup('<div class="answer" dir="auto">{}</div>').format(_text(turn.text, {})) if turn.text else Markup()
    return text + (_stopped() if turn.is_stopped else Markup())


def status_markup(turn: Turn, models: Sequence[ModelStatus]) -> Markup:
    """What is being done, and for how long; empty once the turn has ended."""
    if not turn.is_running:
        return Markup()
    label, detail = _doing(turn, models)
    return Markup(
        '<div class="status"><span class="spinner" aria-hidden="true"></span><span>{}</span>'
        '<span class="faint">{}</span><span class="clock faint num" data-elapsed="{}">{}</span></div>'
    ).format(label, detail, round(turn.elapsed_ms), f"{turn.elapsed_ms / 1000:.0f} s")


def spoken(turn: Turn) -> str:
    """What a screen reader is told when a turn has ended."""
    if turn.failure is not None:
        return f"Failed: {turn.failure.message}"
    if turn.is_stopped:
        return "Stopped."
    if isinstance(turn.outcome, Declined):
        return f"No answer: {turn.outcome.reason}"
    return _MARKER.sub("", turn.outcome.text) if turn.outcome is not None else ""


def _doing(turn: Turn, models: Sequence[ModelStatus]) -> tuple[str, str]:
    pending = [model for model in models if model.state in ("waiting", "loading")]
    if pending and turn.step not in ("generate", "verify"):
        model = pending[0]
        of = f"{size(model.done_bytes)} of {size(model.total_bytes)}" if model.total_bytes else ""
        return f"Waiting for the model {model.name}", of or model.detail
    if not turn.step:
        return "Starting", ""
    return STEPS.get(turn.step, turn.step), turn.detail


def _answer(answer: Answer) -> Markup:
    by_marker: dict[int, Citation] = {}
    for citation in answer.citations:
        by_marker.setdefault(citation.marker, citation)
    titles = {hit.passage.document_id: hit.title for hit in answer.hits}
    sources = Markup().join(_source(citation, titles.get(citation.document_id, "")) for citation in answer.citations)
    return Markup(
        '<div class="answer" dir="auto">{}</div>{}{}{}'
    ).format(
        _text(answer.text, by_marker),
        _flags(answer),
        Markup('<ul class="sources" aria-label="Sources">{}</ul>').format(sources) if sources else Markup(),
        _foot(answer),
    )  # fmt: skip


def _text(text: str, by_marker: Mapping[int, Citation]) -> Markup:
    """The text with each `[n]` as a chip. While it streams the citations are not known yet: the chips lead nowhere."""
    pieces = _MARKER.split(text)
    out = [Markup("{}").format(pieces[0])]
    for number, after in zip(pieces[1::2], pieces[2::2], strict=True):
        out.append(_chip(int(number), by_marker.get(int(number))))
        out.append(Markup("{}").format(after))
    return Markup().join(out)


def _chip(number: int, citation: Citation | None) -> Markup:
    if citation is None:
        return Markup('<span class="chip pending">{}</span>').format(number)
    where = f"{citation.document}, page {citation.page}" if citation.page else citation.document
    if citation.supported:
        label, kind, sign = f"Source {number}: {where}", "chip", Markup()
    else:
        label, kind = f"Source {number}, which does not support the claim: {where}", "chip unsupported"
        sign = Markup('<span aria-hidden="true">!</span>')
    return Markup('<a class="{}" {} aria-label="{}" title="{}">{}{}</a>').format(
        kind, _opens(citation.document_id, citation.start, citation.end), label, label, number, sign
    )


def _source(citation: Citation, title: str) -> Markup:
    note = Markup() if citation.supported else Markup('<span class="tag warn">{}unsupported</span>').format(icons.WARN)
    return Markup('<li><a class="source" {} title="{}"><b class="num">{}</b><bdi>{}</bdi>{}{}</a></li>').format(
        _opens(citation.document_id, citation.start, citation.end),
        f"{citation.document}: {citation.quote[:600]}",
        citation.marker,
        title or short_name(citation.document),
        _page(citation.page),
        note,
    )


def _near(hit: Hit) -> Markup:
    passage = hit.passage
    return Markup('<li><a class="source" {} title="{}"><bdi>{}</bdi>{}</a></li>').format(
        _opens(passage.document_id, passage.start, passage.end),
        f"{hit.source}: {passage.text[:600]}",
        hit.title or short_name(hit.source),
        _page(passage.page) or _under(passage.heading, hit.title),
    )


def short_name(document: str) -> str:
    """The last part of a path, where `document` is one; titles stay whole, slashes and all."""
    return document.rpartition("/")[2] if _FILE.search(document) else document


def _under(heading: str, title: str) -> Markup:
    last = heading.rpartition(" > ")[2]
    return Markup('<span class="faint">{}</span>').format(last) if last and last != title else Markup()


def _page(page: int | None) -> Markup:
    return Markup('<span class="faint num">p. {}</span>').format(page) if page else Markup()


def _opens(document_id: str, start: int, end: int) -> Markup:
    """The attributes that open a document: beside the chat on a click, in the list of documents in a new tab."""
    spot = Spot(document_id, start, end)
    return Markup('href="{}" data-open="{}"').format(spot.url, Place("chat", spot).url)


def _flags(answer: Answer) -> Markup:
    """A notice for each kind of flag, under a title that fits it."""
    by_kind: dict[FlagKind, list[str]] = {}
    for flag in answer.flags:
        by_kind.setdefault(flag_kind(flag), []).append(flag)
    return Markup().join(
        Markup('<div class="notice warn" role="note">{}<div><b>{}</b><ul>{}</ul></div></div>').format(
            icons.WARN,
            title,
            Markup().join(Markup("<li dir=auto>{}</li>").format(flag) for flag in by_kind[kind]),
        )
        for kind, title in _FLAG_TITLES.items()
        if kind in by_kind
    )


def _declined(declined: Declined) -> Markup:
    near = Markup().join(_near(hit) for hit in declined.hits[:NEAREST])
    nearest = (
        Markup('<p class="label">Nearest passages</p><ul class="sources" aria-label="Nearest passages">{}</ul>').format(
            near
        )
        if near
        else Markup()
    )
    return Markup(
        '<div class="notice declined">{}<div><b>No answer in these documents</b><p dir="auto">{}</p>{}</div></div>{}'
    ).format(icons.NONE, declined.reason, nearest, _foot(declined))


def _failure(failure: Failure) -> Markup:
    return Markup(
        '<div class="notice bad" role="alert">{}<div><b>No answer: something failed</b><p>{}</p>{}'
        '<button class="button" type="button" data-act="again">Ask again</button></div></div>'
    ).format(icons.BAD, failure.message, Markup('<p class="hint">{}</p>').format(failure.hint) if failure.hint else "")


def _stopped() -> Markup:
    return Markup(
        '<div class="notice stopped"><span class="muted">Stopped.</span>'
        '<button class="button" type="button" data-act="again">Ask again</button></div>'
    )


def _foot(outcome: Outcome) -> Markup:
    usage = outcome.usage
    figures = [Markup('<span title="Time from question to answer">{}</span>').format(duration(outcome.latency_ms))]
    if usage.total:
        written = usage.output + usage.reasoning
        figures.append(
            Markup('<span title="Tokens read and written by the model">{} in, {} out</span>').format(
                count(usage.input), count(written)
            )
        )
    else:
        figures.append(Markup('<span title="No model was called">no tokens</span>'))
    figures.append(Markup('<span title="Cost">{}</span>').format(money(outcome.cost_usd)))
    trace = (
        Markup('<a href="{}" data-go>Trace</a>').format(Place("trace", trace_id=outcome.trace_id).url)
        if outcome.trace_id
        else Markup()
    )
    return Markup('<div class="foot num">{}{}</div>').format(Markup().join(figures), trace)
