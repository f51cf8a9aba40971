"""PDF: the text of each page as pdfium lays it down, with the headings its type sizes give away.

kreuzberg offers pages as pdfium reads them and a Markdown rendering that reflows them. The pages are the text,
since the rendering guesses tables where there are none and loses letters doing so; of the rendering only the
headings are used, and only those that are a whole line of a page. Rendering takes four times as long as reading
(55 against 14 ms a page on two busy cores), so a book goes without. Proved by `tests/unit/documents/test_formats.py`.
"""

import re
from bisect import bisect_left
from dataclasses import replace
from typing import TYPE_CHECKING

from assay.documents.archive import damaged
from assay.documents.document import Heading
from assay.documents.extract import Extract, Writing
from assay.documents.headings import markdown_headings
from assay.errors import Unreadable

if TYPE_CHECKING:
    from kreuzberg import ExtractionResult

_TYPE = "application/pdf"
_MOST_PAGES_RENDERED = 200
_STOPS = frozenset('.!?:;…"”)')
_ESCAPE = re.compile(r"\\([!-/:-@\[-`{-~])")
_LINE = re.compile(r"[^\n]+")
# pdfium's marks where a word was hyphenated over the end of a line: the hyphen and the newline are gone already.
_HYPHENATED = re.compile("[\x02\ufffe]")
_NOT_TITLES = re.compile(
    r"(untitled|microsoft (word|powerpoint|excel) - .*|.*\.(docx?|pptx?|xlsx?|indd|tex|dvi|pdf))?", re.I
)


def read_pdf(content: bytes, *, name: str) -> Extract:
    """The text of a PDF with its pages. Raises Unreadable: `encrypted`, `damaged`, `no_text`."""
    result = _extracted(content, "plain", name)
    writing = Writing()
    pages = result.pages or []
    end = "."
    for page in pages:
        text = _HYPHENATED.sub("", page["content"]).strip()
        writing.page()
        goes_on = end not in _STOPS and text[:1].islower()
        writing.block(text, gap="\n" if goes_on else "\n\n")
        end = text[-1:] or end
    if not writing.length:
        raise Unreadable(
            f"{name} has no text, only pictures of it",
            hint="Run it through OCR first (ocrmypdf does), then ingest the result.",
            code="no_text",
        )
    title = str(result.metadata.get("title") or "")
    extract = writing.extract(_TYPE, title="" if _NOT_TITLES.fullmatch(title.strip()) else title)
    if len(pages) > _MOST_PAGES_RENDERED:
        return extract
    return replace(extract, headings=_located(_extracted(content, "markdown", name).content, extract.text))


def _extracted(content: bytes, output: str, name: str) -> "ExtractionResult":
    import kreuzberg

    config = kreuzberg.ExtractionConfig(
        use_cache=False,
        enable_quality_processing=False,
        output_format=output,
        pages=kreuzberg.PageConfig(extract_pages=True),
    )
    try:
        return kreuzberg.extract_bytes_sync(content, _TYPE, config)
    except kreuzberg.KreuzbergError as error:
        if "password" in str(error).lower():
            raise Unreadable(
                f"{name} is encrypted", hint="Save a copy without a password.", code="encrypted"
            ) from error
        raise damaged(name) from error


def _located(rendering: str, text: str) -> tuple[Heading, ...]:
    """The rendering's headings that are whole lines of the text, each after the one before."""
    lines: dict[str, list[int]] = {}
    for match in _LINE.finditer(text):
        lines.setdefault("".join(match.group().split()), []).append(match.start())
    found: list[Heading] = []
    position = 0
    for heading in markdown_headings(rendering):
        title = _ESCAPE.sub(r"\1", heading.title)
        starts = lines.get("".join(title.split()), [])
        index = bisect_left(starts, position)
        if index < len(starts):
            found.append(Heading(heading.level, starts[index], title))
            position = starts[index] + 1
    return tuple(found)
