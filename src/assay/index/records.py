"""What the store keeps and gives back, and the names things are kept under."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

from assay.documents.document import Document, Passage


@dataclass(frozen=True, slots=True)
class Entry:
    """A document, cut: what `Store.replace` stores.

    `hashes` name the embedded text of each passage (`text_hash`); `recipe` is the hash of everything
    but the content that made the passages; `digest` names the embedder; `origin` is `file` or a collection.
    """

    document: Document
    passages: Sequence[Passage]
    hashes: Sequence[str]
    recipe: str
    digest: str
    origin: str = "file"


@dataclass(frozen=True, slots=True)
class Known:
    """What the store remembers of a source."""

    content_hash: str
    recipe: str
    passages: int


@dataclass(frozen=True, slots=True)
class DocumentRecord:
    """A stored document without its text: `characters` of text, number of `passages` and `pages`."""

    id: str
    source: str
    title: str
    media_type: str
    characters: int
    passages: int
    pages: int
    groups: tuple[str, ...]
    content_hash: str
    added_ns: int


@dataclass(frozen=True, slots=True)
class StoredPassage:
    """A passage with its id in the database and where it comes from."""

    id: int
    passage: Passage
    source: str
    title: str


@dataclass(frozen=True, slots=True)
class Counts:
    """How much is stored."""

    documents: int
    passages: int


def text_hash(text: str) -> str:
    """The name a text's vector is kept under."""
    return hashlib.sha256(text.encode(errors="surrogatepass")).hexdigest()[:32]


def pair_hash(key: str, value: str) -> str:
    """The hash a metadata entry is found by."""
    return text_hash(f"{key}\x00{value}")
