"""Where the sentences of a text are, as exact spans.

Two steps. Lines become units: a heading, a list item, a table row, a line of code or of a record is
a unit of its own, and lines that were only wrapped are joined. Units become sentences: at `.`, `!`,
`?`, an ellipsis or their full-width kin, with the brackets and quotes that close after them, unless the
stop belongs to an abbreviation, an initial, an ordinal or a sentence that goes on in lower case.
Rules for English and German; other languages with these stops fare well without their abbreviations.

Invariant: spans are in order, do not overlap, start and end on a visible character, and every letter and
digit outside markers and fences lies in exactly one. One pass over the text; every look back is bounded. Proved by
`tests/properties/test_spans.py` and the examples in `tests/unit/documents/test_sentences.py`.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from assay.documents.abbreviations import AFTER_ORDINAL, ALWAYS_INSIDE, INSIDE_BEFORE_NUMBER, SOMETIMES_INSIDE, STARTERS

_LINE = re.compile(r"[^\r\n\x0b\x0c\x1c-\x1e\x85\u2028\u2029]+")
_NEWLINE = re.compile(r"\r\n|[\r\n\x0b\x0c\x1c-\x1e\x85\u2028\u2029]")
_FENCE = re.compile(r"\s{0,3}(?:```|~~~)")
_HEADING = re.compile(r"\s{0,3}#{1,6}(?:\s+|$)")
_BULLET = re.compile(r"\s*(?:[-*+•‣◦▪–·]\s+(?:\[[ xX]\]\s+)?|\(?(?:\d{1,3}|[A-Za-z]|[ivx]{1,4})\)\s+|\d{1,3}\.\s+)")
_QUOTE = re.compile(r"\s{0,3}(?:>\s?)+")
_ROW = re.compile(r"\s*\||.*\t.*\t|(?:[^,;|]*[,;|](?=\S)){2}")
_CODE = re.compile(r"(?: {4}|\t)|.*(?:[{};]\s*$|\w\(.*\)\s*:?\s*$|\w\[\w*\]|\s(?:==?|:=|=>|->|&&|\|\|)\s|::)")
_RULE = re.compile(r"[\s=\-*_~^`#+|:.>]*$")

_STOP = re.compile(r"(?:[.!?…]+|[。！？｡]+)(?:[\"'”’“»«›)\]}*_」』]|\[\d{1,3}(?:[,–-]\s?\d{1,3})*\])*")
_LONGEST_RUN = 2000  # lines; bounds the memory of a file without blank lines
_FULL_WIDTH = frozenset("。！？｡")
_WORD_BEFORE = re.compile(r"[^\s(\[{\"'“„«/—–]+$")
_WORD_AFTER = re.compile(r"\s+[\"'“‘„«»‹(\[{*_¿¡-]*([^\W_]+)")


@dataclass(frozen=True, slots=True)
class Sentence:
    """A sentence: `start` to `end` is what to quote, from `lead` on it includes its list or heading marker.

    `opens` is true where a heading, a paragraph, a list item, a row or a line of code begins with it.
    """

    lead: int
    start: int
    end: int
    opens: bool


@dataclass(frozen=True, slots=True)
class _Line:
    start: int
    end: int
    text: str
    marker: int
    alone: bool
    verbatim: bool
    blank_before: bool


@dataclass(frozen=True, slots=True)
class _Unit:
    start: int
    marker: int
    end: int
    verbatim: bool


def sentence_spans(text: str) -> list[tuple[int, int]]:
    """The (start, end) of every sentence of `text`, in order, without list, quote and heading markers."""
    return [(sentence.start, sentence.end) for sentence in sentences(text)]


def sentences(text: str) -> Iterator[Sentence]:
    """Every sentence of `text` in order, knowing where its marker starts."""
    for unit in _units(text):
        lead, start, opens = unit.start, unit.start + unit.marker, True
        for stop in () if unit.verbatim else _stops(text, start, unit.end):
            yield from _sentence(text, lead, start, stop, opens)
            lead, start, opens = stop, stop, False
        yield from _sentence(text, lead, start, unit.end, opens)


def _sentence(text: str, lead: int, start: int, end: int, opens: bool) -> Iterator[Sentence]:
    piece = text[start:end]
    trimmed = piece.strip()
    if not trimmed or _RULE.match(trimmed):
        return
    begin = start + len(piece) - len(piece.lstrip())
    head = text[lead:begin]
    yield Sentence(lead + len(head) - len(head.lstrip()), begin, begin + len(trimmed), opens)


def _lines(text: str) -> Iterator[_Line]:
    """The lines that hold something, with their marker's length and whether they stand alone."""
    fenced = False
    previous_end, blank = 0, True
    for match in _LINE.finditer(text):
        line = match.group()
        if not line.strip():
            blank = True
            previous_end = match.end()
            continue
        newlines = _NEWLINE.findall(text, previous_end, match.start())
        blank = blank or len(newlines) > 1
        is_fence = _FENCE.match(line) is not None
        if is_fence:
            fenced = not fenced
            marker, alone = len(line), True
        else:
            marker, alone = (0, True) if fenced else _shape(line)
        yield _Line(match.start(), match.end(), line, marker, alone, fenced, blank)
        previous_end, blank = match.end(), False


def _shape(line: str) -> tuple[int, bool]:
    """How long the marker of a line is, and whether the line is a unit whatever stands around it."""
    heading = _HEADING.match(line)
    if heading:
        return heading.end(), True
    quote = _QUOTE.match(line)
    rest = line[quote.end() :] if quote else line
    offset = quote.end() if quote else 0
    bullet = _BULLET.match(rest)
    if bullet:
        return offset + bullet.end(), False
    head = rest[:400]
    return offset, _ROW.match(head) is not None or _CODE.match(head) is not None or _RULE.match(head) is not None


def _units(text: str) -> Iterator[_Unit]:
    """Runs of lines that are one stretch of prose, one row or one line of code."""
    run: list[_Line] = []
    for line in _lines(text):
        breaks = line.blank_before or line.alone or _opens_item(line)
        if run and (breaks or run[-1].alone or len(run) >= _LONGEST_RUN):
            yield from _joined(run)
            run = []
        run.append(line)
    if run:
        yield from _joined(run)


def _opens_item(line: _Line) -> bool:
    return _BULLET.match(line.text[: line.marker].lstrip(" >") or "x") is not None


def _joined(run: list[_Line]) -> Iterator[_Unit]:
    """Join the lines of a run that were only wrapped: the next word would not have fitted on the line.

    A wrapped paragraph's lines are all about as long as its longest; a list's are not. PDF lines are ragged,
    so a line counts as full at 70% of the longest.
    """
    width = max(len(line.text.rstrip()) for line in run)
    first = previous = run[0]
    for line in run[1:]:
        words = line.text[line.marker :].split(None, 1)
        length = len(previous.text.rstrip())
        goes_on = length >= 20 and bool(words) and words[0][0].islower()
        full = width >= 40 and bool(words) and length + 1 + len(words[0]) > 0.7 * width
        if not (full or goes_on):
            yield _Unit(first.start, first.marker, previous.end, first.verbatim)
            first = line
        previous = line
    yield _Unit(first.start, first.marker, previous.end, first.verbatim)


def _stops(text: str, start: int, end: int) -> Iterator[int]:
    """Where sentences end inside one unit, the unit's own end left out."""
    for match in _STOP.finditer(text, start, end):
        stop = match.end()
        if stop >= end:
            return
        if match.group()[0] in _FULL_WIDTH or _ends_sentence(text, start, match.start(), stop, end):
            yield stop


def _ends_sentence(text: str, start: int, at: int, stop: int, end: int) -> bool:
    """Whether the stop at `at`, closed by `stop`, ends a sentence. Looks 40 characters back and 60 ahead."""
    if not text[stop].isspace():
        return False
    following = _WORD_AFTER.match(text, stop, min(end, stop + 60))
    after = following.group(1) if following else ""
    if after[:1].islower():
        return False
    if text[at] != "." or text[at : at + 2] == "..":
        return True
    found = _WORD_BEFORE.search(text[max(start, at - 40) : at])
    before = found.group().strip("*_.") if found else ""
    word = before.lower()
    if word in ALWAYS_INSIDE or (word in INSIDE_BEFORE_NUMBER and after[:1].isdigit()):
        return False
    starts = after.lower() in STARTERS and not _is_initial(text, following)
    if word in SOMETIMES_INSIDE or (len(before) == 1 and before.isalpha()) or _is_acronym(before):
        return starts
    if before.isdigit() and len(before) <= 3:
        return after.lower() not in AFTER_ORDINAL
    return True


def _is_initial(text: str, word: re.Match[str] | None) -> bool:
    """Whether a word is one letter and a stop: the I of `E. I. du Pont` starts no sentence."""
    return word is not None and word.end(1) - word.start(1) == 1 and text[word.end() : word.end() + 1] == "."


def _is_acronym(word: str) -> bool:
    parts = word.split(".")
    return len(parts) > 1 and all(len(part) <= 2 and part.isalpha() for part in parts)
