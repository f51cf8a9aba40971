"""Join two rankings into one: pure functions from (id, score) lists, best first, to the same.

Reciprocal rank fusion: Cormack, Clarke and Buettcher, SIGIR 2009: the sum over rankings of
w / (k + rank), rank from 1. Weighted: a weighted sum of scores, each side scaled to [0, 1] between
its lowest and highest candidate; a passage absent from a side gets 0 there. Equal scores are ordered
by id, so the result depends on nothing but the input. Proved by `tests/unit/index/test_fuse.py`.
"""

from collections import defaultdict
from collections.abc import Sequence

Ranking = Sequence[tuple[int, float]]


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


def _ranked(fused: dict[int, float]) -> list[tuple[int, float]]:
    return sorted(fused.items(), key=lambda item: (-item[1], item[0]))
