"""The only place that names concrete parts: settings in, an open workspace out.

A `Workspace` is a `Service`. Models load where the settings have a use for them; everything that needs one
waits (`assay.app.loading`). The database opens first and closes last.
"""

import asyncio
import os
from collections.abc import AsyncIterator, Callable, Coroutine, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any, TypedDict

from assay.answers import ask as asking
from assay.answers.outcome import AnswerEvent, Outcome
from assay.answers.settings import AnswerSettings
from assay.app.daemon import in_daemon_thread
from assay.app.loading import LoadedModels, roles_in_use
from assay.app.service import (
    DocumentRow,
    DocumentView,
    Extent,
    IngestStatus,
    ModelStatus,
    ReleaseStatus,
    SettingInForce,
)
from assay.app.settings import Settings, SettingsInForce
from assay.app.shelf import Shelf, Shelved
from assay.documents.document import Document
from assay.errors import AssayError, BadSetting
from assay.index.beir import bench_retrieval, load_beir
from assay.index.changes import Changes
from assay.index.hit import Filter, Hit, Mode, Retriever
from assay.index.ingest import IngestProgress, IngestReport, ingest, ingest_documents
from assay.index.retriever import HybridRetriever, SearchIndex
from assay.index.store import Store
from assay.ledger.database import Database, open_database, sqlite_url
from assay.ledger.recorder import Recorder
from assay.ledger.traces import Trace, load
from assay.models import catalogue
from assay.models.chat import ChatModel
from assay.models.embedder import Embedder


def workspace_home() -> Path:
    """The workspace folder: `ASSAY_HOME`, or `.assay` in the current folder."""
    named = os.environ.get("ASSAY_HOME")
    return (Path(named).expanduser() if named else Path.cwd() / ".assay").resolve()


def database_url(home: Path) -> str:
    """`ASSAY_DATABASE_URL`, or SQLite in the workspace."""
    return os.environ.get("ASSAY_DATABASE_URL") or sqlite_url(home / "assay.db")


def open_workspace_database(home: Path | None = None) -> Database:
    """The workspace's database, created where there is none."""
    home = home or workspace_home()
    ignore = home / ".gitignore"
    try:
        home.mkdir(parents=True, exist_ok=True)
        if not ignore.exists():
            ignore.write_text("*\n")  # a workspace is derived state: it never belongs in a repository
    except OSError as error:
        with suppress(OSError):
            ignore.unlink(missing_ok=True)
        raise BadSetting(
            f"The workspace {home} cannot be created: {error.strerror}.",
            hint="Change to a folder you can write to, or set ASSAY_HOME.",
        ) from error
    return open_database(database_url(home))


@asynccontextmanager
async def open_workspace(in_force: SettingsInForce, *, home: Path | None = None) -> AsyncIterator["Workspace"]:
    """An open workspace; closing it frees models, flushes the ledger and closes the database."""
    home = home or workspace_home()
    database = await asyncio.to_thread(open_workspace_database, home)
    recorder = Recorder(database, in_force.settings.ledger, secrets=_secrets(in_force.settings))
    workspace = Workspace(home, in_force, database, recorder)
    try:
        yield workspace
    finally:
        await workspace.aclose()
        await asyncio.to_thread(recorder.close)
        database.close()


async def bench_beir(
    folder: Path,
    in_force: SettingsInForce,
    *,
    home: Path,
    note: Callable[[str], None],
    progress: Callable[[IngestProgress], None],
) -> dict[str, Any]:
    """Retrieval measured on a BEIR folder under the settings in force, in the workspace folder `home`."""
    collection = await asyncio.to_thread(load_beir, folder)
    settings = in_force.settings
    embedder = await in_daemon_thread(lambda: catalogue.embedder(settings.models))
    try:
        bench = await bench_retrieval(
            collection,
            home=home,
            embedder=embedder,
            documents=settings.documents,
            settings=settings.index,
            threads=settings.models.threads,
            progress=progress,
            note=note,
        )
    finally:
        await embedder.aclose()
    return bench.as_json()


class _Parts(TypedDict):
    retriever: Retriever
    embedder: Embedder
    model: ChatModel | None
    settings: AnswerSettings


class Workspace:
    """A folder of documents, their index and their ledger, answering questions. Implements `Service`."""

    def __init__(
        self,
        home: Path,
        in_force: SettingsInForce,
        database: Database,
        recorder: Recorder,
        *,
        models: LoadedModels | None = None,
        shelf: Shelf | None = None,
    ) -> None:
        self.home = home
        self.base = home.parent
        self.in_force = in_force
        self.settings = in_force.settings
        self.name = self.settings.server.name
        self.database = database
        self.recorder = recorder
        self.store = Store(database)
        self._in_use = roles_in_use(self.settings)
        self._owns_models = models is None
        self._models = models or LoadedModels(self.settings.models, in_use=self._in_use)
        self._owns_shelf = shelf is None
        self.shelf = shelf or Shelf(home, self.store)
        self._shelved: Shelved | None = None
        self._retriever: HybridRetriever | None = None
        self._ingestion = IngestStatus()

    # ---- what the front doors ask -------------------------------------------------------------

    def models(self) -> Sequence[ModelStatus]:
        """What each model in use is doing; a chat model that no answer calls is not among them."""
        return self._models.statuses()

    def ingestion(self) -> IngestStatus:
        """How the ingestion stands."""
        return self._ingestion

    def settings_in_force(self) -> Sequence[SettingInForce]:
        """Every setting with its origin."""
        return [
            SettingInForce(key, value, str(origin), description)
            for key, value, origin, description in self.in_force.rows()
        ]

    def release(self) -> ReleaseStatus | None:
        """None: a workspace alone follows no release (see `assay.app.live`)."""
        return None

    async def extent(self) -> Extent:
        """How many documents and passages the workspace holds."""
        counts = await asyncio.to_thread(self.store.counts)
        return Extent(counts.documents, counts.passages)

    async def documents(self, *, limit: int = 1000, offset: int = 0, matching: str = "") -> Sequence[DocumentRow]:
        """Documents whose source or title holds `matching`, by source."""
        rows = await asyncio.to_thread(lambda: self.store.documents(limit=limit, offset=offset, matching=matching))
        return [
            DocumentRow(
                id=row.id,
                source=row.source,
                title=row.title,
                media_type=row.media_type,
                characters=row.characters,
                passages=row.passages,
                pages=row.pages,
                groups=tuple(row.groups),
            )
            for row in rows
        ]

    async def document(self, document_id: str) -> DocumentView:
        """One document by id. Raises NotFound."""
        found = await asyncio.to_thread(self.store.document, document_id)
        return DocumentView(
            id=found.id,
            source=found.source,
            title=found.title,
            media_type=found.media_type,
            text=found.text,
            headings=found.headings,
            pages=found.pages,
            metadata=found.metadata,
        )

    async def search(
        self, question: str, *, k: int | None = None, mode: Mode | None = None, where: Filter | None = None
    ) -> list[Hit]:
        """Passages for a question, recorded as a trace. Raises BadInput for an empty or endless one."""
        question = asking.checked(question)
        retriever = await self._ready_retriever()
        with self.recorder.span("assay.search", {"question": question}):
            return await retriever.search(question, k=k, mode=mode, where=where)

    async def ask(self, question: str, *, where: Filter | None = None) -> Outcome:
        """An answer or a stated refusal, recorded as a trace."""
        parts = await self._answering()
        with self.recorder.recording():
            return await asking.ask(question, where=where, **parts)

    async def stream(self, question: str, *, where: Filter | None = None) -> AsyncIterator[AnswerEvent]:
        """The same in pieces."""
        parts = await self._answering()
        with self.recorder.recording():
            async for event in asking.stream(question, where=where, **parts):
                yield event

    async def _answering(self) -> _Parts:
        """What a question is answered with; the chat model only where these settings call it."""
        return {
            "retriever": await self._ready_retriever(),
            "embedder": await self.embedder(),
            "model": await self.chat_in_use(),
            "settings": self.settings.answers,
        }

    async def trace(self, trace_id: str) -> Trace:
        """A trace of the ledger. Raises NotFound."""
        await asyncio.to_thread(self.recorder.flush)
        return await asyncio.to_thread(load, self.database, trace_id)

    @asynccontextmanager
    async def changed(self, flags: Mapping[str, str]) -> AsyncIterator["Workspace"]:
        """The same workspace under changed settings: a candidate."""
        async with self.variant(self.in_force.changed(flags)) as variant:
            yield variant

    @asynccontextmanager
    async def variant(self, in_force: SettingsInForce) -> AsyncIterator["Workspace"]:
        """The same workspace under other settings. Models are shared where theirs are unchanged."""
        shared = self._models if in_force.settings.models == self.settings.models else None
        variant = Workspace(self.home, in_force, self.database, self.recorder, models=shared, shelf=self.shelf)
        try:
            yield variant
        finally:
            await variant.aclose()

    # ---- ingestion ----------------------------------------------------------------------------

    async def ingest(
        self,
        paths: Sequence[Path],
        *,
        groups: Sequence[str] = (),
        metadata: dict[str, str] | None = None,
        remove_missing: bool = False,
        base: Path | None = None,
        progress: Callable[[IngestStatus], None] = lambda _status: None,
    ) -> IngestReport:
        """Ingest files and folders; the page and `progress` follow it through `IngestStatus`."""
        embedder = await self.embedder()

        def work(follow: Callable[[IngestProgress], None]) -> Coroutine[Any, Any, IngestReport]:
            return ingest(
                paths,
                store=self.store,
                embedder=embedder,
                settings=self.settings.documents,
                base=base or self.base,
                groups=tuple(groups),
                metadata=metadata or {},
                remove_missing=remove_missing,
                progress=follow,
                index=self._own_index(),
            )

        return await self._followed(work, progress)

    async def ingest_documents(
        self,
        documents: Iterable[Document],
        *,
        collection: str,
        progress: Callable[[IngestStatus], None] = lambda _status: None,
    ) -> IngestReport:
        """Ingest documents made elsewhere, such as those of a set of cases; nothing is removed."""
        embedder = await self.embedder()

        def work(follow: Callable[[IngestProgress], None]) -> Coroutine[Any, Any, IngestReport]:
            return ingest_documents(
                documents,
                store=self.store,
                embedder=embedder,
                settings=self.settings.documents,
                collection=collection,
                progress=follow,
                index=self._own_index(),
            )

        return await self._followed(work, progress)

    @property
    def is_recut(self) -> bool:
        """Whether it searches passages cut anew for it, beside those that were ingested."""
        return self._shelved is not None and self._shelved.recut is not None

    def _own_index(self) -> SearchIndex | None:
        """The open index over what is ingested, if it is open."""
        return None if self._shelved is None or self.is_recut else self._shelved.index

    async def _followed(
        self,
        work: Callable[[Callable[[IngestProgress], None]], Coroutine[Any, Any, IngestReport]],
        progress: Callable[[IngestStatus], None],
    ) -> IngestReport:
        def follow(event: IngestProgress) -> None:
            self._ingestion = IngestStatus(
                "running", event.files_done, event.files_found, event.passages, event.embedded, event.current
            )
            progress(self._ingestion)

        self._ingestion = IngestStatus("running")
        try:
            report = await work(follow)
        except AssayError:
            self._ingestion = IngestStatus("failed")
            raise
        failed = tuple((failure.path, failure.code, failure.hint) for failure in report.failed)
        self._ingestion = IngestStatus(
            "finished", report.documents, report.documents, report.passages, report.embedded, "", failed
        )
        return report

    # ---- models -------------------------------------------------------------------------------

    async def ready(self) -> None:
        """Everything a question needs is loaded and fits the documents. Raises what asking would raise."""
        await self._answering()
        assert self._shelved is not None
        await asyncio.to_thread(self._shelved.index.check_vectors)

    def start_loading(self) -> None:
        """Begin loading the models in use in the background; failures show in `models()`."""
        self._models.start()

    async def embedder(self) -> Embedder:
        """The embedder, loaded once."""
        return await self._models.embedder()

    async def chat(self) -> ChatModel | None:
        """The chat model, loaded once, also where no answer calls it; None where `models.chat` is none."""
        return await self._models.chat()

    async def chat_in_use(self) -> ChatModel | None:
        """The chat model where these settings call it for an answer."""
        return await self.chat() if "chat" in self._in_use else None

    async def retriever_with(self, embedder: Embedder) -> HybridRetriever:
        """A retriever over this workspace's index that embeds questions with `embedder`, a wrapper of its own."""
        index = await self.search_index()
        reranker = await self._models.reranker() if "reranker" in self._in_use else None
        return HybridRetriever(index, embedder, settings=self.settings.index, reranker=reranker)

    async def search_index(self) -> SearchIndex:
        """The index these settings search, open."""
        await self._ready_retriever()
        assert self._shelved is not None
        return self._shelved.index

    def corpus_state(self) -> str:
        """Names what the workspace holds now: it changes whenever a document does, and with the cut in use."""
        state = Changes(self.database).state()
        recut = self._shelved.recut if self._shelved else None
        return f"{state.instance}:{state.generation}" + (f":{recut.key}" if recut else "")

    async def aclose(self) -> None:
        """Stop loading and free the models, where they are this workspace's own."""
        if self._owns_models:
            await self._models.aclose()
        if self._owns_shelf:
            await self.shelf.aclose()

    async def _ready_retriever(self) -> HybridRetriever:
        if self._retriever is None:
            embedder = await self.embedder()
            reranker = await self._models.reranker() if "reranker" in self._in_use else None
            shelved = await self.shelf.opened(self.in_force, embedder)
            if self._retriever is None:
                self._shelved = shelved
                self._retriever = HybridRetriever(
                    shelved.index, embedder, settings=self.settings.index, reranker=reranker
                )
        if self._shelved is not None and self._shelved.recut is not None:
            self._shelved.recut.look()
        return self._retriever


def _secrets(settings: Settings) -> list[str]:
    """The keys in the environment, so that the ledger can never hold one."""
    names = {settings.models.chat_key_env, settings.models.embedder_key_env}
    return [os.environ[name] for name in sorted(names) if os.environ.get(name)]
