"""Cut a document into passages.

Five cuts, one promise: passages are spans of the text, in order; every visible character lies in at least one,
and in exactly one where there is no overlap; none holds more than `size` tokens, counted on its own text, save a
single character that is more by itself. All cuts break at headings, paragraphs and sentences before they break at sizes. The text is
tokenised twice, once to choose the breaks and once to check the passages. Proved by `tests/properties/test_spans.py`.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from assay.documents.counting import TokenCounts, Tokens
from assay.documents.document import Document, Passage
from assay.documents.pieces import Break, Measure, Piece, pieces
from assay.documents.sections import Section, Sections
from assay.documents.settings import DocumentSettings
from assay.errors import BadSetting

Embed = Callable[[Sequence[str]], NDArray[np.float32]]
Span = tuple[int, int]

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
    for start, end in _checked(document.text, spans, settings.size, tokens):
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
            from assay.documents.semantic import topics

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
    """The index of the piece to break before: the best rank that leaves both sides full enough, the latest of equals."""
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
    for piece in found:
        while window and not measure.fits(window[0].start, piece.end):
            kept = _unglued([*window, piece], len(window))
            yield window[0].start, window[kept - 1].end
            repeated = kept
            while repeated > 1 and measure.counts.between(window[repeated - 1].start, window[kept - 1].end) <= overlap:
                repeated -= 1
            del window[:repeated]
            if window and not measure.fits(window[0].start, piece.end) and kept > repeated:
                del window[: kept - repeated]
        window.append(piece)
    if window:
        yield window[0].start, window[-1].end
