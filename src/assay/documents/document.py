"""What a document and a passage are.

Invariant: `document.text[passage.start:passage.end] == passage.text`, and the passages of one
document cover its text in order. A citation can therefore always be shown in its place. Proved by
the property tests in `tests/properties/test_spans.py`.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Heading:
    """A heading in the extracted text: `level` 1-6, `start` the character its line starts at."""

    level: int
    start: int
    title: str


@dataclass(frozen=True, slots=True)
class Document:
    """A text extracted from one source.

    `source` names where it came from (a path relative to the workspace, or absolute outside it);
    `content_hash` is `sha256:` of the source's bytes. The two together identify the document.
    `pages` are character spans of pages, in order, empty where the format has none.
    """

    source: str
    content_hash: str
    text: str
    title: str = ""
    media_type: str = "text/plain"
    pages: tuple[tuple[int, int], ...] = ()
    headings: tuple[Heading, ...] = ()
    groups: tuple[str, ...] = ()
    metadata: Mapping[str, str] = field(default_factory=dict)

    @property
    def id(self) -> str:
        """Sixteen hex characters of the hash of source and content hash."""
        return hashlib.sha256(f"{self.source}\n{self.content_hash}".encode()).hexdigest()[:16]

    def page_at(self, offset: int) -> int | None:
        """The 1-based page that holds the character at `offset`, or None where there are no pages."""
        for number, (start, end) in enumerate(self.pages, start=1):
            if start <= offset < end:
                return number
        return None


@dataclass(frozen=True, slots=True)
class Passage:
    """A span of a document: characters `start` to `end` of its text.

    `heading` is the path of headings above it, joined by ` > `; `page` is 1-based.
    """

    document_id: str
    ordinal: int
    start: int
    end: int
    text: str
    page: int | None = None
    heading: str = ""
