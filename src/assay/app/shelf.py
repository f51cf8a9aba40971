"""The indexes a workspace and its variants search: opened once each, over the passages as ingested or cut anew.

A setting of the documents or another embedder that comes from a flag or a release means a candidate: it is measured and
served on a recut of its own (`index.recut`). One from the settings file holds for what is ingested from now on, so it
recuts nothing. Proved by `tests/unit/app/test_shelf.py`.
"""

import asyncio
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from assay.app.settings import SettingsInForce
from assay.errors import BadSetting
from assay.index.copied import copied
from assay.index.ingest import IngestProgress, cut_with
from assay.index.recut import Recut
from assay.index.retriever import SearchIndex
from assay.index.store import Store
from assay.models.embedder import Embedder

_RECUTTING = (
    "documents.cut",
    "documents.size",
    "documents.overlap",
    "models.embedder",
    "models.embedder_base_url",
    "models.embedder_max_tokens",
)
_CANDIDATES = ("flag", "release")


@dataclass(frozen=True, slots=True)
class Shelved:
    """An open index, and the recut it is over where it is one."""

    index: SearchIndex
    recut: Recut | None = None


class Shelf:
    """For one workspace and all its variants. Close it with the workspace it was made for."""

    def __init__(self, home: Path, store: Store) -> None:
        self._home, self._store = home, store
        self._open: dict[tuple[str, ...], Shelved] = {}
        self._locks: defaultdict[tuple[str, ...], asyncio.Lock] = defaultdict(asyncio.Lock)
        self._copies: list[TemporaryDirectory[str]] = []
        self.progress: Callable[[IngestProgress], None] | None = None

    async def opened(self, in_force: SettingsInForce, embedder: Embedder) -> Shelved:
        """The index that these settings search. Documents are cut anew where it takes that, which may take long."""
        settings = in_force.settings
        recutting = await asyncio.to_thread(wants_recut, in_force, self._store, embedder)
        cut = [str(getattr(settings.documents, name)) for name in ("cut", "size", "overlap")] if recutting else []
        key = (embedder.digest, settings.index.language, str(settings.models.threads), *cut)
        async with self._locks[key]:
            if key not in self._open:
                self._open[key] = await self._shelved(in_force, embedder, recutting=recutting)
            found = self._open[key]
        if found.recut is not None:
            await found.recut.follow(self.progress)
            await asyncio.to_thread(found.index.catch_up)
        return found

    async def aclose(self) -> None:
        """Close every recut."""
        for shelved in self._open.values():
            if shelved.recut is not None:
                await shelved.recut.aclose()
        for copy in self._copies:
            copy.cleanup()

    async def _shelved(self, in_force: SettingsInForce, embedder: Embedder, *, recutting: bool) -> Shelved:
        settings, store, folder = in_force.settings, self._store, self._home / "index"
        recut: Recut | None = None
        if recutting:
            if self._store.database.read_only:
                raise BadSetting(
                    "These settings cut the documents anew, and the workspace is read-only.",
                    hint="Open it once where it can be written.",
                )
            recut = await asyncio.to_thread(
                lambda: Recut(self._store, self._home / "cuts", settings=settings.documents, embedder=embedder)
            )
            await recut.follow(self.progress)
            store, folder = recut.store, recut.folder / "index"
        elif self._store.database.read_only:
            copy = await asyncio.to_thread(copied, folder)
            self._copies.append(copy)
            folder = Path(copy.name)
        index = SearchIndex(
            store,
            folder,
            digest=embedder.digest,
            dimensions=embedder.dimensions,
            language=settings.index.language,
            threads=settings.models.threads,
        )
        await asyncio.to_thread(index.open)
        return Shelved(index, recut)


def wants_recut(in_force: SettingsInForce, store: Store, embedder: Embedder) -> bool:
    """Whether a flag or a release asks for another cut or embedder than the documents were ingested with."""
    if not any(in_force.origins[key].kind in _CANDIDATES for key in _RECUTTING):
        return False
    return not cut_with(store, in_force.settings.documents, embedder)
