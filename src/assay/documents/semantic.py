"""Where a text changes its subject, from the vectors of its sentences.

TextTiling (Hearst, Computational Linguistics 23(1), 1997) with sentence vectors in place of word counts:
at each gap the similarity of the three sentences before with the three after; a gap is a boundary where
that dips below both sides by more than the mean depth less half a standard deviation. One pass;
only a batch of vectors is held. Proved by `tests/unit/documents/test_cut.py`.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import islice, pairwise

import numpy as np
from numpy.typing import NDArray

from assay.documents.pieces import Break, Piece
from assay.documents.sections import Section

Embed = Callable[[Sequence[str]], NDArray[np.float32]]

_SIDE = 3  # sentences looked at on each side of a gap
_BATCH = 256  # sentences embedded at a time


def topics(found: Iterable[Piece], text: str, embed: Embed) -> list[Section]:
    """The stretches of `text` that keep to one subject, in order, together the whole text."""
    starts: list[int] = []
    glued: set[int] = set()
    vectors = _vectors(found, text, embed, starts, glued)
    similarities = np.fromiter(_across_gaps(vectors), dtype=np.float64)
    breaks = [0, *(starts[gap + 1] for gap in _dips(similarities) if gap + 1 not in glued), len(text)]
    return [Section(start, end, 0, "", False) for start, end in pairwise(breaks)]


def _vectors(
    found: Iterable[Piece], text: str, embed: Embed, starts: list[int], glued: set[int]
) -> Iterator[NDArray[np.float32]]:
    """The vector of each piece in order; notes where each starts and which come right behind a heading."""
    waiting = iter(found)
    while batch := list(islice(waiting, _BATCH)):
        glued.update(len(starts) + i for i, piece in enumerate(batch) if piece.rank is Break.GLUED)
        starts.extend(piece.start for piece in batch)
        yield from embed([text[piece.start : piece.end] for piece in batch])


def _across_gaps(vectors: Iterable[NDArray[np.float32]]) -> Iterator[float]:
    """For each gap between sentences, the cosine of the mean vectors of the sentences on its two sides."""
    window: list[NDArray[np.float32]] = []
    gap = 0  # sentences of the window that lie before the gap
    for vector in vectors:
        window.append(vector)
        if len(window) - max(gap, 1) == _SIDE:
            gap = max(gap, 1)
            yield _cosine(window, gap)
            gap += 1
            if gap > _SIDE:
                del window[0]
                gap = _SIDE
    for gap_near_end in range(max(gap, 1), len(window)):
        yield _cosine(window[max(0, gap_near_end - _SIDE) :], min(gap_near_end, _SIDE))


def _cosine(window: Sequence[NDArray[np.float32]], gap: int) -> float:
    before, after = np.sum(window[:gap], axis=0), np.sum(window[gap:], axis=0)
    length = float(np.linalg.norm(before) * np.linalg.norm(after))
    return float(before @ after) / length if length else 0.0


def _dips(similarities: NDArray[np.float64]) -> list[int]:
    """The gaps where the similarity is a local minimum deep enough to part two subjects."""
    count = len(similarities)
    if count < 2:
        return []
    left, right = similarities.copy(), similarities.copy()
    for gap in range(1, count):
        if similarities[gap - 1] >= similarities[gap]:
            left[gap] = left[gap - 1]
    for gap in range(count - 2, -1, -1):
        if similarities[gap + 1] >= similarities[gap]:
            right[gap] = right[gap + 1]
    depths = left + right - 2 * similarities
    is_lowest = (np.concatenate([[True], similarities[1:] < similarities[:-1]])) & (
        np.concatenate([similarities[:-1] <= similarities[1:], [True]])
    )
    deep = depths > max(float(depths.mean() - depths.std() / 2), 0.0)
    return [int(gap) for gap in np.flatnonzero(is_lowest & deep)]
