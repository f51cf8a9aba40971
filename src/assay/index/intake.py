"""The reading half of an ingest: sources in, batches of cut documents out, in one thread.

Memory is bounded by a batch: a few hundred passages, or one document where it has more. An unchanged
source (same content hash, same recipe) is neither extracted nor cut. A source that fails is reported
by name and stops nothing.
"""

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice

from assay.documents.document import Document, Passage
from assay.errors import AssayError
from assay.index.context import indexed_text
from assay.index.insertion import check_names
from assay.index.records import Entry, Known, text_hash
from assay.index.store import Store

_LOOKED_UP_AT_ONCE = 64
_FIRST_BATCH_PASSAGES = 16  # so that embedding starts at once; each batch is twice the one before
_BATCH_PASSAGES = 256
_BATCH_CHARACTERS = 4_000_000
_BATCH_SOURCES = 64


@dataclass(frozen=True, slots=True)
class Failure:
    """A source that was not ingested: its path, a stable code, what was wrong and what to do."""

    path: str
    code: str
    message: str
    hint: str


@dataclass(frozen=True, slots=True)
class Found:
    """A source to ingest. `content_hash` and `load` may raise AssayError; `load` does the heavy reading.

    `recipe` is the hash of everything but the content that makes the passages.
    """

    source: str
    recipe: str
    content_hash: Callable[[], str]
    load: Callable[[], Document]


@dataclass(slots=True)
class Batch:
    """Documents cut and ready to embed, and what else happened on the way to them."""

    entries: list[Entry] = field(default_factory=list)
    unchanged: int = 0
    unchanged_passages: int = 0
    failures: list[Failure] = field(default_factory=list)
    current: str = ""

    @property
    def passages(self) -> int:
        """How many passages the documents have."""
        return sum(len(entry.passages) for entry in self.entries)

    @property
    def sources(self) -> int:
        """How many sources were looked at."""
        return len(self.entries) + self.unchanged + len(self.failures)

    def texts(self) -> Iterator[tuple[str, str]]:
        """Hash and text to embed of each passage."""
        for entry in self.entries:
            for passage, name in zip(entry.passages, entry.hashes, strict=True):
                yield name, embedded_text(entry.document, passage)


class Intake:
    """Reads and cuts. `next` is called from one thread at a time."""

    def __init__(
        self,
        found: Iterable[Found | Failure],
        *,
        store: Store,
        cut: Callable[[Document], Sequence[Passage]],
        digest: str,
        origin: str,
    ) -> None:
        self._found = iter(found)
        self._store, self._cut = store, cut
        self._digest, self._origin = digest, origin
        self._size = _FIRST_BATCH_PASSAGES
        self._pending: deque[tuple[Found | Failure, Known | None]] = deque()
        self._stopped = False

    def stop(self) -> None:
        """End `next`, which may be at work in another thread, after the source it is at."""
        self._stopped = True

    def next(self) -> Batch | None:
        """The next batch; None after the last."""
        batch, characters = Batch(), 0
        while (
            not self._stopped
            and batch.sources < _BATCH_SOURCES
            and batch.passages < self._size
            and characters < _BATCH_CHARACTERS
        ):
            if not self._pending and not self._look_up():
                break
            found, known = self._pending.popleft()
            if isinstance(found, Failure):
                batch.failures.append(found)
                continue
            batch.current = found.source
            entry = self._read(found, known, batch)
            if entry is not None:
                batch.entries.append(entry)
                characters += len(entry.document.text)
        self._size = min(2 * self._size, _BATCH_PASSAGES)
        return batch if batch.sources else None

    def _look_up(self) -> bool:
        some = list(islice(self._found, _LOOKED_UP_AT_ONCE))
        known = self._store.known([found.source for found in some if isinstance(found, Found)])
        self._pending.extend((found, known.get(found.source) if isinstance(found, Found) else None) for found in some)
        return bool(some)

    def _read(self, found: Found, known: Known | None, batch: Batch) -> Entry | None:
        try:
            if known is not None and known.recipe == found.recipe and known.content_hash == found.content_hash():
                batch.unchanged += 1
                batch.unchanged_passages += known.passages
                return None
            document = found.load()
            check_names(document)
            passages = self._cut(document)
        except AssayError as error:
            batch.failures.append(Failure(found.source, error.slug, error.message, error.hint))
            return None
        except Exception as error:  # noqa: BLE001  an edge: no single file, however odd, may stop the others
            message = f"{found.source} could not be read: {type(error).__name__}: {error}"
            hint = "Please report this file's kind and this message; the other files were ingested."
            batch.failures.append(Failure(found.source, "internal", message, hint))
            return None
        hashes = [text_hash(embedded_text(document, passage)) for passage in passages]
        return Entry(document, passages, hashes, found.recipe, self._digest, self._origin)


def embedded_text(document: Document, passage: Passage) -> str:
    """The text a passage is embedded and found by."""
    return indexed_text(passage.text, title=document.title, heading=passage.heading)
