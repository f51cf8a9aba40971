"""HTML to text: what a reader of the page sees, block by block, without menus and scripts.

A page's markup ends here: what comes out is text and nothing else, whatever tags it held. One pass over
the events of the standard library's tolerant parser. kreuzberg 4.10 pulls whatever follows a table with
unclosed cells into it and writes `snake\\_case`, so it is not used here. Proved by
`tests/unit/documents/test_formats.py`.
"""

import re
from html.parser import HTMLParser

from assay.documents.extract import Extract, Writing
from assay.documents.text import decode, tidy

_TYPE = "text/html"
_CHARSET = re.compile(rb"<meta[^>]{0,200}charset\s*=\s*[\"']?([A-Za-z0-9_.:-]{2,40})", re.IGNORECASE)
_NEVER_SEEN = frozenset({"script", "style", "template"})
_MENUS = frozenset({"nav", "noscript", "svg", "iframe", "object", "select", "datalist", "dialog"})
_HEADINGS = {f"h{level}": level for level in range(1, 7)}
_LISTS = frozenset({"ul", "ol", "menu"})
_BLOCKS = frozenset({*_HEADINGS, *_LISTS, "address", "article", "aside", "blockquote", "body", "caption", "center"}) | {
    *(
        "dd",
        "details",
        "div",
        "dl",
        "dt",
        "fieldset",
        "figcaption",
        "figure",
        "footer",
        "form",
        "header",
        "hr",
        "legend",
    ),
    *("li", "main", "p", "pre", "section", "summary", "table", "tbody", "tfoot", "thead", "tr"),
}
# In a table cell these mean that the table lays out the page.
_LAYOUT = frozenset({*_HEADINGS, *_LISTS, "table", "pre", "article", "section"})
_BREAK = "\x00"  # stands for <br>; tidied markup holds no other


def read_page(content: bytes, *, name: str) -> Extract:
    """The text of an HTML page. Raises Unreadable: `binary`, `encoding`."""
    writing = Writing()
    title = write_page(writing, _decoded(content, name))
    return writing.extract(_TYPE, title=title)


def write_page(writing: Writing, markup: str) -> str:
    """Append the text of `markup` to `writing`; the page's title is returned."""
    page = _Page(_NEVER_SEEN | _MENUS)
    page.read(markup)
    if page.is_hiding:  # a menu that is never closed would hide the rest of the page
        page = _Page(_NEVER_SEEN)
        page.read(markup)
    for block in page.blocks:
        block.write(writing)
    return page.title


def _decoded(content: bytes, name: str) -> str:
    declared = _CHARSET.search(content[:4096])
    if declared:
        try:
            return content.decode(declared.group(1).decode("ascii"))
        except (LookupError, UnicodeDecodeError):
            pass  # pages lie about their charset; the bytes themselves are asked next
    return decode(content, name=name)[0]


class _Block:
    """A block of the page: a paragraph, a heading (`level`), a list item (`marker`), code or a row of cells."""

    def __init__(
        self, text: str, *, level: int = 0, is_code: bool = False, marker: str = "", gap: str = "\n\n"
    ) -> None:
        self.text = text
        self.level = level
        self.is_code = is_code
        self.marker = marker
        self.gap = gap

    def write(self, writing: Writing) -> None:
        if self.is_code:
            writing.code(self.text.replace(_BREAK, "\n"))
            return
        text = "\n".join(" ".join(line.split()) for line in self.text.split(_BREAK)).strip()
        if self.level:
            writing.heading(self.level, text)
        elif text:
            writing.block(self.marker + text, gap=self.gap)


class _Row(_Block):
    def __init__(self, cells: list[str], *, is_first: bool) -> None:
        super().__init__("")
        self.cells = [cell.replace(_BREAK, " ") for cell in cells]
        self.is_first = is_first

    def write(self, writing: Writing) -> None:
        writing.row(self.cells, first=self.is_first)


class _Page(HTMLParser):
    """Gathers blocks from the parser's events."""

    def __init__(self, unseen: frozenset[str]) -> None:
        super().__init__(convert_charrefs=True)
        self.blocks: list[_Block] = []
        self.title = ""
        self._unseen = unseen
        self._hiding: list[str] = []
        self._text: list[str] = []
        self._cells: list[str] | None = None
        self._numbers: list[int | None] = []  # the last number of each open list, None where it has bullets
        self._marker = ""
        self._level = 0
        self._pre = 0
        self._in_title = False
        self._after = ""  # what the last block was: "item", "row" or something else

    @property
    def is_hiding(self) -> bool:
        """Whether an element whose text is left out was still open at the end."""
        return bool(self._hiding)

    def read(self, markup: str) -> None:
        """Parse all of `markup`."""
        self.feed(tidy(markup))
        self.close()
        self._flush()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if self._hiding:
            if tag == self._hiding[-1]:
                self._hiding.append(tag)
        elif tag in self._unseen:
            self._hiding.append(tag)
        elif tag == "title":
            self._in_title = True
        elif tag == "br":
            self._text.append(_BREAK)
        elif tag in ("td", "th"):
            self._end_cell()
        elif tag in _BLOCKS:
            self._open(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag in ("br", "hr"):  # `<svg/>` and the like hide nothing
            self.handle_starttag(tag, attrs)

    def handle_endtag(self, tag: str) -> None:
        if self._hiding:
            if tag == self._hiding[-1]:
                self._hiding.pop()
        elif tag in ("title", "head"):
            self._in_title = False
        elif tag in ("td", "th"):
            self._end_cell()
        elif tag in _BLOCKS:
            self._close(tag)

    def handle_data(self, data: str) -> None:
        if self._hiding:
            return
        if self._in_title:
            self.title = self.title or " ".join(data.split())
        else:
            self._text.append(data)

    def _open(self, tag: str) -> None:
        if self._cells is not None and tag != "tr" and tag not in _LAYOUT:
            self._text.append(" ")
            return
        self._flush()
        if tag in _HEADINGS:
            self._level = _HEADINGS[tag]
        elif tag == "pre":
            self._pre += 1
        elif tag in _LISTS:
            self._numbers.append(0 if tag == "ol" else None)
        elif tag == "li":
            self._marker = self._next_marker()
        elif tag == "table":
            self._after = ""
        elif tag == "tr":
            self._cells = []

    def _close(self, tag: str) -> None:
        if self._cells is not None and tag not in ("tr", "table", "tbody", "thead", "tfoot"):
            self._text.append(" ")
            return
        self._flush()
        if tag == "pre":
            self._pre = max(self._pre - 1, 0)
        elif tag in _LISTS and self._numbers:
            self._numbers.pop()
            self._after = self._after if self._numbers else ""
        elif tag in _HEADINGS:
            self._level = 0

    def _next_marker(self) -> str:
        number = self._numbers[-1] if self._numbers else None
        if number is None:
            return "- "
        self._numbers[-1] = number + 1
        return f"{number + 1}. "

    def _end_cell(self) -> None:
        text = "".join(self._text)
        if self._cells is None:
            self._flush()
        elif text.strip():
            self._cells.append(text)
            self._text = []

    def _flush(self) -> None:
        """Make a block of what was gathered."""
        if self._cells is not None:
            self._end_cell()
            if self._cells:
                self.blocks.append(_Row(self._cells, is_first=self._after != "row"))
                self._after = "row"
            self._cells = None
            return
        text = "".join(self._text)
        self._text = []
        if not text.replace(_BREAK, " ").strip():
            return
        gap = "\n" if self._marker and self._after == "item" else "\n\n"
        self.blocks.append(_Block(text, level=self._level, is_code=self._pre > 0, marker=self._marker, gap=gap))
        self._after = "item" if self._marker else ""
        self._marker, self._level = "", 0
