"""The workspace's documents as gold evidence looks for them: sources at hand, texts read when a case names them."""

from functools import lru_cache

from assay.evals.gold import same_document, source_named
from assay.index.store import Store

_TEXTS_REMEMBERED = 64


class StoredCorpus:
    """The workspace's documents, as gold evidence looks for them."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._ids = {row.source: row.id for row in store.documents(limit=10**9)}
        self._by_end: dict[str, list[str]] = {}
        for source in self._ids:
            self._by_end.setdefault(source.rsplit("/", 1)[-1], []).append(source)
        self._text = lru_cache(_TEXTS_REMEMBERED)(lambda source: store.document(self._ids[source]).text)

    def __len__(self) -> int:
        return len(self._ids)

    def holds(self, name: str) -> bool:
        """Whether there is a document that is `name` or whose path ends in it; several are some."""
        ends = self._by_end.get(name.rsplit("/", 1)[-1], ())
        return name in self._ids or any(same_document(source, name) for source in ends)

    def find(self, name: str) -> tuple[str, str] | None:
        """Source and text of the document that is `name` or whose path ends in it. Raises BadInput for several."""
        if name in self._ids:
            return name, self._text(name)
        source = source_named(name, self._by_end.get(name.rsplit("/", 1)[-1], ()))
        return None if source is None else (source, self._text(source))
