"""The only place that names concrete parts: settings in, an open workspace out.

A `Workspace` is a `Service`. Models load on demand, once, in the background or in the foreground; everything
that needs them waits. The database opens first and closes last.
"""

import asyncio
import os
from collections.abc import AsyncIterator, Callable, Coroutine, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any, Literal

from assay.answers import ask as asking
from assay.answers.outcome import AnswerEvent, Outcome
from assay.app.daemon import in_daemon_thread
from assay.app.service import DocumentRow, DocumentView, Extent, IngestStatus, ModelStatus, SettingInForce
from assay.app.settings import Settings, SettingsInForce
from assay.errors import AssayError, BadSetting
from assay.index.beir import bench_retrieval, load_beir
from assay.index.hit import Filter, Hit, Mode
from assay.index.ingest import IngestProgress, IngestReport, ingest
from assay.index.retriever import HybridRetriever, SearchIndex
from assay.index.store import Store
from assay.ledger.database import Database, open_database, sqlite_url
from assay.ledger.recorder import Recorder
from assay.ledger.traces import Trace, load
from assay.models import catalogue
from assay.models.chat import ChatModel
from assay.models.embedder import Embedder
from assay.models.reranker import Reranker

Role = Literal["embedder", "chat", "reranker"]


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


class Workspace:
    """A folder of documents, their index and their ledger, answering questions. Implements `Service`."""

    def __init__(self, home: Path, in_force: SettingsInForce, database: Database, recorder: Recorder) -> None:
        self.home = home
        self.base = home.parent
        self.in_force = in_force
        self.settings = in_force.settings
        self.name = self.settings.server.name
        self.database = database
        self.recorder = recorder
        self.store = Store(database)
        self._embedder: Embedder | None = None
        self._chat: ChatModel | None = None
        self._reranker: Reranker | None = None
        self._index: SearchIndex | None = None
        self._retriever: HybridRetriever | None = None
        self._loading: dict[str, asyncio.Task[None]] = {}
        self._status = _initial_status(self.settings)
        self._ingestion = IngestStatus()

    # ---- what the front doors ask -------------------------------------------------------------

    def models(self) -> Sequence[ModelStatus]:
        """What each model is doing."""
        return tuple(self._status.values())

    def ingestion(self) -> IngestStatus:
        """How the ingestion stands."""
        return self._ingestion

    def settings_in_force(self) -> Sequence[SettingInForce]:
        """Every setting with its origin."""
        return [
            SettingInForce(key, value, str(origin), description)
            for key, value, origin, description in self.in_force.rows()
        ]

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
        retriever, embedder = await self._ready_retriever(), await self.embedder()
        with self.recorder.recording():
            return await asking.ask(
                question,
                retriever=retriever,
                embedder=embedder,
                model=await self.chat(),
                settings=self.settings.answers,
                where=where,
            )

    async def stream(self, question: str, *, where: Filter | None = None) -> AsyncIterator[AnswerEvent]:
        """The same in pieces."""
        retriever, embedder = await self._ready_retriever(), await self.embedder()
        with self.recorder.recording():
            async for event in asking.stream(
                question,
                retriever=retriever,
                embedder=embedder,
                model=await self.chat(),
                settings=self.settings.answers,
                where=where,
            ):
                yield event

    async def trace(self, trace_id: str) -> Trace:
        """A trace of the ledger. Raises NotFound."""
        await asyncio.to_thread(self.recorder.flush)
        return await asyncio.to_thread(load, self.database, trace_id)

    @asynccontextmanager
    async def changed(self, flags: Mapping[str, str]) -> AsyncIterator["Workspace"]:
        """The same workspace under changed settings: a candidate. Loaded models are shared where unchanged."""
        in_force = self.in_force.changed(flags)
        variant = Workspace(self.home, in_force, self.database, self.recorder)
        if in_force.settings.models == self.settings.models:
            for role in ("embedder", "chat"):
                variant._loading[role] = self._once(role)
            variant._embedder, variant._chat = await self.embedder(), await self.chat()
        yield variant

    # ---- ingestion ----------------------------------------------------------------------------

    async def ingest(
        self,
        paths: Sequence[Path],
        *,
        groups: Sequence[str] = (),
        metadata: dict[str, str] | None = None,
        base: Path | None = None,
        progress: Callable[[IngestStatus], None] = lambda _status: None,
    ) -> IngestReport:
        """Ingest files and folders; the page and `progress` follow it through `IngestStatus`."""

        def follow(event: IngestProgress) -> None:
            self._ingestion = IngestStatus(
                "running", event.files_done, event.files_found, event.passages, event.embedded, event.current
            )
            progress(self._ingestion)

        self._ingestion = IngestStatus("running")
        try:
            report = await ingest(
                paths,
                store=self.store,
                embedder=await self.embedder(),
                settings=self.settings.documents,
                base=base or self.base,
                groups=tuple(groups),
                metadata=metadata or {},
                progress=follow,
                index=self._index,
            )
        except AssayError:
            self._ingestion = IngestStatus("failed")
            raise
        failed = tuple((failure.path, failure.code, failure.hint) for failure in report.failed)
        self._ingestion = IngestStatus(
            "finished", report.documents, report.documents, report.passages, report.embedded, "", failed
        )
        return report

    # ---- models -------------------------------------------------------------------------------

    def start_loading(self) -> None:
        """Begin loading every model in the background; failures show in `models()`."""
        for role in ("embedder", "chat"):
            self._once(role)

    async def embedder(self) -> Embedder:
        """The embedder, loaded once."""
        await self._loaded("embedder")
        assert self._embedder is not None
        return self._embedder

    async def chat(self) -> ChatModel | None:
        """The chat model, loaded once; None where `models.chat` is none."""
        if self.settings.models.chat == "none":
            return None
        await self._loaded("chat")
        return self._chat

    async def aclose(self) -> None:
        """Stop loading and free the models."""
        for task in self._loading.values():
            task.cancel()
        await asyncio.gather(*self._loading.values(), return_exceptions=True)
        for part in (self._embedder, self._chat, self._reranker):
            if part is not None:
                await part.aclose()

    async def _loaded(self, role: Role) -> None:
        # Shielded: a client that goes away must not cancel the loading others wait for.
        await asyncio.shield(self._once(role))

    def _once(self, role: str) -> asyncio.Task[None]:
        task = self._loading.get(role)
        if task is None or (task.done() and (task.cancelled() or task.exception() is not None)):
            work: dict[str, Callable[[], Coroutine[Any, Any, None]]] = {
                "embedder": self._load_embedder,
                "chat": self._load_chat,
                "reranker": self._load_reranker,
            }
            task = asyncio.create_task(self._watched(role, work[role]()))
            task.add_done_callback(lambda done: done.cancelled() or done.exception())
            self._loading[role] = task
        return task

    async def _watched(self, role: str, work: Coroutine[Any, Any, None]) -> None:
        before = self._status[role]
        self._status[role] = ModelStatus(before.role, before.name, "loading")
        try:
            await work
        except AssayError as error:
            self._status[role] = ModelStatus(before.role, before.name, "failed", f"{error.message} {error.hint}")
            raise
        self._status[role] = ModelStatus(before.role, before.name, "ready")

    def _fetching(self, role: str) -> Callable[[int, int], None]:
        def follow(done_bytes: int, total_bytes: int) -> None:
            before = self._status[role]
            self._status[role] = ModelStatus(
                before.role, before.name, "loading", "fetching weights", done_bytes, total_bytes
            )

        return follow

    async def _load_embedder(self) -> None:
        progress = self._fetching("embedder")
        self._embedder = await in_daemon_thread(lambda: catalogue.embedder(self.settings.models, progress=progress))

    async def _load_chat(self) -> None:
        progress = self._fetching("chat")
        self._chat = await in_daemon_thread(lambda: catalogue.chat_model(self.settings.models, progress=progress))

    async def _load_reranker(self) -> None:
        chat = await self.chat() if self.settings.models.reranker == "judge" else None
        self._reranker = await in_daemon_thread(lambda: catalogue.reranker(self.settings.models, chat))

    async def _ready_retriever(self) -> HybridRetriever:
        if self._retriever is None:
            embedder = await self.embedder()
            if self.settings.index.rerank and self.settings.models.reranker != "none":
                await self._loaded("reranker")
            if self._retriever is None:
                index = SearchIndex(
                    self.store,
                    self.home / "index",
                    digest=embedder.digest,
                    dimensions=embedder.dimensions,
                    language=self.settings.index.language,
                    threads=self.settings.models.threads,
                )
                await asyncio.to_thread(index.open)
                self._index = index
                self._retriever = HybridRetriever(
                    index, embedder, settings=self.settings.index, reranker=self._reranker
                )
        return self._retriever


def _secrets(settings: Settings) -> list[str]:
    """The keys in the environment, so that the ledger can never hold one."""
    names = {settings.models.chat_key_env, settings.models.embedder_key_env}
    return [os.environ[name] for name in sorted(names) if os.environ.get(name)]


def _initial_status(settings: Settings) -> dict[str, ModelStatus]:
    names = {"embedder": settings.models.embedder, "chat": settings.models.chat, "reranker": settings.models.reranker}
    roles: tuple[Role, ...] = ("embedder", "chat", "reranker")
    return {role: ModelStatus(role, names[role], "waiting") for role in roles if names[role] != "none"}
