"""What a reader of one format hands back: parts that become one text with its pages and headings.

Invariant: every page and heading is placed in the text as it was put together, after tidying, so no
offset is ever corrected afterwards. Proved by the format round trips in `tests/unit/documents/test_read.py`.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from itertools import pairwise

from assay.documents.document import Heading
from assay.documents.headings import markdown_headings, plain_title
from assay.documents.text import tidy


@dataclass(frozen=True, slots=True)
class Extract:
    """The text of a file and what the format says about it."""

    text: str
    media_type: str
    title: str = ""
    pages: tuple[tuple[int, int], ...] = ()
    headings: tuple[Heading, ...] = ()
    metadata: Mapping[str, str] = field(default_factory=dict)


class Writing:
    """A text put together from blocks; knows where its headings and pages start."""

    def __init__(self) -> None:
        self._parts: list[str] = []
        self._page_starts: list[int] = []
        self.length = 0
        self.headings: list[Heading] = []

    def block(self, text: str, *, gap: str = "\n\n") -> None:
        """Append a block, parted from the one before by `gap`. A block without a visible character is dropped."""
        text = tidy(text).strip("\n")
        if text.strip():
            self._append(gap if self.length else "")
            self._append(text)

    def heading(self, level: int, text: str) -> None:
        """Append a heading as a block of one line."""
        title = plain_title(tidy(text))
        if title:
            self.block(title)
            self.headings.append(Heading(min(max(level, 1), 6), self.length - len(title), title))

    def row(self, cells: Iterable[str], *, first: bool) -> None:
        """Append a row of a table; the first is parted from what came before by a blank line."""
        content = [" ".join(cell.split()) for cell in cells]
        if any(content):
            self.block(f"| {' | '.join(content)} |", gap="\n\n" if first else "\n")

    def code(self, text: str, language: str = "") -> None:
        """Append code between fences, so that its lines stay lines."""
        text = tidy(text).strip("\n")
        if text.strip():
            fence = "~~~" if "```" in text else "```"
            self.block(f"{fence}{language}\n{text}\n{fence}")

    def markdown(self, text: str) -> None:
        """Append a block of Markdown with its headings."""
        text = tidy(text).strip("\n")
        if text.strip():
            self.block(text)
            start = self.length - len(text)
            for heading in markdown_headings(text):
                self.headings.append(Heading(heading.level, start + heading.start, heading.title))

    def page(self) -> None:
        """Start a page; the gap to the next block belongs to the page before."""
        self._page_starts.append(self.length)

    def extract(self, media_type: str, *, title: str = "", metadata: Mapping[str, str] | None = None) -> Extract:
        """What was written, with its pages and headings."""
        pages = tuple(pairwise([*self._page_starts, self.length]))
        name = " ".join(tidy(title).split())
        return Extract("".join(self._parts), media_type, name, pages, tuple(self.headings), metadata or {})

    def _append(self, text: str) -> None:
        self._parts.append(text)
        self.length += len(text)
