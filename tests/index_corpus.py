"""Small corpora for the tests of the index room."""

import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from assay.documents.document import Document, Passage
from assay.index.context import indexed_text
from assay.index.records import Entry, text_hash
from assay.index.retriever import SearchIndex
from assay.index.store import Store
from assay.ledger.database import Database

DIGEST = "test:8"
DIMENSIONS = 8


def document(
    source: str, text: str, *, title: str = "", groups: Sequence[str] = (), metadata: Mapping[str, str] | None = None
) -> Document:
    """A document of plain text."""
    digest = "sha256:" + hashlib.sha256(text.encode(errors="surrogatepass")).hexdigest()
    return Document(source, digest, text, title=title, groups=tuple(groups), metadata=dict(metadata or {}))


def passages(of: Document) -> list[Passage]:
    """One passage a line."""
    found, start = [], 0
    for line in of.text.splitlines(keepends=True):
        found.append(Passage(of.id, len(found), start, start + len(line), line))
        start += len(line)
    return found


def vector(text: str) -> np.ndarray:
    """A unit vector that belongs to a text."""
    seed = int.from_bytes(hashlib.sha256(text.encode(errors="surrogatepass")).digest()[:8], "big")
    found = np.random.default_rng(seed).standard_normal(DIMENSIONS).astype(np.float32)
    return found / np.linalg.norm(found)


def entry(of: Document, *, recipe: str = "r", origin: str = "file", digest: str = DIGEST) -> Entry:
    """The document cut into its lines."""
    cut = passages(of)
    hashes = [text_hash(indexed_text(p.text, title=of.title, heading=p.heading)) for p in cut]
    return Entry(of, cut, hashes, recipe, digest, origin)


def put(store: Store, *documents: Document, digest: str = DIGEST) -> list[Entry]:
    """Store documents with their vectors."""
    entries = [entry(each, digest=digest) for each in documents]
    texts = {
        name: indexed_text(p.text, title=e.document.title, heading=p.heading)
        for e in entries
        for p, name in zip(e.passages, e.hashes, strict=True)
    }
    if texts:
        store.keep_vectors(list(texts), np.stack([vector(text) for text in texts.values()]), digest=digest)
    store.replace(entries)
    return entries


def search_index(database: Database, folder: Path) -> SearchIndex:
    """Both indexes over a database, not yet open."""
    return SearchIndex(Store(database), folder, digest=DIGEST, dimensions=DIMENSIONS, threads=1)
