"""A text as pieces that each fit in a passage, with how good a place to break the start of each is.

Blocks (headings, paragraphs, code fences, tables) become pieces whole where they are code or tables that fit,
by sentence where they are prose, by word where a sentence is too long, by token where a word is. Every
visible character lies in exactly one piece, in order. Linear: each level looks at a character once.
Proved by `tests/properties/test_spans.py`.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from enum import IntEnum
from unicodedata import combining

from assay.documents.counting import TokenCounts
from assay.documents.sentences import sentences

_LINE = re.compile(r"[^\n]+")
_FENCE = re.compile(r" {0,3}(`{3,}|~{3,})")
_ROW = re.compile(r"\s*\|")
_RULE = re.compile(r"\s*[=\-]{2,}\s*$")
_WORD = re.compile(r"\S+")
_JOINERS = frozenset("\u200d\ufe0e\ufe0f")  # zero width joiner and emoji variation selectors
# A passage is no longer than this many characters a token of its size, however few tokens a tokenizer
# makes of it: all-MiniLM-L6-v2 makes one unknown token of any unbroken run of over a hundred.
_CHARACTERS_PER_TOKEN = 24


class Break(IntEnum):
    """How good a place to break the start of a piece is, best first."""

    HEADING = 0
    BLOCK = 1
    LINE = 2
    SENTENCE = 3
    WORD = 4
    TOKEN = 5
    GLUED = 6  # right behind a heading


@dataclass(frozen=True, slots=True)
class Piece:
    """Characters `start` to `end`, both visible, and what breaking before them is worth."""

    start: int
    end: int
    rank: Break


class Measure:
    """Whether a span fits in a passage of `size` tokens."""

    def __init__(self, counts: TokenCounts, size: int) -> None:
        self.counts = counts
        self.size = size
        self.characters = size * _CHARACTERS_PER_TOKEN

    def fits(self, start: int, end: int) -> bool:
        """Whether text[start:end] is one passage."""
        return end - start <= self.characters and self.counts.between(start, end) <= self.size

    def fill(self, start: int, end: int) -> float:
        """How full of text[start:end] a passage would be; 1 is full."""
        return max(self.counts.between(start, end) / self.size, (end - start) / self.characters)


def pieces(text: str, start: int, end: int, *, measure: Measure, headings: frozenset[int]) -> Iterator[Piece]:
    """The pieces of text[start:end], in order, each fitting by `measure` unless it is a single character."""
    after_heading = False
    for block in _blocks(text, start, end, headings):
        is_heading = block.kind == "heading"
        rank = Break.GLUED if after_heading else Break.HEADING if is_heading else Break.BLOCK
        after_heading = is_heading
        for number, piece in enumerate(_of_block(text, block, measure)):
            yield piece if number else Piece(piece.start, piece.end, rank)


@dataclass(slots=True)
class _Block:
    start: int
    end: int
    kind: str


def _blocks(text: str, start: int, end: int, headings: frozenset[int]) -> Iterator[_Block]:
    """Headings, fenced code, tables and paragraphs; starts and ends are visible characters."""
    block: _Block | None = None
    fence, parted = "", True
    for match in _LINE.finditer(text, start, end):
        line = match.group()
        if not line.strip():
            parted = True
            continue
        first = match.start() + len(line) - len(line.lstrip())
        last = match.start() + len(line.rstrip())
        was_fenced, fence = fence, _fence_after(line, fence)
        if block is not None and (was_fenced or (not parted and _goes_on(block.kind, line, first, headings))):
            block.end = last
            if was_fenced and not fence:
                yield block
                block = None
        else:
            if block is not None:
                yield block
            block = _Block(first, last, "fence" if fence else _kind(line, match.start(), headings))
        parted = False
    if block is not None:
        yield block


def _kind(line: str, start: int, headings: frozenset[int]) -> str:
    if start in headings:
        return "heading"
    return "table" if _ROW.match(line) else "prose"


def _goes_on(kind: str, line: str, start: int, headings: frozenset[int]) -> bool:
    """Whether a line right below a block belongs to it."""
    if kind == "heading":
        return _RULE.match(line) is not None
    return not _FENCE.match(line) and _kind(line, start, headings) == kind


def _fence_after(line: str, fence: str) -> str:
    """The fence that is open below a line, given the one open above."""
    mark = _FENCE.match(line)
    if not mark:
        return fence
    if not fence:
        return mark.group(1)
    return "" if mark.group(1).startswith(fence) and not line.strip().strip(fence[0]) else fence


def _of_block(text: str, block: _Block, measure: Measure) -> Iterator[Piece]:
    if block.kind != "prose" and measure.fits(block.start, block.end):
        yield Piece(block.start, block.end, Break.BLOCK)
        return
    content = text[block.start : block.end]
    start, rank = 0, Break.BLOCK
    for sentence in sentences(content):
        if sentence.lead > start:
            yield from _of_sentence(text, block.start + start, block.start + sentence.lead, rank, measure)
            start, rank = sentence.lead, Break.LINE if sentence.opens else Break.SENTENCE
    yield from _of_sentence(text, block.start + start, block.end, rank, measure)


def _of_sentence(text: str, start: int, end: int, rank: Break, measure: Measure) -> Iterator[Piece]:
    """One piece if it fits, else its words, else their tokens."""
    end = start + len(text[start:end].rstrip())
    if measure.fits(start, end):
        yield Piece(start, end, rank)
        return
    for word in _WORD.finditer(text, start, end):
        position, stop = word.span()
        while not measure.fits(position, stop):
            cut = min(measure.counts.after(position, measure.size) or stop, position + measure.characters, stop)
            cut = max(off_marks(text, position, cut), position + 1)
            if cut >= stop:
                break
            yield Piece(position, cut, rank)
            position, rank = cut, Break.TOKEN
        yield Piece(position, stop, rank)
        rank = Break.WORD


def off_marks(text: str, start: int, cut: int) -> int:
    """A cut that does not part a letter from its accents, at most sixteen characters before `cut`."""
    moved = cut
    while (
        moved > max(start + 1, cut - 16) and moved < len(text) and (text[moved] in _JOINERS or combining(text[moved]))
    ):
        moved -= 1
    return moved
