import html
import re
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from assay.app.scripted import view_of
from assay.app.service import DocumentView
from assay.app.web import excerpt as excerpts
from assay.app.web.excerpt import (
    BEFORE,
    WINDOW,
    Window,
    excerpt,
    headings_above,
    page_at,
    window_after,
    window_at,
    window_before,
)
from assay.documents.document import Heading

texts = st.lists(
    st.sampled_from(["# Title\n", "## Part\n", "Some words, and more. ", "\n\n", "<b>&amp;\"'", "ä𝄞", "x" * 40]),
    max_size=60,
).map("".join)


def plain(markup: str) -> str:
    """The text a browser would show, page labels apart: they are drawn by the stylesheet."""
    return html.unescape(re.sub(r"<[^>]*>", "", markup))


@st.composite
def views(draw: st.DrawFn) -> DocumentView:
    text = draw(texts)
    view = view_of("d", "d.md", text)
    cuts = sorted(draw(st.sets(st.integers(0, len(text)), max_size=4)) | {0, len(text)})
    return DocumentView("d", "d.md", "", "text/markdown", text, view.headings, tuple(pairwise(cuts)))


@given(views(), st.data())
def test_a_window_shows_exactly_its_text_and_marks_exactly_the_span(view: DocumentView, data: st.DataObject) -> None:
    ends = st.tuples(st.integers(0, len(view.text)), st.integers(0, len(view.text))).map(sorted)
    start, end = data.draw(ends)
    mark_start, mark_end = data.draw(ends)
    shown = excerpt(view, Window(start, end), mark=Window(mark_start, mark_end))
    assert plain(shown) == view.text[start:end]
    marked = "".join(re.findall(r"<mark>(.*?)</mark>", shown, re.DOTALL))
    assert plain(marked) == view.text[max(start, mark_start) : min(end, mark_end)]


@given(st.text("ab \n", max_size=3_000), st.integers(0, 4_000))
def test_windows_join_without_a_gap(text: str, at: int) -> None:
    # Small steps, so that a short text needs several.
    constants = excerpts.BEFORE, excerpts.WINDOW, excerpts.MORE, excerpts._SLACK
    excerpts.BEFORE, excerpts.WINDOW, excerpts.MORE, excerpts._SLACK = 100, 300, 200, 40
    try:
        window = window_at(text, at)
        assert window.start <= min(at, len(text))
        parts = [text[window.start : window.end]]
        first, last = window.start, window.end
        while first > 0:
            before = window_before(text, first)
            assert before.end == first
            assert before.start < before.end, "more must show more"
            parts.insert(0, text[before.start : before.end])
            first = before.start
        while last < len(text):
            after = window_after(text, last)
            assert after.start == last
            assert after.end > after.start, "more must show more"
            parts.append(text[after.start : after.end])
            last = after.end
        assert "".join(parts) == text
    finally:
        excerpts.BEFORE, excerpts.WINDOW, excerpts.MORE, excerpts._SLACK = constants


def test_the_window_holds_the_span_and_little_else_of_a_huge_text() -> None:
    text = "word " * 2_000_000
    window = window_at(text, 5_000_000)
    assert window.start <= 5_000_000 - BEFORE + 1
    assert window.end >= 5_000_000 + 5_000
    assert window.end - window.start <= WINDOW + 400


def test_windows_do_not_begin_inside_a_word() -> None:
    text = "seven letters each " * 20_000
    window = window_at(text, 200_000)
    for edge in (window.start, window.end, window_before(text, window.start).start, window_after(text, window.end).end):
        assert text[edge - 1] == " "
        assert text[edge] != " "


def test_pages_and_headings_are_named() -> None:
    pages = ((0, 10), (10, 20), (25, 30))
    assert [page_at(pages, offset) for offset in (0, 9, 10, 22, 29, 30)] == [1, 1, 2, None, 3, None]
    headings = (Heading(1, 0, "Top"), Heading(2, 5, "One"), Heading(3, 8, "Deep"), Heading(2, 12, "Two"))
    assert headings_above(headings, 9) == ["Top", "One", "Deep"]
    assert headings_above(headings, 13) == ["Top", "Two"]
    assert headings_above((), 3) == []


def test_a_page_break_stands_where_the_page_begins() -> None:
    view = DocumentView("d", "d", "", "text/plain", "first page. second page.", (), ((0, 12), (12, 24)))
    shown = excerpt(view, Window(6, 24))
    assert shown == 'page. <span class="page-break" data-page="2"></span>second page.'
