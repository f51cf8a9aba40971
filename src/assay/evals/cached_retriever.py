"""CachedRetriever: a search that was made before is not made again.

It stands here and not in the gateway, which knows nothing of passages. Its key holds everything that can change the
hits: the caller names the corpus's state and the settings in force, the rest is the search itself and the replica.
Invariant: hits from the cache equal the original ones. Proved by `tests/unit/evals/test_cached_retriever.py`.
"""

from collections.abc import Callable
from dataclasses import fields
from typing import Any

from assay.documents.document import Passage
from assay.gateway.cache import KeptValues
from assay.gateway.flight import Flight, Flights
from assay.gateway.replica import replica
from assay.gateway.tally import in_force, tallying
from assay.index.hit import Filter, Hit, Mode, Retriever
from assay.ledger.values import key_of

_FORM = 1  # raise it when the stored form changes: old values are then never read


class CachedRetriever:
    """A Retriever that makes a search once.

    `corpus` names the state of the corpus and is asked at every search, so that a document added meanwhile is seen;
    `settings` is the digest of everything else that can change hits: the index's settings, embedder and reranker.
    A hit counts as cached the calls (embedder, reranker) that the original search made.
    """

    def __init__(
        self, retriever: Retriever, values: KeptValues, *, corpus: str | Callable[[], str], settings: str
    ) -> None:
        self._retriever, self._values = retriever, values
        self._corpus, self._settings = corpus, settings
        self._flights = Flights[dict[str, Any], None]()

    async def search(
        self, question: str, *, k: int | None = None, mode: Mode | None = None, where: Filter | None = None
    ) -> list[Hit]:
        """The best `k` passages, best first; k and mode default to the settings in force."""
        key = self._key(question, k, mode, where)
        if (kept := self._values.get(key)) is not None:
            return self._found_again(kept)
        if (flight := self._flights.get(key)) is not None:
            return self._found_again(await flight.result())

        async def execute(_: Flight[dict[str, Any], None]) -> dict[str, Any]:
            with tallying() as counts:
                hits = await self._retriever.search(question, k=k, mode=mode, where=where)
            found = {"hits": [_as_json(hit) for hit in hits], "calls": counts.paid_calls + counts.cached_calls}
            if self._key(question, k, mode, where) == key:  # else the corpus changed under the search
                self._values.put(key, "retrieval", found)
            return found

        found = await self._flights.start([key], execute).result()
        return [_hit_from(row) for row in found["hits"]]

    @staticmethod
    def _found_again(found: dict[str, Any]) -> list[Hit]:
        in_force().cached_calls += found["calls"]
        return [_hit_from(row) for row in found["hits"]]

    def _key(self, question: str, k: int | None, mode: Mode | None, where: Filter | None) -> str:
        seen = None
        if where is not None:
            groups = None if where.groups is None else sorted(where.groups)
            seen = {"groups": groups, "metadata": dict(where.metadata)}
        parts = {
            "form": _FORM,
            "corpus": self._corpus if isinstance(self._corpus, str) else self._corpus(),
            "settings": self._settings,
            "question": question,
            "k": k,
            "mode": mode,
            "where": seen,
            "replica": replica.get(),
        }
        return key_of("retrieval", parts)


def _as_json(hit: Hit) -> list[Any]:
    passage = [getattr(hit.passage, field.name) for field in fields(Passage)]
    signals = {name: float(value) for name, value in hit.signals.items()}
    return [passage, hit.source, hit.title, float(hit.score), signals]


def _hit_from(row: list[Any]) -> Hit:
    passage, source, title, score, signals = row
    return Hit(Passage(*passage), source, title, score, signals)
