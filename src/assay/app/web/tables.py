"""Lists as HTML: documents, the ingestion, models, settings in force; and what to do where there is nothing.

Names, paths and details come from files and from outside: all go through `Markup.format`, which escapes.
"""

from collections.abc import Sequence
from itertools import groupby

from markupsafe import Markup

from assay.app.service import DocumentRow, Extent, IngestStatus, ModelStatus, ReleaseStatus, SettingInForce, State
from assay.app.web import icons
from assay.app.web.figures import count, size
from assay.app.web.place import Spot

_TYPES = {
    "application/pdf": "PDF",
    "application/vnd.openxmlformats-officedocument.wordprocessingml.document": "Word",
    "application/vnd.openxmlformats-officedocument.presentationml.presentation": "PowerPoint",
    "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet": "Excel",
    "application/x-ipynb+json": "Notebook",
    "application/json": "JSON",
    "application/xml": "XML",
    "message/rfc822": "E-mail",
    "text/csv": "CSV",
    "text/html": "HTML",
    "text/markdown": "Markdown",
    "text/plain": "Text",
}

_ROLES = {"embedder": "Embedder", "chat": "Chat model", "reranker": "Reranker"}

_STATES: dict[State, tuple[Markup, str, str]] = {
    "ready": (icons.GOOD, "ready", "good"),
    "loading": (icons.WAIT, "loading", ""),
    "waiting": (icons.WAIT, "waiting", ""),
    "failed": (icons.BAD, "failed", "bad"),
}


def type_name(media_type: str) -> str:
    """What people call a media type."""
    name = _TYPES.get(media_type) or media_type.rpartition("/")[2].removeprefix("x-")[:24] or "unknown"
    return name.upper() if name.islower() and len(name) <= 5 else name


def documents_markup(rows: Sequence[DocumentRow], *, matching: str, has_more: bool) -> Markup:
    """The documents as a table; each name opens its document."""
    if not rows:
        if not matching:
            return Markup('<p class="nothing">No documents yet.</p>')
        return Markup('<p class="nothing">No document is called anything like “{}”.</p>').format(matching)
    body = Markup().join(_document(row) for row in rows)
    more = (
        Markup('<div class="more"><button class="button" type="button" data-act="list-more">Show more</button></div>')
        if has_more
        else Markup()
    )
    return Markup(
        '<table class="table documents"><thead><tr><th scope="col">Name</th><th scope="col" class="wide-only">Type</th>'
        '<th scope="col" class="right wide-only">Characters</th><th scope="col" class="right wide-only">Passages</th>'
        '<th scope="col" class="right wide-only">Pages</th></tr></thead><tbody>{}</tbody></table>{}'
    ).format(body, more)


def _document(row: DocumentRow) -> Markup:
    url = Spot(row.id).url
    path = (
        Markup('<bdi class="path">{}</bdi>').format(row.source) if row.title and row.title != row.source else Markup()
    )
    short = f"{type_name(row.media_type)} · {count(row.characters)} characters · {count(row.passages, 'passage')}"
    return Markup(
        '<tr><td class="name"><a href="{}" data-open="{}" title="{}"><bdi>{}</bdi></a>{}'
        '<span class="phone-only faint num">{}</span></td>'
        '<td class="wide-only muted">{}</td><td class="right num wide-only">{}</td>'
        '<td class="right num wide-only">{}</td><td class="right num wide-only">{}</td></tr>'
    ).format(
        url, url, row.source, row.title or row.source, path, short, type_name(row.media_type),
        count(row.characters), count(row.passages),
        count(row.pages) if row.pages else Markup('<span class="faint">–</span>'),
    )  # fmt: skip


def ingestion_markup(status: IngestStatus) -> Markup:
    """How the ingestion stands, where it runs; and what failed, with what to do about each file."""
    out = Markup()
    if status.state == "running":
        out += Markup(
            '<section class="card" aria-label="Ingestion"><div class="card-head"><b>Reading documents</b>'
            '<span class="muted num">{}</span></div>{}<p class="faint one-line"><bdi>{}</bdi></p></section>'
        ).format(
            f"{count(status.files_done)} of {count(status.files_found, 'file')}, {count(status.passages, 'passage')}"
            if status.files_found
            else "looking for files",
            progress_markup(status.files_done, status.files_found, "Files read"),
            status.current,
        )
    if status.state == "failed":
        out += Markup(
            '<section class="card"><div class="notice bad">{}<div><b>The ingestion failed</b>'
            "<p>{}</p></div></div></section>"
        ).format(icons.BAD, status.current or "Run it again in a terminal to see why.")
    if status.failed:
        rows = Markup().join(
            Markup(
                '<li><bdi class="path">{}</bdi><span class="tag bad">{}</span><span class="muted">{}</span></li>'
            ).format(path, code, hint)
            for path, code, hint in status.failed[:100]
        )
        left = len(status.failed) - 100
        out += Markup(
            '<details class="card" {}><summary>{}<b>{} could not be read</b></summary>'
            '<ul class="failures">{}{}</ul></details>'
        ).format(
            Markup("open") if len(status.failed) <= 5 else Markup(),
            icons.WARN,
            count(len(status.failed), "file"),
            rows,
            Markup('<li class="faint">and {} more</li>').format(count(left)) if left > 0 else Markup(),
        )
    return out


def progress_markup(done: int, total: int, label: str) -> Markup:
    """A bar; one that says nothing of how far where the total is not known."""
    if total <= 0:
        return Markup('<div class="bar unknown" role="progressbar" aria-label="{}"><i></i></div>').format(label)
    percent = min(100.0, 100 * done / total)
    return Markup(
        '<div class="bar" role="progressbar" aria-label="{}" aria-valuemin="0" aria-valuemax="100" aria-valuenow="{}">'
        '<i style="width:{}%"></i></div>'
    ).format(label, round(percent), f"{percent:.1f}")


def models_markup(models: Sequence[ModelStatus]) -> Markup:
    """Each model in use: what it is doing, and what to do where it failed."""
    return Markup('<ul class="models">{}</ul>').format(Markup().join(_model(model) for model in models))


def _model(model: ModelStatus) -> Markup:
    icon, word, kind = _STATES[model.state]
    progress = Markup()
    if model.state == "loading" and model.total_bytes:
        progress = Markup('{}<span class="faint num">{} of {}</span>').format(
            progress_markup(model.done_bytes, model.total_bytes, f"{model.name} fetched"),
            size(model.done_bytes), size(model.total_bytes),
        )  # fmt: skip
    return Markup(
        '<li><span class="muted role">{}</span>'
        '<span class="model-name"><bdi>{}</bdi><span class="faint">{}</span></span>'
        '<span class="tag {}">{}{}</span>{}</li>'
    ).format(_ROLES[model.role], model.name, model.detail, kind, icon, word, progress)


def release_markup(release: ReleaseStatus | None) -> Markup:
    """Where the settings come from: the live release and the verdict that put it there, or that there is none."""
    if release is None:
        return Markup('<h1>Settings in force</h1><p class="muted">Fixed when the server started.</p>')
    out = Markup("<h1>Settings in force</h1>")
    if release.id:
        stands = (
            Markup('<span class="tag warn">{}without evidence</span>').format(icons.WARN)
            if release.without_evidence
            else Markup('<span class="tag good">{}{}</span>').format(icons.GOOD, release.verdict)
        )
        out += Markup('<p class="muted">Release <code>{}</code> {}</p>').format(release.id[:8], stands)
    if not release.is_exact:
        out += Markup(
            '<p class="muted">Flags or variables of this server hold over the release: what serves is not what was '
            "released.</p>"
        )
    if release.problem:
        out += Markup('<div class="notice bad">{}<div><p>{}</p></div></div>').format(icons.BAD, release.problem)
    return out


def settings_markup(settings: Sequence[SettingInForce]) -> Markup:
    """Every setting with its value and where that came from, by section."""
    out = Markup()
    for section, group in groupby(settings, key=lambda setting: setting.key.partition(".")[0]):
        rows = Markup().join(_setting(setting) for setting in group)
        out += Markup(
            '<section class="card flush"><div class="card-head"><b>{}</b></div><table class="table settings">'
            '<thead class="spoken"><tr><th scope="col">Setting</th><th scope="col">Value</th>'
            '<th scope="col">From</th></tr></thead>'
            "<tbody>{}</tbody></table></section>"
        ).format(section, rows)
    return out


def _setting(setting: SettingInForce) -> Markup:
    value = "" if setting.value is None else str(setting.value)
    kind, _, detail = setting.origin.partition(" ")
    origin = Markup('<span class="tag {}" title="{}">{}</span>').format(
        "" if kind == "default" else "set", setting.origin, kind
    )
    return Markup(
        '<tr><th scope="row"><code>{}</code><span class="faint">{}</span></th><td class="value"><code>{}</code></td>'
        '<td class="origin">{}<span class="faint">{}</span></td></tr>'
    ).format(
        setting.key.partition(".")[2] or setting.key, setting.description,
        value if value else Markup('<span class="faint">not set</span>'), origin, detail,
    )  # fmt: skip


def extent_text(extent: Extent) -> str:
    """`4 documents, 340 passages`."""
    return f"{count(extent.documents, 'document')}, {count(extent.passages, 'passage')}"


def intro_markup(extent: Extent | None, ingestion: IngestStatus) -> Markup:
    """What stands in an empty chat: what to do where there is nothing to ask about, otherwise what may be asked."""
    if extent is None:
        return Markup()
    if extent.documents:
        opening = Markup(
            '<div class="intro"><h2>Ask about {}</h2><p class="muted">Answers quote the documents. '
            "Every number in an answer opens its source at the quoted place. "
            "What the documents do not say is not answered.</p>"
            '<ul class="keys faint"><li><kbd>/</kbd> to the question</li><li><kbd>Enter</kbd> asks</li>'
            "<li><kbd>Shift</kbd> <kbd>Enter</kbd> new line</li><li><kbd>Esc</kbd> closes the document</li></ul></div>"
        ).format(count(extent.documents, "document"))
    elif ingestion.state == "running":
        opening = Markup(
            '<div class="intro"><h2>Reading your documents</h2>'
            '<p class="muted">Ask as soon as the first ones are in.</p></div>'
        )
    else:
        opening = empty_markup()
    return opening + ingestion_markup(ingestion)


def empty_markup() -> Markup:
    """What to do where there are no documents."""
    return Markup(
        '<div class="intro"><h2>Nothing to read yet</h2><p class="muted">Give this workspace documents: PDF, Word, '
        "PowerPoint, Excel, HTML, Markdown, text, CSV, notebooks, source code. In its folder, run</p>{}{}"
        '<p class="faint">Documents appear here as soon as they are read.</p></div>'
    ).format(
        command_markup("assay ingest PATH", "reads files or folders into this workspace"),
        command_markup("assay up PATH", "reads them and serves this page"),
    )


def command_markup(command: str, says: str) -> Markup:
    """A command to copy."""
    return Markup(
        '<div class="command"><code>{}</code><span class="faint">{}</span>'
        '<button class="button small" type="button" data-copy="{}" aria-label="Copy {}">{}<span>Copy</span></button>'
        "</div>"
    ).format(command, says, command, command, icons.COPY)


def problem_markup(message: str, hint: str) -> Markup:
    """Something that could not be shown, and what to do."""
    return Markup('<div class="notice bad" role="alert">{}<div><b>{}</b>{}</div></div>').format(
        icons.BAD, message, Markup('<p class="hint">{}</p>').format(hint) if hint else Markup()
    )


LOADING = Markup('<div class="skeleton" role="status" aria-label="Loading"><i></i><i></i><i></i></div>')
