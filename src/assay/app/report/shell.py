"""What stands around every evaluation page: head, bar, end; its stylesheet and script; its security policy.

The pages are plain documents: they read without JavaScript, and what little script there is comes from one file of
ours. Invariant: nothing on them is inline, so the policy lets no inline script or style run and nothing load or be sent
anywhere else.
"""

import hashlib
from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path
from types import MappingProxyType

from markupsafe import Markup

from assay.app.report.text import one_line
from assay.app.web import frame, icons
from assay.app.web.frame import Section

ASSETS = "/assay-pages"
"""Where the stylesheet and the script are served."""

HEADERS: Mapping[str, str] = MappingProxyType(
    {
        "content-security-policy": "; ".join(
            (
                "default-src 'none'",
                "script-src 'self'",
                "style-src 'self'",
                "img-src 'self'",
                "connect-src 'self'",
                "form-action 'self'",
                "base-uri 'none'",
                "frame-ancestors 'none'",
            )
        ),
        # Under no-referrer a browser sends a form of ours with the origin `null`, as if it came from elsewhere.
        "referrer-policy": "same-origin",
        "cache-control": "no-store",
    }
)

_WEB = Path(frame.__file__).parent / "static"
_HERE = Path(__file__).parent
_PARTS = {
    "pages.css": (
        _WEB / "colours.css",
        _HERE / "report.css",
        _WEB / "bar.css",
        _HERE / "pages.css",
        _HERE / "decisions.css",
        _HERE / "races.css",
    ),
    "pages.js": (_WEB / "bar.js", _HERE / "pages.js"),
    "favicon.svg": (_WEB / "favicon.svg",),
}
MEDIA_TYPES: Mapping[str, str] = MappingProxyType(
    {"pages.css": "text/css", "pages.js": "text/javascript", "favicon.svg": "image/svg+xml"}
)


@cache
def asset(name: str) -> bytes:
    """The stylesheet, the script or the icon, whole. Raises KeyError for any other name."""
    return b"\n".join(part.read_bytes() for part in _PARTS[name])


def opening(title: str, section: Section, *, name: str, refresh_seconds: int = 0) -> Markup:
    """The beginning of a page, up to its content; `name` is the workspace's.

    With `refresh_seconds` it is loaded again without JavaScript too.
    """
    reload = Markup()
    if refresh_seconds:
        reload = Markup('<noscript><meta http-equiv="refresh" content="{}"></noscript>').format(refresh_seconds)
    return Markup(
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width,initial-scale=1">'
        '<meta name="color-scheme" content="light dark"><title>{}</title>{}<link rel="icon" href="{}">'
        '<link rel="stylesheet" href="{}"><script src="{}"></script></head><body>'
        '<header class="top"><div class="top-left">{}</div><nav class="nav" id="assay-nav" aria-label="Views">{}</nav>'
        '<div class="top-state"></div>{}</header><main id="content" tabindex="-1">'
    ).format(
        f"{one_line(title, 80)} · {one_line(name, 60)}",
        reload,
        _url("favicon.svg"),
        _url("pages.css"),
        _url("pages.js"),
        frame.BAR,
        frame.nav_markup(section),
        frame.THEME,
    )


CLOSING = Markup("</main></body></html>\n")


def problem_markup(message: str, hint: str) -> Markup:
    """Something that could not be shown, and what to do."""
    return Markup('<div class="problem" role="alert">{}<div><b>{}</b>{}</div></div>').format(
        icons.BAD,
        one_line(message, 2_000),
        Markup('<p class="muted">{}</p>').format(one_line(hint, 1_000)) if hint else Markup(),
    )


def nothing_markup(title: str, says: str, *commands: tuple[str, str]) -> Markup:
    """What to do where there is nothing yet: commands to copy."""
    listed = Markup().join(command_markup(command, what) for command, what in commands)
    return Markup('<section class="nothing"><h2>{}</h2><p class="muted">{}</p>{}</section>').format(title, says, listed)


def command_markup(command: str, what: str = "") -> Markup:
    """A command to copy, and what it does."""
    return Markup(
        '<div class="command"><code>{}</code><span class="faint">{}</span><button class="button small" '
        'type="button" data-copy="{}" aria-label="Copy {}">{}<span>Copy</span></button></div>'
    ).format(command, what, command, command, icons.COPY)


def crumbs_markup(*steps: tuple[str, str]) -> Markup:
    """The way here, as links: address and name of each step."""
    return Markup('<nav class="crumbs" aria-label="Where this is">{}</nav>').format(
        Markup('<span aria-hidden="true">/</span>').join(
            Markup('<a href="{}"><bdi>{}</bdi></a>').format(url, one_line(text, 60)) for url, text in steps
        )
    )


def pager_markup(page: int, pages: int, url: Callable[[int], str]) -> Markup:
    """Links to the pages of a list; nothing where there is one page."""
    if pages <= 1:
        return Markup()
    near = sorted({1, 2, pages - 1, pages, page - 1, page, page + 1} & set(range(1, pages + 1)))
    parts, before = [], 0
    for number in near:
        if number > before + 1:
            parts.append(Markup('<span class="faint">…</span>'))
        current = Markup(' aria-current="page"') if number == page else Markup()
        parts.append(Markup('<a href="{}"{}>{}</a>').format(url(number), current, f"{number:,}"))
        before = number
    return Markup('<nav class="pager num" aria-label="Pages">{}</nav>').format(Markup().join(parts))


def _url(name: str) -> str:
    # A change of the file changes its address, so no browser keeps an old one.
    return f"{ASSETS}/{name}?v={hashlib.sha256(asset(name)).hexdigest()[:12]}"
