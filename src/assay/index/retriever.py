"""Question in, hits out: both sides, fused, optionally re-scored by a reranker.

A search works on one state of each side. The database is asked for its generation at most every
`_LOOK_SECONDS`; where it moved, the indexes follow in the background and searches go on meanwhile.
Filters act inside both sides, before the cut to k. Proved by `tests/unit/index/test_retriever.py`.
"""

import asyncio
import logging
import re
import threading
import time
from collections import OrderedDict
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from assay.errors import AssayError, Conflict
from assay.index.changes import Changes
from assay.index.context import indexed_text
from assay.index.dense import DenseIndex
from assay.index.fuse import Ranking, reciprocal_rank, weighted
from assay.index.hit import Filter, Hit, Mode
from assay.index.insertion import storable
from assay.index.lexical import LexicalIndex
from assay.index.settings import IndexSettings
from assay.index.store import Store
from assay.models.embedder import Embedder
from assay.models.reranker import Reranker

_LOOK_SECONDS = 0.2
_LOOK_AGAIN_SECONDS = 10.0  # after catching up failed
_FILTERS = 64
_BLANK = re.compile(r"\s*")
_LOG = logging.getLogger(__name__)


class SearchIndex:
    """Both derived indexes of one workspace and one embedder, kept at the database's state.

    `folder` is `.assay/index`. Nothing is read before `open`. Thread-safe.
    """

    def __init__(
        self, store: Store, folder: Path, *, digest: str, dimensions: int, language: str = "english", threads: int = 0
    ) -> None:
        self.store = store
        self.changes = Changes(store.database)
        self.lexical = LexicalIndex(folder, self.changes, language=language)
        self.dense = DenseIndex(folder, self.changes, digest=digest, dimensions=dimensions, threads=threads)
        self._digest = digest
        self._catching_up = threading.Lock()
        self._filtering = threading.Lock()
        self._filters: OrderedDict[tuple[int, object], NDArray[np.int64] | None] = OrderedDict()

    def open(self) -> "SearchIndex":
        """Verify what is on disk and bring it to the database's state, rebuilding what is missing or damaged."""
        self.catch_up()
        return self

    def catch_up(self) -> bool:
        """Bring both sides to the database's state; whether they are there (another process may be at it)."""
        with self._catching_up:
            followed = self.dense.catch_up()
            return self.lexical.catch_up() and followed

    def behind(self) -> bool:
        """Whether the database has moved since."""
        generation = self.changes.state().generation
        return self.lexical.generation != generation or self.dense.generation != generation

    def check_vectors(self) -> None:
        """Raises Conflict where passages were embedded by another embedder than this index's."""
        strangers = self.changes.count() - self.changes.count(digest=self._digest)
        if strangers:
            raise Conflict(
                f"{strangers:,} passages were embedded by another embedder than the one in force.",
                hint="Run `assay ingest` on your documents again, or set models.embedder back.",
                code="other_embedder",
            )

    def allowed(self, where: Filter | None) -> NDArray[np.int64] | None:
        """Numbers of the documents a filter lets through, None for all; remembered until the database moves."""
        if where is None or (where.groups is None and not where.metadata):
            return None
        key = (self.dense.generation, (where.groups, tuple(sorted(where.metadata.items()))))
        with self._filtering:
            if key in self._filters:
                return self._filters[key]
        allowed = self.changes.allowed(where)
        with self._filtering:
            self._filters[key] = allowed
            while len(self._filters) > _FILTERS:
                self._filters.popitem(last=False)
        return allowed


@dataclass(frozen=True, slots=True)
class _Question:
    """A question on its way: its words' hits, its vector (None: lexical only), and what may be seen."""

    mode: Mode
    lexical: Ranking
    query: NDArray[np.float32] | None
    where: Filter | None
    depth: int


class HybridRetriever:
    """The `Retriever` of a workspace. Close nothing: index, embedder and reranker belong to who made them."""

    def __init__(
        self,
        index: SearchIndex,
        embedder: Embedder,
        *,
        settings: IndexSettings | None = None,
        reranker: Reranker | None = None,
    ) -> None:
        self._index = index
        self._embedder = embedder
        self._settings = settings or IndexSettings()
        self._reranker = reranker
        self._look_at = time.monotonic() + _LOOK_SECONDS
        self._following: asyncio.Task[object] | None = None

    async def search(
        self, question: str, *, k: int | None = None, mode: Mode | None = None, where: Filter | None = None
    ) -> list[Hit]:
        """The best `k` passages, best first; fewer where fewer match. A blank question finds nothing.

        Raises ValueError for k below 1, Conflict where the passages were embedded by another embedder.
        """
        k = self._settings.k if k is None else k
        mode = self._settings.mode if mode is None else mode
        if k < 1:
            raise ValueError(f"k must be at least 1, not {k}")
        question = storable(question)
        if _BLANK.fullmatch(question):
            return []
        self._follow()
        where = _clean(where)
        rerank = self._settings.rerank if self._reranker is not None else 0
        depth = max(self._settings.candidates, k, rerank)
        words = self._words(question, depth, where) if mode != "dense" else None
        try:
            # The words are looked up while the question is embedded.
            query = None if mode == "lexical" else (await self._embedder.embed([question], kind="query"))[0]
            lexical = await words if words is not None else []
        except BaseException:
            if words is not None:
                words.cancel()
            raise
        found = _Question(mode, lexical, query, where, depth)
        hits = await asyncio.to_thread(self._hits, found, max(k, rerank))
        if rerank and self._reranker is not None and hits:
            hits = await _reranked(self._reranker, question, hits, rerank)
        return hits[:k]

    def _words(self, question: str, depth: int, where: Filter | None) -> asyncio.Task[list[tuple[int, float]]]:
        return asyncio.create_task(asyncio.to_thread(self._index.lexical.search, question, k=depth, where=where))

    def _hits(self, asked: "_Question", wanted: int) -> list[Hit]:
        """At least `wanted` hits where there are as many: search the dense side, fuse, read the passages."""
        dense = [] if asked.query is None else self._dense(asked.query, asked.depth, asked.where)
        # Passages removed since the index last followed are dropped; a few more are read to fill their places.
        ranked = self._ranked(asked.lexical, dense, asked.mode)[: wanted + 8]
        words, cosines = dict(asked.lexical), dict(dense)
        stored = self._index.store.passages([passage_id for passage_id, _ in ranked])
        unscored = [passage_id for passage_id in stored if passage_id not in cosines]
        if asked.query is not None and unscored:
            cosines.update(self._index.dense.scores(asked.query, unscored))
        hits = []
        for passage_id, score in ranked:
            found = stored.get(passage_id)
            if found is not None:
                sides = (("lexical", words), ("dense", cosines))
                signals = {name: side[passage_id] for name, side in sides if passage_id in side}
                hits.append(Hit(found.passage, found.source, found.title, score, signals))
        return hits

    def _dense(self, query: NDArray[np.float32], depth: int, where: Filter | None) -> list[tuple[int, float]]:
        found = self._index.dense.search(query, k=depth, allowed=self._index.allowed(where))
        if not found:
            self._index.check_vectors()
        return found

    def _ranked(self, lexical: Ranking, dense: Ranking, mode: Mode) -> Ranking:
        if mode == "lexical":
            return lexical
        if mode == "dense":
            return dense
        if self._settings.fusion == "rrf":
            return reciprocal_rank(lexical, dense, rrf_k=self._settings.rrf_k, dense_weight=self._settings.dense_weight)
        return weighted(lexical, dense, dense_weight=self._settings.dense_weight)

    def _follow(self) -> None:
        """Look, now and then, whether the database moved; where it did, catch up beside the searches."""
        now = time.monotonic()
        if now < self._look_at or (self._following is not None and not self._following.done()):
            return
        self._look_at = now + _LOOK_SECONDS
        self._following = asyncio.create_task(asyncio.to_thread(self._catch_up_if_behind))

    def _catch_up_if_behind(self) -> None:
        try:
            if self._index.behind():
                self._index.catch_up()
        except AssayError as error:
            # A full disk must not stop answers from the state we have.
            _LOG.warning("The index cannot follow the database: %s %s", error.message, error.hint)
            self._look_at = time.monotonic() + _LOOK_AGAIN_SECONDS


async def _reranked(reranker: Reranker, question: str, hits: list[Hit], rerank: int) -> list[Hit]:
    """The first `rerank` hits in the reranker's order, the rest behind them in theirs."""
    head = hits[:rerank]
    texts = [indexed_text(hit.passage.text, title=hit.title, heading=hit.passage.heading) for hit in head]
    scores = await reranker.score(question, texts)
    scored = [
        Hit(hit.passage, hit.source, hit.title, float(score), {**hit.signals, "rerank": float(score)})
        for hit, score in zip(head, scores, strict=True)
    ]
    scored.sort(key=lambda hit: -hit.score)
    return scored + hits[rerank:]


def _clean(where: Filter | None) -> Filter | None:
    """The filter with its values as the store keeps them."""
    if where is None:
        return None
    groups = None if where.groups is None else frozenset(storable(name) for name in where.groups)
    return Filter(groups, {storable(key): storable(value) for key, value in where.metadata.items()})
