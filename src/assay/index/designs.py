"""Many retrieval designs at once: what `HybridRetriever` would find under each, for the cost of little more than one.

A question is embedded once, and each side searched once for every depth that some design needs; a design then only
fuses, a row of a matrix. Not one search at the deepest: the sums behind a score are of single precision, and their last
bit may depend on how deep the search goes, so the order of near-equal passages might differ from the retriever's.

Invariant: ids, order and scores are those of `HybridRetriever(index, embedder, settings=design).search(question)` on
an index that has caught up. Memory holds a block of questions. Proved by `tests/unit/index/test_designs.py`.
"""

import asyncio
import re
from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from assay.errors import BadInput
from assay.index.fuse import Fusion, Ranking, fused_each
from assay.index.hit import Mode
from assay.index.insertion import storable
from assay.index.retriever import SearchIndex
from assay.index.settings import IndexSettings
from assay.models.embedder import Embedder

_BLOCK = 64  # questions embedded together and held at a time
_BLANK = re.compile(r"\s*")


@dataclass(frozen=True, slots=True, eq=False)
class Found:
    """What one design finds for one question: passage ids with their scores, best first."""

    ids: NDArray[np.int64]
    scores: NDArray[np.float64]

    def first(self, k: int) -> "Found":
        """Its best k."""
        return Found(self.ids[:k], self.scores[:k])


async def ranked(
    index: SearchIndex, embedder: Embedder, questions: Sequence[str], designs: Sequence[IndexSettings]
) -> AsyncGenerator[list[Found], None]:
    """For each question, in order, what each design finds, in order; at most the design's k.

    Equal findings of different designs may be one object. `language` is the index's own and not looked at. Raises
    BadInput for a design that re-ranks, Conflict where the passages were embedded by another embedder.
    """
    plan = _Plan.of(designs)
    for start in range(0, len(questions), _BLOCK):
        block = [storable(question) for question in questions[start : start + _BLOCK]]
        asked = list(dict.fromkeys(text for text in block if not _BLANK.fullmatch(text)))
        vectors = (
            list(await embedder.embed(asked, kind="query")) if asked and plan.dense_depths else [None] * len(asked)
        )
        vector_of = dict(zip(asked, vectors, strict=True))
        for text in block:
            if text not in vector_of:
                yield [_NOTHING] * len(designs)
            else:
                yield await asyncio.to_thread(_found, index, plan, text, vector_of[text])


_NOTHING = Found(np.empty(0, np.int64), np.empty(0))


@dataclass(frozen=True, slots=True)
class _Way:
    """What decides a design's whole ranking, before its cut to k."""

    mode: Mode
    depth: int
    fusion: Fusion | None = None


@dataclass(frozen=True, slots=True)
class _Plan:
    """Designs by what they share. `ways` and `ks` are by design; `fusions` by depth are the different ones."""

    ways: tuple[_Way, ...]
    ks: tuple[int, ...]
    fusions: dict[int, list[Fusion]]

    @classmethod
    def of(cls, designs: Sequence[IndexSettings]) -> "_Plan":
        ways = tuple(_way(design) for design in designs)
        fusions: dict[int, list[Fusion]] = {}
        for way in dict.fromkeys(ways):
            if way.fusion is not None:
                fusions.setdefault(way.depth, []).append(way.fusion)
        return cls(ways, tuple(design.k for design in designs), fusions)

    @property
    def lexical_depths(self) -> list[int]:
        return sorted({way.depth for way in self.ways if way.mode != "dense"})

    @property
    def dense_depths(self) -> list[int]:
        return sorted({way.depth for way in self.ways if way.mode != "lexical"})


def _way(design: IndexSettings) -> _Way:
    if design.rerank:
        raise BadInput(
            f"A design that re-ranks ({design.rerank} hits) cannot be scored with the others at once.",
            hint="Leave index.rerank at 0, and measure designs that re-rank one by one.",
        )
    depth = max(design.candidates, design.k)
    if design.mode != "fused":
        return _Way(design.mode, depth)
    # What the weighted sum does not look at must not make two of one.
    return _Way(
        "fused", depth, Fusion(design.fusion, design.dense_weight, design.rrf_k if design.fusion == "rrf" else 0)
    )


def _found(index: SearchIndex, plan: _Plan, question: str, query: NDArray[np.float32] | None) -> list[Found]:
    """What each design finds for one question."""
    lexical = {depth: index.lexical.search(question, k=depth) for depth in plan.lexical_depths}
    dense: dict[int, Ranking] = {}
    if query is not None:
        dense = {depth: index.dense.search(query, k=depth) for depth in plan.dense_depths}
        if not all(dense.values()):
            index.check_vectors()
    whole: dict[_Way, Found] = {}
    for depth, fusions in plan.fusions.items():
        ids, scores = fused_each(lexical[depth], dense[depth], fusions)
        for row, fusion in enumerate(fusions):
            whole[_Way("fused", depth, fusion)] = Found(ids[row], scores[row])
    for way in plan.ways:
        if way.fusion is None and way not in whole:
            whole[way] = _alone(lexical[way.depth] if way.mode == "lexical" else dense[way.depth])
    cut = {(way, k): whole[way].first(k) for way, k in dict.fromkeys(zip(plan.ways, plan.ks, strict=True))}
    return [cut[key] for key in zip(plan.ways, plan.ks, strict=True)]


def _alone(ranking: Ranking) -> Found:
    ids = np.array([passage_id for passage_id, _ in ranking], dtype=np.int64)
    return Found(ids, np.array([score for _, score in ranking], dtype=np.float64))
