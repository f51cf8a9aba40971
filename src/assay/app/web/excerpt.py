"""A part of a document's text as HTML: headings, page breaks, and the cited span in a `<mark>`.

A document may hold tens of millions of characters, so only windows of it are drawn. Windows that
touch, set one after another, show every character between them once: removing the tags and the page
labels of a window leaves exactly its text. Proved by `tests/unit/web/test_excerpt.py`.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

from markupsafe import Markup

from assay.app.service import DocumentView
from assay.documents.document import Heading

BEFORE = 4_000
"""Characters shown before the cited span."""

WINDOW = 16_000
"""Characters shown at first, and more with each request: two screens of text scroll smoothly on a phone."""

MORE = 24_000

_SLACK = 400


@dataclass(frozen=True, slots=True)
class Window:
    """Characters `start` to `end` of a document's text."""

    start: int
    end: int


def window_at(text: str, start: int) -> Window:
    """The window to show first for a span that starts at character `start`."""
    start = min(max(start, 0), len(text))
    first = _break_before(text, max(0, start - BEFORE))
    return Window(first, _break_before(text, min(len(text), first + WINDOW)))


def window_before(text: str, start: int) -> Window:
    """The window that ends at character `start`."""
    return Window(_break_before(text, max(0, start - MORE)), start)


def window_after(text: str, end: int) -> Window:
    """The window that begins at character `end`."""
    return Window(end, _break_before(text, min(len(text), end + MORE)))


def excerpt(view: DocumentView, window: Window, *, mark: Window | None = None) -> Markup:
    """The text of `window`, with what of `mark` lies in it marked."""
    text = view.text
    headings = {start: heading for start, _, heading in _heading_lines(view, window)}
    heading_ends = {end for _, end, _ in _heading_lines(view, window)}
    pages = dict(_page_starts(view.pages, window))
    edges = {window.start, window.end, *headings, *heading_ends, *pages}
    if mark is not None:
        edges |= {mark.start, mark.end}
    cuts = sorted(edge for edge in edges if window.start <= edge <= window.end)
    out: list[Markup] = []
    level = 0
    for start, end in pairwise(cuts):
        if start in heading_ends:
            level = 0
        if start in headings:
            level = headings[start].level
        if start in pages:
            out.append(Markup('<span class="page-break" data-page="{}"></span>').format(pages[start]))
        piece = Markup("{}").format(text[start:end])
        if mark is not None and mark.start <= start < mark.end:
            piece = Markup("<mark>{}</mark>").format(piece)
        if level:
            piece = Markup('<span class="heading h{}">{}</span>').format(level, piece)
        out.append(piece)
    return Markup().join(out)


def page_at(pages: Sequence[tuple[int, int]], offset: int) -> int | None:
    """The 1-based page that holds the character at `offset`; None where there are no pages."""
    at = bisect_right(pages, offset, key=lambda page: page[0])
    return at if at and offset < pages[at - 1][1] else None


def headings_above(headings: Sequence[Heading], offset: int) -> list[str]:
    """The titles of the headings the character at `offset` stands under, outermost first."""
    path: list[Heading] = []
    for heading in headings[: bisect_right(headings, offset, key=lambda heading: heading.start)]:
        while path and path[-1].level >= heading.level:
            path.pop()
        path.append(heading)
    return [heading.title for heading in path]


def _heading_lines(view: DocumentView, window: Window) -> Iterator[tuple[int, int, Heading]]:
    """(start, end, heading) of the heading lines that reach into the window, cut to it."""
    headings = view.headings
    first = max(0, bisect_right(headings, window.start, key=lambda heading: heading.start) - 1)
    for heading in headings[first : bisect_left(headings, window.end, key=lambda heading: heading.start)]:
        line_end = view.text.find("\n", heading.start)
        end = len(view.text) if line_end < 0 else line_end
        if end > window.start and end > heading.start:
            yield max(heading.start, window.start), min(end, window.end), heading


def _page_starts(pages: Sequence[tuple[int, int]], window: Window) -> Iterator[tuple[int, int]]:
    """(start, number) of the pages that begin in the window."""
    first = bisect_left(pages, window.start, key=lambda page: page[0])
    for number in range(first, len(pages)):
        if pages[number][0] >= window.end:
            break
        yield pages[number][0], number + 1


def _break_before(text: str, at: int) -> int:
    """A line or word break at or shortly before `at`, so that a window does not begin inside a word."""
    if at in (0, len(text)):
        return at
    floor = max(0, at - _SLACK)
    for separator in ("\n", " "):
        found = text.rfind(separator, floor, at)
        if found >= 0:
            return found + 1
    return at
