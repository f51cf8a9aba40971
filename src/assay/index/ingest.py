"""Documents in: read, cut, embed and store, in a pipeline whose memory does not grow with the corpus.

One thread reads and cuts; two batches are embedded at a time, so the embedder never waits for the
database; each batch is stored in one transaction. Vectors are kept as they come, by the hash of their
text: an ingest that is interrupted, however rudely, goes on where it was, and text embedded once with
the embedder in force is not embedded again. Proved by `tests/contracts/test_ingest.py` on both
databases and `tests/story/test_ingest_kill.py`.
"""

import asyncio
import hashlib
import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import Any, ParamSpec, TypeVar

from assay.documents.cut import cut
from assay.documents.document import Document, Passage
from assay.documents.isolated import Isolated
from assay.documents.settings import DocumentSettings
from assay.index.context import RECIPE
from assay.index.files import FILE, Files, source_key
from assay.index.intake import Batch, Failure, Found, Intake
from assay.index.retriever import SearchIndex
from assay.index.store import Store
from assay.models.embedder import Embedder, Vectors

_EMBEDDED_AT_ONCE = 128  # what a kill can cost, times the batches at once
_BATCHES_AT_ONCE = 2
_SAMPLED = 20  # documents looked at to see how all of them were cut

P = ParamSpec("P")
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class IngestProgress:
    """How far an ingest is: files, passages and embeddings so far. `files_found` may still grow."""

    files_done: int
    files_found: int
    passages: int
    embedded: int
    current: str


@dataclass(frozen=True, slots=True)
class IngestReport:
    """What an ingest did.

    `documents` and `passages` count what these sources hold now, unchanged ones included; `embedded`
    counts texts sent to the embedder; `removed` documents whose file is gone.
    """

    documents: int
    passages: int
    embedded: int
    unchanged: int
    removed: int
    failed: tuple[Failure, ...] = ()

    def as_json(self) -> dict[str, Any]:
        """The shape `assay ingest --json` prints."""
        failed = [{"path": f.path, "code": f.code, "message": f.message, "hint": f.hint} for f in self.failed]
        return {
            "documents": self.documents,
            "passages": self.passages,
            "embedded": self.embedded,
            "unchanged": self.unchanged,
            "removed": self.removed,
            "failed": failed,
        }


Progress = Callable[[IngestProgress], None]


async def ingest(
    paths: Sequence[Path],
    *,
    store: Store,
    embedder: Embedder,
    settings: DocumentSettings,
    base: Path,
    groups: Sequence[str] = (),
    metadata: Mapping[str, str] | None = None,
    remove_missing: bool = False,
    progress: Progress | None = None,
    index: SearchIndex | None = None,
) -> IngestReport:
    """Ingest files and folders. Sources are named relative to `base`, or absolutely outside it.

    Documents whose file is gone from a folder given are removed; where the whole folder is gone or empty, only
    with `remove_missing`. A file that fails is in the report, and what it held before stays. Raises Conflict
    where another ingest is at it or a folder is missing; Upstream where the embedder fails: what was done is
    kept, and the next run goes on. Cancel the task to stop early, likewise.
    `index`, where given, is brought up to date at the end.
    """
    recipe = _recipe(settings, embedder, groups=groups, metadata=metadata or {})
    with Isolated(max_seconds=settings.max_seconds) as isolated:
        files = Files(
            paths,
            store=store,
            base=base,
            settings=settings,
            recipe=recipe,
            groups=groups,
            metadata=metadata or {},
            isolated=isolated,
            remove_missing=remove_missing,
        )
        await _to_end(files.check)

        def vanished() -> int:
            return store.remove(list(files.vanished()))

        engine = _Engine(store, embedder, settings, progress)
        return await engine.run(iter(files), origin=FILE, found=files.count, vanished=vanished, index=index)


async def ingest_documents(
    documents: Iterable[Document],
    *,
    store: Store,
    embedder: Embedder,
    settings: DocumentSettings,
    collection: str = "memory",
    progress: Progress | None = None,
    index: SearchIndex | None = None,
) -> IngestReport:
    """Ingest documents made elsewhere, like `ingest`; nothing is removed. Iterated once, in another thread.

    A second document of one source is a failure: which of them would stay were chance.
    """
    count, seen = 0, set[bytes]()

    def found() -> Iterator[Found | Failure]:
        nonlocal count
        for document in documents:
            count += 1
            key = source_key(document.source)
            if key in seen:
                message = f"There are two documents named {document.source}."
                yield Failure(document.source, "duplicate", message, "Give each document a source of its own.")
                continue
            seen.add(key)
            recipe = _recipe(
                settings, embedder, groups=document.groups, metadata={**document.metadata, "\x00title": document.title}
            )
            yield Found(document.source, recipe, partial(_itself, document.content_hash), partial(_itself, document))

    engine = _Engine(store, embedder, settings, progress)
    return await engine.run(found(), origin=collection, found=lambda: count, vanished=lambda: 0, index=index)


@dataclass(slots=True)
class _Tally:
    files_done: int = 0
    documents: int = 0
    passages: int = 0
    embedded: int = 0
    unchanged: int = 0
    replaced: int = 0
    failed: list[Failure] = field(default_factory=list)


class _Engine:
    """One run of the pipeline."""

    def __init__(self, store: Store, embedder: Embedder, settings: DocumentSettings, progress: Progress | None) -> None:
        self._store, self._embedder, self._settings, self._progress = store, embedder, settings, progress
        self._tally = _Tally()
        self._found: Callable[[], int] = int
        # One writer at a time: SQLite's would poll for the lock, and the embedder keeps both busy anyway.
        self._writing = asyncio.Lock()

    async def run(
        self,
        sources: Iterator[Found | Failure],
        *,
        origin: str,
        found: Callable[[], int],
        vanished: Callable[[], int],
        index: SearchIndex | None,
    ) -> IngestReport:
        self._found = found
        with self._store.writing():
            interrupted = await _to_end(self._store.begin)
            intake = Intake(sources, store=self._store, cut=self._cut(), digest=self._embedder.digest, origin=origin)
            await self._pump(intake)
            removed = await _to_end(vanished)
            await _to_end(self._store.finish, sweep=interrupted or bool(removed or self._tally.replaced))
        if index is not None:
            await _to_end(index.catch_up)
        tally = self._tally
        return IngestReport(
            tally.documents, tally.passages, tally.embedded, tally.unchanged, removed, tuple(tally.failed)
        )

    async def _pump(self, intake: Intake) -> None:
        """Read batches in one thread, embed and store two at a time."""
        queue: asyncio.Queue[Batch | None] = asyncio.Queue(maxsize=1)

        async def read() -> None:
            while (batch := await _next(intake)) is not None:
                await queue.put(batch)
            for _ in range(_BATCHES_AT_ONCE):
                await queue.put(None)

        async def work() -> None:
            while (batch := await queue.get()) is not None:
                await self._process(batch)

        try:
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(read())
                for _ in range(_BATCHES_AT_ONCE):
                    tasks.create_task(work())
        except BaseExceptionGroup as group:
            # The first failure stopped the others; the group says no more than it does.
            raise group.exceptions[0] from None

    async def _process(self, batch: Batch) -> None:
        if batch.entries:
            await self._embed(batch)
            async with self._writing:
                self._tally.replaced += await _to_end(self._store.replace, batch.entries)
        tally = self._tally
        tally.files_done += batch.sources
        tally.documents += len(batch.entries) + batch.unchanged
        tally.passages += batch.passages + batch.unchanged_passages
        tally.unchanged += batch.unchanged
        tally.failed += batch.failures
        self._report(batch.current)

    async def _embed(self, batch: Batch) -> None:
        """Keep a vector for each passage of a batch that has none yet."""
        digest = self._embedder.digest
        names = {name for entry in batch.entries for name in entry.hashes}
        missing = await _to_end(self._store.missing_vectors, names, digest=digest)
        some: dict[str, str] = {}

        async def keep() -> None:
            vectors = await self._embedder.embed(list(some.values()), kind="passage")
            async with self._writing:
                await _to_end(self._store.keep_vectors, list(some), vectors, digest=digest)
            self._tally.embedded += len(some)
            self._report(batch.current)
            some.clear()

        for name, text in batch.texts():
            if name in missing:
                missing.discard(name)
                some[name] = text
                if len(some) == _EMBEDDED_AT_ONCE:
                    await keep()
        if some:
            await keep()

    def _report(self, current: str) -> None:
        if self._progress is not None:
            tally = self._tally
            self._progress(IngestProgress(tally.files_done, self._found(), tally.passages, tally.embedded, current))

    def _cut(self) -> Callable[[Document], list[Passage]]:
        loop = asyncio.get_running_loop()

        def embed(texts: Sequence[str]) -> Vectors:
            return asyncio.run_coroutine_threadsafe(self._embedder.embed(texts, kind="passage"), loop).result()

        return partial(cut, settings=self._settings, tokens=self._embedder.token_spans, embed=embed)


def _recipe(
    settings: DocumentSettings, embedder: Embedder, *, groups: Sequence[str], metadata: Mapping[str, str]
) -> str:
    """The hash of everything but a file's content that its passages, vectors and visibility follow from."""
    parts = {
        "cut": settings.model_dump(mode="json", include={"cut", "size", "overlap"}),
        "embedder": embedder.digest,
        "indexed": RECIPE,
        "readers": [version("assay"), version("kreuzberg")],
        "groups": sorted(groups),
        "metadata": sorted(metadata.items()),
    }
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()[:32]


def cut_with(store: Store, settings: DocumentSettings, embedder: Embedder) -> bool:
    """Whether some of the documents were cut under these settings; True where there are none.

    Metadata given at ingest is part of a recipe and cannot be told from a reader's: the usual ones are tried.
    """
    rows = store.documents(limit=_SAMPLED)
    known = store.known([row.source for row in rows])
    for row in rows:
        titled = {"\x00title": row.title}
        for metadata in (
            {},
            titled,
            {**store.document(row.id).metadata},
            {**store.document(row.id).metadata, **titled},
        ):
            if known[row.source].recipe == _recipe(settings, embedder, groups=row.groups, metadata=metadata):
                return True
    return not rows


def _itself(value: T) -> T:
    return value


async def _next(intake: Intake) -> Batch | None:
    """The next batch. A batch takes seconds to read: when cancelled, only the source at hand is read to its end."""
    reading = asyncio.ensure_future(_to_end(intake.next))
    try:
        return await asyncio.shield(reading)
    except asyncio.CancelledError:
        intake.stop()
        await asyncio.gather(reading, return_exceptions=True)
        raise


async def _to_end(function: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> T:
    """Run in a thread; when cancelled, wait until the thread is done, so nothing writes after we return."""
    task = asyncio.ensure_future(asyncio.to_thread(function, *args, **kwargs))
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        if not task.done():
            await asyncio.wait([task])
        raise
