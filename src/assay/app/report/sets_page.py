"""The pages of test cases: the named sets, and the cases of one."""

from collections.abc import Sequence
from urllib.parse import urlencode

from markupsafe import Markup

from assay.app.report.addresses import review_url, set_url
from assay.app.report.case_parts import Manner, Places, block, source_markup
from assay.app.report.shell import crumbs_markup, nothing_markup, pager_markup
from assay.app.report.text import moment, one_line, shown
from assay.decisions.figures import counted
from assay.evals.case import Case
from assay.evals.cases import CaseSet

PAGE_CASES = 50
_NOTHING = Markup()


def sets_markup(sets: Sequence[CaseSet], versions: dict[str, int]) -> Markup:
    """The named sets, the newest first."""
    rows = Markup().join(
        Markup(
            '<tr><th scope="row"><a class="row-link" href="{}"><bdi>{}</bdi></a></th><td class="num">{}</td>'
            '<td class="num">{}</td><td><code>{}</code></td><td class="num">{}</td><td><bdi>{}</bdi></td>'
            '<td><a href="{}">Review</a></td></tr>'
        ).format(
            set_url(one.name),
            one_line(one.name, 80),
            f"{one.size:,}",
            f"{versions[one.name]:,}",
            one.digest[:12],
            moment(one.created_ns),
            one_line(one.origin, 60),
            review_url(one.name),
        )
        for one in sets
    )
    return Markup(
        '<div class="title"><h1>Cases</h1><p class="muted">Sets of questions with what is known about their answers. '
        "A version is named by its content, so a run says exactly what it was measured on.</p></div>"
        '<section class="panel"><table class="sets" data-rows><thead><tr><th scope="col">Set</th>'
        '<th scope="col" class="num">Cases</th><th scope="col" class="num">Versions</th><th scope="col">Digest</th>'
        '<th scope="col" class="num">Saved</th><th scope="col">From</th>'
        '<th scope="col"><span class="spoken">Review</span></th></tr></thead><tbody>{}</tbody></table></section>'
    ).format(rows)


def empty_markup() -> Markup:
    """What to do where there are no cases yet."""
    return Markup('<div class="title"><h1>Cases</h1></div>') + nothing_markup(
        "No cases yet",
        "Cases are questions with what is known about their answers. In the workspace's folder, run one of",
        ("assay cases import jsonl FILE", "your own: a line of JSON for each question"),
        ("assay cases import squad FILE", "a set in SQuAD's format, with its documents"),
        ("assay cases generate", "questions made from the workspace's documents, to be reviewed"),
    )


def manner_of(places: Places) -> Manner:
    """A case of a set as its page shows it."""
    return Manner(
        question=5_000, answer=2_000, passage=3_000, reasoning=0, error=0, details=0,
        passages=20, pieces=20, statements=0, places=places,
    )  # fmt: skip


def set_markup(
    name: str,
    digest: str,
    versions: Sequence[CaseSet],
    shown_cases: Sequence[Case],
    manner: Manner,
    *,
    total: int,
    fitting: int,
    text: str,
    page: int,
) -> Markup:
    """One version of a set, and a page of those of its cases that hold the text."""
    pages = max(1, -(-fitting // PAGE_CASES))
    first = (page - 1) * PAGE_CASES
    is_named = bool(versions)
    version = digest if not is_named or digest != versions[0].digest else ""
    said = counted(total, "case") if fitting == total else f"{fitting:,} of {counted(total, 'case')}"
    rows = Markup().join(case_markup(case, number, manner) for number, case in enumerate(shown_cases, start=first + 1))
    listed = Markup('<div class="list">{}</div>').format(rows) if rows else Markup('<p class="empty">No case fits.</p>')
    find = Markup(
        '<form class="filters" method="get" action="{}" data-auto>{}<label class="grow">Find '
        '<input type="search" name="q" value="{}" data-find placeholder="in ids, questions, answers, evidence, tags">'
        "</label>"
        '<button class="button small">Find</button></form>'
    ).format(
        set_url(name),
        Markup('<input type="hidden" name="version" value="{}">').format(version) if version else _NOTHING,
        one_line(text, 200),
    )

    def url(number: int) -> str:
        said = {"version": version, "q": text, "page": str(number) if number > 1 else ""}
        kept = {key: value for key, value in said.items() if value}
        return set_url(name) + (f"?{urlencode(kept, errors='replace')}" if kept else "")

    return Markup(
        '<div class="title">{}<div class="name"><h1><bdi>{}</bdi></h1>{}</div>{}</div>'
        '<section class="panel cases"><h2>Cases <span class="muted num">{}</span></h2>{}{}{}</section>'
    ).format(
        crumbs_markup(("/cases", "Cases")),
        one_line(name, 120),
        Markup('<div class="actions"><a class="button small" href="{}">Review</a></div>').format(review_url(name))
        if is_named
        else _NOTHING,
        _versions(name, digest, versions),
        said,
        find,
        listed,
        pager_markup(page, pages, url),
    )


def case_markup(case: Case, number: int, manner: Manner) -> Markup:
    """One case: its question in a line, all that is known of it below."""
    kind = _NOTHING if case.answerable else Markup('<span class="tag warn">unanswerable</span>')
    tags = Markup().join(Markup('<span class="tag">{}</span>').format(one_line(tag, 40)) for tag in case.tags[:12])
    cluster = (
        Markup("<span>cluster <bdi>{}</bdi></span>").format(one_line(case.cluster, 60)) if case.cluster else _NOTHING
    )
    return Markup(
        '<details class="case"><summary><span class="rank num">{}</span><span class="asked"><bdi>{}</bdi></span>{}'
        '<span></span></summary><div class="body"><div class="facts-line"><span><code>{}</code></span>{}{}</div>'
        '<div class="sides"><div>{}{}</div><div>{}</div></div></div></details>'
    ).format(
        f"{number:,}",
        one_line(case.question, 200),
        kind,
        one_line(case.id, 80),
        tags,
        cluster,
        block("Question", shown(case.question, manner.question)),
        _answers(case, manner),
        _evidence(case, manner),
    )


def _versions(name: str, digest: str, versions: Sequence[CaseSet]) -> Markup:
    if not versions:
        return Markup('<p class="muted">Version <code>{}</code></p>').format(digest[:12])
    items = Markup().join(
        Markup(
            '<li{}><a href="{}"><code>{}</code></a> <span class="num">{}, {}</span> <bdi class="faint">{}</bdi></li>'
        ).format(
            Markup(' aria-current="true"') if one.digest == digest else _NOTHING,
            set_url(name, version=one.digest if number else ""),
            one.digest[:12],
            counted(one.size, "case"),
            moment(one.created_ns),
            one_line(one.origin, 60),
        )
        for number, one in enumerate(versions[:50])
    )
    more = f" and {len(versions) - 50:,} older" if len(versions) > 50 else ""
    return Markup('<details class="more"{}><summary>{}{}</summary><ol class="versions">{}</ol></details>').format(
        Markup(" open") if 1 < len(versions) <= 5 else _NOTHING, counted(len(versions), "version"), more, items
    )


def _answers(case: Case, manner: Manner) -> Markup:
    if not case.answerable:
        return block("Expected", Markup("To decline: the documents do not hold the answer."))
    if not case.answers:
        return block("Expected", Markup('<i class="faint">No reference answer.</i>'))
    answers = Markup("<br>").join(shown(answer, manner.answer) for answer in case.answers[: manner.pieces])
    return block("Expected", answers, aside=f"one of {len(case.answers)}" if len(case.answers) > 1 else "")


def _evidence(case: Case, manner: Manner) -> Markup:
    if not case.evidence:
        return _NOTHING
    rows = Markup().join(
        Markup('<li>{}<div class="quote" dir="auto">{}</div></li>').format(
            source_markup(piece.document, manner),
            shown(piece.quote, manner.passage)
            if piece.quote
            else f"characters {piece.start:,} to {piece.end:,}"
            if piece.start is not None and piece.end is not None
            else "the whole document",
        )
        for piece in case.evidence[: manner.pieces]
    )
    return Markup('<div class="block"><h3>Evidence</h3><ul class="gold">{}</ul></div>').format(rows)
