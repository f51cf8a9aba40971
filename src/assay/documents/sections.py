"""The sections a document's headings make, and the path of headings above any place in it."""

from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass

from assay.documents.document import Document


@dataclass(frozen=True, slots=True)
class Section:
    """Characters `start` to `end`; `path` names the headings above, joined by ` > `; level 0 has no heading."""

    start: int
    end: int
    level: int
    path: str
    is_bare: bool


class Sections:
    """The sections of a document, in order, together its whole text."""

    def __init__(self, document: Document) -> None:
        self.all = list(_sections(document))
        self._starts = [section.start for section in self.all]

    def path_of(self, start: int, end: int) -> str:
        """The headings above a passage: those of its first section that has more than a heading."""
        index = bisect_right(self._starts, start) - 1
        while self.all[index].is_bare and index + 1 < len(self.all) and self._starts[index + 1] < end:
            index += 1
        return self.all[index].path


def _sections(document: Document) -> Iterator[Section]:
    text = document.text
    open_headings: list[tuple[int, str]] = []
    first = document.headings[0].start if document.headings else len(text)
    if first > 0 or not document.headings:
        yield Section(0, first, 0, "", not text[:first].strip())
    for index, heading in enumerate(document.headings):
        end = document.headings[index + 1].start if index + 1 < len(document.headings) else len(text)
        while open_headings and open_headings[-1][0] >= heading.level:
            open_headings.pop()
        open_headings.append((heading.level, heading.title))
        newline = text.find("\n", heading.start, end)
        body = text[newline:end].strip(" \t\n=-") if newline >= 0 else ""
        yield Section(heading.start, end, heading.level, " > ".join(title for _, title in open_headings), not body)
