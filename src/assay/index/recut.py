"""The documents of a store under another cut or embedder, in a store of their own beside it.

So that a changed cut can be measured, raced and served while the workspace keeps the one it has. The main store is the
truth: texts come from it, and a recut store is derived like an index, made again or followed whenever the main one
moved. Invariant: after `follow` it holds exactly the documents of the main store. Proved by
`tests/unit/index/test_recut.py`.
"""

import asyncio
import hashlib
import json
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from assay.documents.document import Document
from assay.documents.settings import DocumentSettings
from assay.errors import Conflict, NotFound
from assay.index.changes import Changes
from assay.index.ingest import Progress, ingest_documents
from assay.index.store import Store
from assay.ledger.database import open_database, sqlite_url
from assay.ledger.lock import held
from assay.models.embedder import Embedder

_CUTTING = ("cut", "size", "overlap")
_PAGE = 500
_WAIT_SECONDS = 0.5
_LOOK_SECONDS = 1.0
_COLLECTION = "recut"


class Recut:
    """A recut of `main` in a folder of its own below `folder`. `key` names cut and embedder."""

    def __init__(self, main: Store, folder: Path, *, settings: DocumentSettings, embedder: Embedder) -> None:
        what = {name: getattr(settings, name) for name in _CUTTING} | {"embedder": embedder.digest}
        self.key = hashlib.sha256(json.dumps(what, sort_keys=True).encode()).hexdigest()[:16]
        self.folder = folder / self.key
        self._main, self._settings, self._embedder = main, settings, embedder
        self._state = Changes(main.database)
        self._look_at = 0.0
        self._following: asyncio.Task[None] | None = None
        self.folder.mkdir(parents=True, exist_ok=True)
        self.database = open_database(sqlite_url(self.folder / "assay.db"))
        self.store = Store(self.database)
        self._own = Changes(self.database)

    async def follow(self, progress: Progress | None = None) -> None:
        """Bring it to the main store's state; another process at the same is waited for."""
        while True:
            state = await asyncio.to_thread(self._named_state)
            if await asyncio.to_thread(self._followed) == state:
                return
            with held(self.folder / "following.lock") as won:
                if won:
                    await self._follow(state, progress)
                    return
            await asyncio.sleep(_WAIT_SECONDS)

    def look(self) -> None:
        """Follow in the background where the main store moved; now and then, for a call at every question."""
        now = time.monotonic()
        if now < self._look_at or (self._following is not None and not self._following.done()):
            return
        self._look_at = now + _LOOK_SECONDS
        self._following = asyncio.create_task(self.follow())
        # A failure shows where somebody waits for it; answers go on from the state there is.
        self._following.add_done_callback(lambda done: done.cancelled() or done.exception())

    async def aclose(self) -> None:
        """Stop following and close the database."""
        if self._following is not None:
            self._following.cancel()
            await asyncio.gather(self._following, return_exceptions=True)
        await asyncio.to_thread(self.database.close)

    async def _follow(self, state: str, progress: Progress | None) -> None:
        sources: set[str] = set()

        def documents() -> Iterator[Document]:
            for offset in range(0, 10**9, _PAGE):
                rows = self._main.documents(limit=_PAGE, offset=offset)
                for row in rows:
                    if row.source in sources:
                        continue  # an ingest in between moved it to the next page
                    sources.add(row.source)
                    with suppress(NotFound):  # removed meanwhile: the next look sees it
                        yield self._main.document(row.id)
                if len(rows) < _PAGE:
                    return

        report = await ingest_documents(
            documents(),
            store=self.store,
            embedder=self._embedder,
            settings=self._settings,
            collection=_COLLECTION,
            progress=progress,
        )
        if report.failed:
            first = report.failed[0]
            raise Conflict(
                f"{len(report.failed)} documents cannot be cut anew, the first {first.path}: {first.message}",
                hint=first.hint or "Ingest the document again.",
            )
        await asyncio.to_thread(self._remove_all_but, sources)
        await asyncio.to_thread((self.folder / "state").write_text, state, "utf-8")

    def _remove_all_but(self, sources: set[str]) -> None:
        gone = set(self.store.sources(origin=_COLLECTION)) - sources
        # What a removal in between moved out of the pages that were read is still there.
        self.store.remove(gone - self._main.known(gone).keys())

    def _named_state(self) -> str:
        state, own = self._state.state(), self._own.state()
        # Its own instance too: a database that is made anew has followed nothing, whatever the file says.
        return f"{state.instance}:{state.generation}:{own.instance}"

    def _followed(self) -> str:
        try:
            return (self.folder / "state").read_text("utf-8")
        except OSError:
            return ""
