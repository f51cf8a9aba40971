"""What a reader of one format hands back: parts that become one text with its pages and headings.

Invariant: every page and heading is placed in the text as it was put together, after tidying, so no
offset is ever corrected afterwards. Proved by the format round trips in `tests/unit/documents/test_read.py`.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from assay.documents.document import Heading
from assay.documents.headings import plain_title
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
        self._length = 0
        self._page_starts: list[int] = []
        self.headings: list[Heading] = []

    def block(self, text: str, *, gap: str = "\n\n") -> None:
        """Append a block, parted from the one before by `gap`. Blocks without a visible character are dropped."""
        text = tidy(text).strip("\n")
        if text.strip():
            self._append(gap if self._length else "")
            self._append(text)

    def heading(self, level: int, text: str) -> None:
        """Append a heading as a block of one line."""
        title = plain_title(tidy(text))
        if title:
            self.block(title)
            self.headings.append(Heading(min(max(level, 1), 6), self._length - len(title), title))

    def page(self) -> None:
        """Start a page; the gap to the next block belongs to the page before."""
        self._page_starts.append(self._length)

    def text(self) -> str:
        """The text so far."""
        return "".join(self._parts)

    def pages(self) -> tuple[tuple[int, int], ...]:
        """The spans of the pages, in order, together the whole text."""
        ends = [*self._page_starts[1:], self._length]
        return tuple(zip(self._page_starts, ends, strict=True))

    def _append(self, text: str) -> None:
        self._parts.append(text)
        self._length += len(text)
