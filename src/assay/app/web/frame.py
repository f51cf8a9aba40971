"""What stands around every view: the bar with the navigation, and the state of the workspace in it."""

from collections.abc import Sequence
from typing import Literal

from markupsafe import Markup

from assay.app.service import IngestStatus, ModelStatus, ReleaseStatus
from assay.app.web import icons
from assay.app.web.figures import count
from assay.app.web.place import View

Section = View | Literal["runs", "cases", "decisions", "races"]
"""Where one is: a view of the page, or one of the evaluation pages, which are documents of their own."""

_GO = Markup("data-go")
_LINKS: tuple[tuple[Section, str, str, Markup], ...] = (
    ("chat", "/", "Chat", _GO),
    ("documents", "/documents", "Documents", _GO),
    ("runs", "/runs", "Runs", Markup()),
    ("cases", "/cases", "Cases", Markup()),
    ("decisions", "/decisions", "Decisions", Markup()),
    ("races", "/races", "Races", Markup()),
    ("settings", "/settings", "Settings", _GO),
)

BAR = Markup(
    '<a class="skip" href="#content" data-skip>Skip to the content</a>'
    '<a class="brand" href="/" data-go>{}Assay</a>'
    '<button class="button menu-button" type="button" data-menu aria-expanded="false" aria-controls="assay-nav">'
    '{}<span class="menu-label">Menu</span></button>'
).format(icons.BRAND, icons.MENU)

THEME = Markup(
    '<button class="button theme" type="button" data-theme-toggle title="Theme: follow the system, light or dark">'
    '<span class="spoken">Theme</span><span class="of-system">{}<b>Auto</b></span>'
    '<span class="of-light">{}<b>Light</b></span><span class="of-dark">{}<b>Dark</b></span></button>'
).format(icons.SYSTEM, icons.SUN, icons.MOON)

COMPOSER = Markup(
    '<form class="composer" data-composer><textarea class="question-box" rows="1" maxlength="8000" '
    'placeholder="Ask about your documents" aria-label="Question" enterkeyhint="send" autocomplete="off"></textarea>'
    '<button class="button primary ask" type="submit">Ask</button>'
    '<button class="button stop" type="button" data-act="stop">{}Stop</button></form>'
).format(icons.STOP)

FILTER = Markup(
    '<input class="filter" type="search" data-filter placeholder="Filter by name" '
    'aria-label="Filter documents by name" autocomplete="off" spellcheck="false">'
)

MISSING = Markup(
    '<div class="intro"><h2>There is nothing at this address</h2>'
    '<p class="muted">The chat is at <a href="/" data-go>the start</a>.</p></div>'
)


def nav_markup(section: Section) -> Markup:
    """The links between sections; the one in force is marked for eyes and for screen readers."""
    return Markup().join(
        Markup('<a href="{}" {} {}>{}</a>').format(
            url, go, Markup('aria-current="page"') if name == section else Markup(), label
        )
        for name, url, label, go in _LINKS
    )


def state_markup(
    models: Sequence[ModelStatus], ingestion: IngestStatus, release: ReleaseStatus | None = None
) -> Markup:
    """One line on what the workspace is busy with, or fails at; empty when everything is ready."""
    if release is not None and release.problem:
        return _state("bad", icons.BAD, "A release failed")
    if any(model.state == "failed" for model in models):
        return _state("bad", icons.BAD, "A model failed")
    loading = [model for model in models if model.state in ("loading", "waiting")]
    if loading:
        total = sum(model.total_bytes for model in loading)
        done = sum(model.done_bytes for model in loading)
        return _state("", icons.WAIT, f"Loading {100 * done // total}%" if total else "Loading models")
    if ingestion.state == "running":
        done_of = f" {count(ingestion.files_done)} of {count(ingestion.files_found)}" if ingestion.files_found else ""
        return _state("", icons.WAIT, f"Reading{done_of}", href="/documents")
    if ingestion.state == "failed":
        return _state("bad", icons.BAD, "Ingestion failed", href="/documents")
    return Markup()


def _state(kind: str, icon: Markup, text: str, *, href: str = "/settings") -> Markup:
    return Markup('<a class="state-pill num {}" href="{}" data-go>{}<span>{}</span></a>').format(kind, href, icon, text)
