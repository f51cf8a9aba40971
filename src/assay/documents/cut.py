"""Cut a document into passages.

Five cuts, one promise: passages are spans of the text, in order; every visible character lies in at least one,
and in exactly one where there is no overlap; none holds more than `size` tokens, counted on its own text, save a
single character that is more by itself. All cuts but `tokens` break at headings, paragraphs and sentences before
they break at sizes. The text is tokenised once to choose the breaks; passages over seven eighths full are
tokenised again by themselves, since counts need not add up: part of a word may be more tokens alone than inside
the word. The promise of size holds for tokenizers whose counts add up to within an eighth; those known do.
Proved by `tests/properties/test_spans.py`.
"""

import re
from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from assay.documents.counting import TokenCounts, Tokens
from assay.documents.document import Document, Passage
from assay.documents.pieces import Break, Measure, Piece, off_marks, pieces
from assay.documents.sections import Section, Sections
from assay.documents.semantic import Embed, topics
from assay.documents.settings import DocumentSettings
from assay.errors import BadSetting

Span = tuple[int, int]

_VISIBLE = re.compile(r"\S")
# A passage is broken at the best place that leaves it at least this full.
_LEAST_FILL = 0.5
# A section this empty is joined with the next one; a rest this small is not left for a passage of its own.
_TINY = 0.25


def cut(document: Document, *, settings: DocumentSettings, tokens: Tokens, embed: Embed | None = None) -> list[Passage]:
    """The passages of `document`, by the cut and size of `settings`.

    `tokens` gives the character spans of a text's tokens; sizes are counted with it. `embed` gives unit
    vectors of texts; only the semantic cut needs it. Raises BadSetting where it is missing, or where
    the overlap is more than half the size.
    """
    if settings.overlap > settings.size // 2:
        raise BadSetting(
            f"documents.overlap is {settings.overlap}, more than half of documents.size ({settings.size})",
            hint=f"Set documents.overlap to at most {settings.size // 2}.",
        )
    measure = Measure(TokenCounts(document.text, tokens), settings.size)
    spans = _spans(document, settings, measure, embed)
    sections = Sections(document)
    page_starts = [start for start, _ in document.pages]
    identity = document.id
    passages: list[Passage] = []
    for start, end in _checked(document.text, spans, measure, tokens):
        page = bisect_right(page_starts, start) or None
        path = sections.path_of(start, end)
        passages.append(Passage(identity, len(passages), start, end, document.text[start:end], page, path))
    return passages


def _spans(document: Document, settings: DocumentSettings, measure: Measure, embed: Embed | None) -> Iterator[Span]:
    text = document.text
    headings = frozenset(heading.start for heading in document.headings)
    match settings.cut:
        case "tokens":
            return _windows(text, measure, settings.overlap)
        case "sentences":
            return _filled(pieces(text, 0, len(text), measure=measure, headings=headings), measure, settings.overlap)
        case "recursive":
            return _packed(text, [(0, len(text))], measure, headings)
        case "headings":
            return _packed(text, _merged(Sections(document).all, measure), measure, headings)
        case "semantic":
            if embed is None:
                raise BadSetting("the semantic cut needs an embedder", hint='Set documents.cut to "headings".')
            found = topics(pieces(text, 0, len(text), measure=measure, headings=headings), text, embed)
            return _packed(text, _merged(found, measure), measure, headings)


def _packed(text: str, spans: Sequence[Span], measure: Measure, headings: frozenset[int]) -> Iterator[Span]:
    """Each span broken where it breaks best, at places that leave a passage at least half full."""
    for start, end in spans:
        window: list[Piece] = []
        for piece in pieces(text, start, end, measure=measure, headings=headings):
            while window and not measure.fits(window[0].start, piece.end):
                kept = _best_break([*window[1:], piece], window[0].start, end, measure) + 1
                yield window[0].start, window[kept - 1].end
                del window[:kept]
            window.append(piece)
        if window:
            yield window[0].start, window[-1].end


def _best_break(candidates: Sequence[Piece], start: int, end: int, measure: Measure) -> int:
    """The index of the piece to break before: the best rank that leaves both sides full enough, then the latest."""
    best, best_key = len(candidates) - 1, (3, 0)
    for index, piece in enumerate(candidates):
        glued = piece.rank is Break.GLUED
        is_thin = measure.fill(start, piece.start) < _LEAST_FILL or measure.fill(piece.start, end) < _TINY
        key = (2, 0) if glued else (1, 0) if is_thin else (0, int(piece.rank))
        if key <= best_key:
            best, best_key = index, key
    return best


def _filled(found: Iterator[Piece], measure: Measure, overlap: int) -> Iterator[Span]:
    """Whole sentences up to the size; each passage repeats the last sentences of the one before, up to `overlap`."""
    window: list[Piece] = []
    repeated = 0  # how many pieces of the window the passage before holds too
    for piece in found:
        while window and not measure.fits(window[0].start, piece.end):
            if repeated == len(window):
                del window[0]
                repeated -= 1
                continue
            kept = len(window) if piece.rank is not Break.GLUED else _unglued(window, repeated)
            yield window[0].start, window[kept - 1].end
            again = kept
            while again > 1 and measure.counts.between(window[again - 1].start, window[kept - 1].end) <= overlap:
                again -= 1
            del window[:again]
            repeated = kept - again
        window.append(piece)
    if len(window) > repeated:
        yield window[0].start, window[-1].end


def _unglued(window: Sequence[Piece], repeated: int) -> int:
    """How many pieces to keep so that no heading is left at the end, all of them where nothing else is new."""
    kept = len(window) - 1
    while kept > repeated and window[kept].rank is Break.GLUED:
        kept -= 1
    return kept if kept > repeated else len(window)


def _windows(text: str, measure: Measure, overlap: int) -> Iterator[Span]:
    """Spans of as many tokens as fit, moved back to the start of a word, each repeating `overlap` tokens."""
    starts = measure.counts.starts
    begin = covered = 0
    while visible := _VISIBLE.search(text, covered):
        begin = begin if begin < covered else visible.start()
        stop = _window_end(text, begin, measure)
        if stop <= covered:
            begin = covered
            continue
        covered = len(text) if stop >= len(text) else _word_start(text, covered, stop)
        yield begin, covered
        begin = _repeat_from(text, starts, begin, covered, overlap)


def _window_end(text: str, begin: int, measure: Measure) -> int:
    stop = measure.counts.after(begin, measure.size)
    return max(min(len(text) if stop is None else stop, begin + measure.characters), begin + 1)


def _repeat_from(text: str, starts: Sequence[int], begin: int, end: int, overlap: int) -> int:
    """Where the next window starts: `overlap` tokens before `end`, at a word, never at or before `begin`."""
    index = bisect_left(starts, end) - overlap
    if not overlap or index < 0:
        return end
    again = _word_start(text, begin, starts[index])
    return again if begin < again < end else end


def _word_start(text: str, begin: int, stop: int) -> int:
    """The last start of a word in the 32 characters up to `stop`, else `stop` moved off the accents of a letter."""
    for place in range(stop, max(begin, stop - 32), -1):
        if place < len(text) and text[place - 1].isspace() and not text[place].isspace():
            return place
    return off_marks(text, begin, stop)


@dataclass(slots=True)
class _Group:
    start: int
    end: int
    level: int
    is_bare: bool


def _merged(sections: Sequence[Section], measure: Measure) -> list[Span]:
    """Sections, the tiny ones joined: a bare heading with what follows it, a few lines with their neighbours."""
    groups: list[_Group] = []
    for section in sections:
        last = groups[-1] if groups else None
        if last is not None and _takes(last, section, measure):
            last.end = section.end
            last.is_bare = last.is_bare and section.is_bare
            continue
        _fold_back(groups, measure)
        groups.append(_Group(section.start, section.end, section.level, section.is_bare))
    _fold_back(groups, measure)
    return [(group.start, group.end) for group in groups]


def _takes(group: _Group, section: Section, measure: Measure) -> bool:
    if group.level and section.level < group.level:
        return False
    if group.is_bare:
        return section.level > group.level or measure.fits(group.start, section.end)
    return measure.fill(group.start, group.end) < _TINY and measure.fits(group.start, section.end)


def _fold_back(groups: list[_Group], measure: Measure) -> None:
    """Join a tiny last group to the one before, unless that is of a deeper chapter or both do not fit in a passage."""
    if len(groups) > 1:
        before, last = groups[-2:]
        is_tiny = last.is_bare or measure.fill(last.start, last.end) < _TINY
        if is_tiny and last.level >= before.level and measure.fits(before.start, last.end):
            before.end = last.end
            groups.pop()


def _checked(text: str, spans: Iterator[Span], measure: Measure, tokens: Tokens) -> Iterator[Span]:
    """The spans without the white space around them; those that are too long by themselves broken again."""
    for raw_start, raw_end in spans:
        part = text[raw_start:raw_end].lstrip()
        start = raw_end - len(part)
        part = part.rstrip()
        end = start + len(part)
        if not part:
            continue
        if measure.counts.between(start, end) <= measure.size - measure.size // 8:
            yield start, end
        else:
            for first, last in _within(part, measure.size, tokens):
                yield start + first, start + last


def _within(part: str, size: int, tokens: Tokens) -> Iterator[Span]:
    """Spans that together are `part`, each of at most `size` tokens by itself."""
    count = len(tokens(part))
    if count <= size or len(part) == 1:
        yield 0, len(part)
        return
    smaller = Measure(TokenCounts(part, tokens), max(size * size // count, 1))
    broken = list(_packed(part, [(0, len(part))], smaller, frozenset()))
    if len(broken) == 1:
        middle = _word_start(part, 1, len(part) // 2)
        broken = [(0, middle), (middle, len(part))]
    for start, end in broken:
        piece = part[start:end].strip()
        start_of_piece = part.index(piece, start)
        for first, last in _within(piece, size, tokens):
            yield start_of_piece + first, start_of_piece + last
