"""What questions are asked of: excerpts of a few sentences, exact spans of a sampled handful of documents.

Invariant: `document.text[excerpt.start:excerpt.end] == excerpt.text`, and every sentence lies inside its excerpt. The
sample depends on the seed and the documents' order alone, and memory on its size, not on how many documents there are.
"""

import random
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import NamedTuple, Protocol, runtime_checkable

from assay.documents.sentences import Sentence, sentences

LONGEST_CHARACTERS = 1_000
_ENOUGH_CHARACTERS = 400  # a paragraph ends an excerpt that has so much
_LEAST_LETTERS = 60
_PROSE = 0.7  # share of letters and blanks in prose; tables, code and lists of references have less


class SourceText(NamedTuple):
    """A document as generation needs it."""

    source: str
    title: str
    text: str


@runtime_checkable
class HasText(Protocol):
    """Anything with a source, a title and a text, such as `assay.documents.document.Document`."""

    @property
    def source(self) -> str: ...
    @property
    def title(self) -> str: ...
    @property
    def text(self) -> str: ...


@dataclass(frozen=True, slots=True)
class Excerpt:
    """Characters `start` to `end` of a source. `sentences` are spans of the source too, headings left out."""

    source: str
    title: str
    start: int
    end: int
    text: str
    sentences: tuple[tuple[int, int], ...]

    def quote(self, start: int, end: int) -> str:
        """The source's characters `start` to `end`, which lie in this excerpt."""
        return self.text[start - self.start : end - self.start]


def sampled(documents: Iterable[HasText | tuple[str, str, str]], *, most: int, seed: int) -> list[SourceText]:
    """At most `most` documents, every one equally likely, in an order drawn at random (Vitter 1985, algorithm R)."""
    drawn = drawn_from("documents", seed)
    kept: list[SourceText] = []
    for place, document in enumerate(documents):
        at = place if place < most else drawn.randrange(place + 1)
        if at >= most:
            continue
        found = _source_text(document)
        if at == len(kept):
            kept.append(found)
        else:
            kept[at] = found
    drawn.shuffle(kept)
    return kept


def drawn_from(*parts: object) -> random.Random:
    """Draws that depend on `parts` alone, on every machine."""
    return random.Random("\n".join(map(str, parts)))  # noqa: S311  chooses what to ask about, guards nothing


def _source_text(document: HasText | tuple[str, str, str]) -> SourceText:
    if isinstance(document, HasText):
        return SourceText(document.source, document.title, document.text)
    return SourceText(*document)


def spread(documents: Iterable[SourceText], *, per_document: int, seed: int) -> list[Excerpt]:
    """Up to `per_document` excerpts of each document, drawn at random: first one of each document, then a second."""
    drawn: list[list[Excerpt]] = []
    for document in documents:
        found = list(excerpts(document))
        # Named by the document, so that its excerpts do not depend on which others there are.
        drawn_from("excerpts", seed, document.source).shuffle(found)
        drawn.append(found[:per_document])
    return [found[turn] for turn in range(per_document) for found in drawn if turn < len(found)]


def excerpts(document: SourceText) -> Iterator[Excerpt]:
    """The prose of a document in order, cut between sentences, at paragraphs where they are long enough."""
    window: list[Sentence] = []
    for sentence in sentences(document.text):
        is_prose = _is_prose(document.text, sentence)
        if window and (not is_prose or _ends(window, sentence)):
            yield from _excerpt(document, window)
            window = []
        if is_prose:
            window.append(sentence)
    yield from _excerpt(document, window)


def _is_prose(text: str, sentence: Sentence) -> bool:
    """Neither a heading nor a row of a table, code or numbers, nor too long for a sentence."""
    said = text[sentence.start : sentence.end]
    plain = sum(char.isalpha() or char == " " for char in said)
    return text[sentence.lead] != "#" and len(said) <= LONGEST_CHARACTERS and plain >= _PROSE * len(said)


def _ends(window: list[Sentence], following: Sentence) -> bool:
    start = window[0].start
    is_paragraph = following.opens and window[-1].end - start >= _ENOUGH_CHARACTERS
    return is_paragraph or following.end - start > LONGEST_CHARACTERS


def _excerpt(document: SourceText, window: list[Sentence]) -> Iterator[Excerpt]:
    if not window:
        return
    start, end = window[0].start, window[-1].end
    text = document.text[start:end]
    if sum(char.isalpha() for char in text) >= _LEAST_LETTERS:
        spans = tuple((sentence.start, sentence.end) for sentence in window)
        yield Excerpt(document.source, document.title, start, end, text, spans)
