"""Join two rankings into one: pure functions from (id, score) lists, best first, to the same.

Reciprocal rank fusion: Cormack, Clarke and Buettcher, SIGIR 2009: the sum over rankings of
w / (k + rank), rank from 1. Weighted: a weighted sum of scores, each side scaled to [0, 1] between
its lowest and highest candidate; a passage absent from a side gets 0 there. Equal scores are ordered
by id, so the result depends on nothing but the input.

`fused_each` joins one pair of rankings in many ways at once, a row of a matrix each, and is for one way slower than
the plain functions. Invariant: its ids and scores are theirs to the last bit. Proved by
`tests/unit/index/test_fuse.py`.
"""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

Ranking = Sequence[tuple[int, float]]


@dataclass(frozen=True, slots=True)
class Fusion:
    """One way to join two rankings; a weighted sum does not look at `rrf_k`."""

    kind: Literal["weighted", "rrf"]
    dense_weight: float
    rrf_k: int = 60


def reciprocal_rank(
    lexical: Ranking, dense: Ranking, *, rrf_k: int = 60, dense_weight: float = 0.5
) -> list[tuple[int, float]]:
    """Reciprocal rank fusion. With `dense_weight` 0.5 the two sides count alike and a score is the usual sum."""
    fused: dict[int, float] = defaultdict(float)
    for ranking, weight in ((lexical, 2 * (1 - dense_weight)), (dense, 2 * dense_weight)):
        for rank, (passage_id, _) in enumerate(ranking, start=1):
            fused[passage_id] += weight / (rrf_k + rank)
    return _ranked(fused)


def weighted(lexical: Ranking, dense: Ranking, *, dense_weight: float = 0.5) -> list[tuple[int, float]]:
    """Weighted sum of min-max scaled scores, in [0, 1]."""
    fused: dict[int, float] = defaultdict(float)
    for ranking, weight in ((lexical, 1 - dense_weight), (dense, dense_weight)):
        scores = [score for _, score in ranking]
        low, high = (min(scores), max(scores)) if scores else (0.0, 0.0)
        for passage_id, score in ranking:
            # One candidate, or all alike: each is as good as its side offers.
            fused[passage_id] += weight * ((score - low) / (high - low) if high > low else 1.0)
    return _ranked(fused)


def fused_each(
    lexical: Ranking, dense: Ranking, fusions: Sequence[Fusion]
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Ids and scores, best first, one row per way to join them; both of shape (fusions, different ids)."""
    sides = [np.array([passage_id for passage_id, _ in ranking], dtype=np.int64) for ranking in (lexical, dense)]
    ids = np.union1d(*sides)  # ascending, so that a stable sort by score leaves equal ones ordered by id
    dense_weight = np.array([fusion.dense_weight for fusion in fusions])[:, None]
    rrf_k = np.array([fusion.rrf_k for fusion in fusions], dtype=np.float64)[:, None]
    by_rank = np.array([fusion.kind == "rrf" for fusion in fusions], dtype=np.bool_)
    scores = np.zeros((len(fusions), len(ids)))
    for ranking, side, weight in ((lexical, sides[0], 1 - dense_weight), (dense, sides[1], dense_weight)):
        shares = np.empty((len(fusions), len(side)))
        shares[~by_rank] = weight[~by_rank] * _scaled(ranking)
        shares[by_rank] = 2 * weight[by_rank] / (rrf_k[by_rank] + np.arange(1, len(side) + 1))
        scores[:, np.searchsorted(ids, side)] += shares
    order = np.argsort(-scores, axis=1, kind="stable")
    return ids[order], np.take_along_axis(scores, order, axis=1)


def _scaled(ranking: Ranking) -> NDArray[np.float64]:
    """The scores of a ranking between its lowest and highest, as `weighted` scales them."""
    scores = np.array([score for _, score in ranking])
    low, high = (scores.min(), scores.max()) if len(scores) else (0.0, 0.0)
    return (scores - low) / (high - low) if high > low else np.ones(len(scores))


def _ranked(fused: dict[int, float]) -> list[tuple[int, float]]:
    return sorted(fused.items(), key=lambda item: (-item[1], item[0]))
