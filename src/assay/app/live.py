"""What serves now: a `Service` over the live release that follows the ledger and switches without dropping a request.

A new live release is opened beside the one that serves; only when its models are loaded and fit the documents do new
requests go to it. A request ends where it began, streams too, and a variant is freed after its last one. A release that
cannot be opened leaves what serves in place, says why, and is tried again. Models are shared between variants whose
model settings are equal, and freed with the last of them.
Proved by `tests/unit/app/test_live.py` and, under load, by `tests/story/test_release.py`.
"""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import aclosing, asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from assay.answers.outcome import AnswerEvent, Outcome
from assay.app.loading import LoadedModels, roles_in_use
from assay.app.released import aside_notes, asides, under
from assay.app.service import (
    DocumentRow,
    DocumentView,
    Extent,
    IngestStatus,
    ModelStatus,
    ReleaseStatus,
    SettingInForce,
)
from assay.app.settings import SettingsInForce
from assay.app.shelf import wants_recut
from assay.app.wiring import Workspace
from assay.decisions.releases import Release, Releases
from assay.errors import AssayError
from assay.index.hit import Filter, Hit, Mode
from assay.index.ingest import IngestReport
from assay.models.settings import ModelSettings

POLL_SECONDS = 1.0
_AGAIN_SECONDS = 5.0  # after a release could not be opened
_LOG = logging.getLogger(__name__)


@asynccontextmanager
async def serving(workspace: Workspace) -> AsyncIterator[Workspace]:
    """The workspace under the live release, for one question at a time; flags and variables win as for `assay up`."""
    release = await asyncio.to_thread(Releases(workspace.database).live_own)
    in_force = under(workspace.in_force, release)
    if in_force is workspace.in_force:
        yield workspace
        return
    async with workspace.variant(in_force) as variant:
        yield variant


@dataclass(eq=False, slots=True)
class _Variant:
    """The workspace under one release, and how many requests it is answering."""

    workspace: Workspace
    release: Release | None
    requests: int = 0
    idle: asyncio.Event = field(default_factory=asyncio.Event)

    @contextmanager
    def request(self) -> Iterator[Workspace]:
        self.requests += 1
        self.idle.clear()
        try:
            yield self.workspace
        finally:
            self.requests -= 1
            if not self.requests:
                self.idle.set()


class Live:
    """Implements `Service`. `start` before the first request, `aclose` after the last.

    `workspace` gives the database, the documents and the settings below any release; none of its models is loaded.
    """

    def __init__(
        self,
        workspace: Workspace,
        *,
        note: Callable[[str], None] = _LOG.warning,
        poll_seconds: float = POLL_SECONDS,
        again_seconds: float = _AGAIN_SECONDS,
    ) -> None:
        self.name = workspace.name
        self._workspace = workspace
        self._releases = Releases(workspace.database)
        self._note = note
        self._poll_seconds, self._again_seconds = poll_seconds, again_seconds
        self._pool = _Pool()
        self._current = _Variant(workspace, None)
        self._seen = 0
        self._problem = ""
        self._again_at = 0.0
        self._ingesting: Workspace | None = None
        self._ingestion = IngestStatus()
        self._watching: asyncio.Task[None] | None = None
        self._opening: tuple[str, asyncio.Task[None]] | None = None
        self._retiring: set[asyncio.Task[None]] = set()

    # ---- what the front doors ask -------------------------------------------------------------

    def models(self) -> Sequence[ModelStatus]:
        """What the models that answers call are doing; those that only a release to come calls are not among them."""
        workspace = self._current.workspace
        roles = roles_in_use(workspace.settings)
        return [model for model in workspace.models() if model.role in roles]

    def ingestion(self) -> IngestStatus:
        """How the ingestion stands, whichever variant it began under."""
        return self._ingestion if self._ingesting is None else self._ingesting.ingestion()

    def settings_in_force(self) -> Sequence[SettingInForce]:
        """Every setting of what serves, with its origin."""
        return self._current.workspace.settings_in_force()

    def release(self) -> ReleaseStatus | None:
        """The release that serves, and why a newer one does not; None before the first."""
        release = self._current.release
        if release is None:
            return ReleaseStatus(problem=self._problem) if self._problem else None
        exact = not any(aside.wins for aside in asides(self._workspace.in_force, release))
        return ReleaseStatus(release.id, release.verdict, release.without_evidence, exact, self._problem)

    async def extent(self) -> Extent:
        """How many documents and passages the workspace holds."""
        return await self._workspace.extent()

    async def documents(self, *, limit: int = 1000, offset: int = 0, matching: str = "") -> Sequence[DocumentRow]:
        """Documents whose source or title holds `matching`, by source."""
        return await self._workspace.documents(limit=limit, offset=offset, matching=matching)

    async def document(self, document_id: str) -> DocumentView:
        """One document by id. Raises NotFound."""
        return await self._workspace.document(document_id)

    async def trace(self, trace_id: str) -> Any:
        """A trace of the ledger. Raises NotFound."""
        return await self._workspace.trace(trace_id)

    async def search(
        self, question: str, *, k: int | None = None, mode: Mode | None = None, where: Filter | None = None
    ) -> list[Hit]:
        """Passages for a question."""
        with self._current.request() as workspace:
            return await workspace.search(question, k=k, mode=mode, where=where)

    async def ask(self, question: str, *, where: Filter | None = None) -> Outcome:
        """An answer or a stated refusal."""
        with self._current.request() as workspace:
            return await workspace.ask(question, where=where)

    async def stream(self, question: str, *, where: Filter | None = None) -> AsyncIterator[AnswerEvent]:
        """The same in pieces, from the first to the last under one release."""
        with self._current.request() as workspace:
            async with aclosing(workspace.stream(question, where=where)) as events:  # type: ignore[type-var]
                async for event in events:
                    yield event

    async def ingest(self, paths: Sequence[Path]) -> IngestReport:
        """Ingest files and folders under the release that serves when it begins."""
        with self._current.request() as current:
            # Ingested as the settings say; a recut that serves, or is going to, follows.
            workspace = self._workspace if await _recuts(current) else current
            self._ingesting = workspace
            try:
                return await workspace.ingest(paths)
            finally:
                self._ingestion, self._ingesting = workspace.ingestion(), None

    # ---- following the ledger -----------------------------------------------------------------

    async def start(self) -> None:
        """Serve the live release, and follow the ledger from here on. Its models load in the background.

        Raises BadSetting where the release is set to what this Assay does not know.
        """
        # The number first: what is released in between is looked at once more.
        self._seen = await asyncio.to_thread(self._releases.ordinal)
        release = await asyncio.to_thread(self._releases.live_own)
        self._current = self._made(under(self._workspace.in_force, release), release)
        self._current.workspace.start_loading()
        await self._say_what_serves()
        self._watching = asyncio.create_task(self._watch())

    async def aclose(self) -> None:
        """Stop following, and free every variant."""
        tasks = [task for task in (self._watching, self._opening and self._opening[1]) if task is not None]
        for task in (*tasks, *self._retiring):
            task.cancel()
        await asyncio.gather(*tasks, *self._retiring, return_exceptions=True)
        await self._pool.aclose()

    async def _watch(self) -> None:
        while True:
            await asyncio.sleep(self._poll_seconds)
            try:
                await self._look()
            except Exception as error:  # noqa: BLE001  the watcher outlives whatever the database does
                _LOG.warning("The live release cannot be looked up: %s", error)

    async def _look(self) -> None:
        """Begin to follow the ledger where it moved on, or try again what could not be opened."""
        newest = await asyncio.to_thread(self._releases.ordinal)
        is_again = bool(self._problem) and asyncio.get_running_loop().time() >= self._again_at
        if newest == self._seen and not is_again:
            return
        release = await asyncio.to_thread(self._releases.live_own)
        has_moved, self._seen = newest != self._seen, newest
        if self._opening is not None and not self._opening[1].done():
            if release is not None and self._opening[0] == release.id:
                return
            # Somebody went back, or on, while the models of what is no longer live were loading.
            self._opening[1].cancel()
            await asyncio.gather(self._opening[1], return_exceptions=True)
        if release is None or release.id == _id(self._current.release):
            self._problem = ""
            if has_moved:
                await self._say_what_serves()
            return
        self._opening = (release.id, asyncio.create_task(self._follow(release)))

    async def _follow(self, release: Release) -> None:
        try:
            await self._switch(release)
        except AssayError as error:
            self._failed(release, f"{error.message} {error.hint}".strip())
        except Exception as error:  # noqa: BLE001  the old release serves on, whatever is wrong with the new one
            _LOG.exception("Release %s cannot be opened", release.id[:8])
            self._failed(release, f"{type(error).__name__}: {error}")
        else:
            self._problem = ""
            await self._say_what_serves()

    def _failed(self, release: Release, why: str) -> None:
        still = _id(self._current.release)
        problem = (
            f"Release {release.id[:8]} cannot be served: {why} "
            f"Until then {f'release {still[:8]}' if still else 'what served before it'} goes on serving."
        )
        if problem != self._problem:
            self._note(f"error: {problem}\nhint: correct that, or go back: assay rollback")
        self._problem = problem
        self._again_at = asyncio.get_running_loop().time() + self._again_seconds

    async def _switch(self, release: Release) -> None:
        """Serve `release` as soon as it is ready to."""
        in_force = under(self._workspace.in_force, release)
        old = self._current
        if in_force.settings == old.workspace.settings:
            old.release, old.workspace.in_force = release, in_force  # set alike: nothing to open
            return
        new = self._made(in_force, release)
        try:
            await new.workspace.ready()
        except BaseException:
            await self._free(new)
            raise
        # Nothing is awaited between here and the next request, so no request sees neither or both.
        self._current = new
        retiring = asyncio.create_task(self._retire(old))
        self._retiring.add(retiring)
        retiring.add_done_callback(self._retiring.discard)

    async def _retire(self, variant: _Variant) -> None:
        if variant.requests:
            await variant.idle.wait()
        await self._free(variant)

    async def _free(self, variant: _Variant) -> None:
        await variant.workspace.aclose()
        await self._pool.give_back(variant.workspace.settings.models)

    def _made(self, in_force: SettingsInForce, release: Release | None) -> _Variant:
        shell = self._workspace
        models = self._pool.take(in_force)
        # One shelf for all variants: a cut that serves again is there already, and the shell closes them all.
        made = Workspace(shell.home, in_force, shell.database, shell.recorder, models=models, shelf=shell.shelf)
        return _Variant(made, release)

    async def _say_what_serves(self) -> None:
        release = self._current.release
        if release is None:
            return
        said = "without evidence" if release.without_evidence else release.verdict
        self._note(f"Serving release {release.id[:8]} ({said}): {release.served.name}")
        for line in aside_notes(self._workspace.in_force, release):
            self._note(f"note: {line}")
        live = await asyncio.to_thread(self._releases.live)
        if live is not None and not live.served.is_own:
            self._note(
                f"note: The live release {live.id[:8]} is {live.served.system}, which is not Assay's to serve; "
                f"release {release.id[:8]} is the newest of its own."
            )


class _Pool:
    """Models by their settings, freed with the last variant that uses them."""

    def __init__(self) -> None:
        self._held: dict[ModelSettings, tuple[LoadedModels, int]] = {}

    def take(self, in_force: SettingsInForce) -> LoadedModels:
        """The models of these settings; give them back once for each time."""
        settings = in_force.settings
        models, users = self._held.get(settings.models) or (
            LoadedModels(settings.models, in_use=roles_in_use(settings)),
            0,
        )
        self._held[settings.models] = (models, users + 1)
        return models

    async def give_back(self, settings: ModelSettings) -> None:
        """One user fewer."""
        models, users = self._held[settings]
        if users > 1:
            self._held[settings] = (models, users - 1)
            return
        del self._held[settings]
        await models.aclose()

    async def aclose(self) -> None:
        """Free them all, used or not."""
        for models, _users in self._held.values():
            with suppress(AssayError):
                await models.aclose()
        self._held.clear()


async def _recuts(workspace: Workspace) -> bool:
    """Whether it searches passages cut anew for it, or will from its first question on."""
    embedder = await workspace.embedder()
    return workspace.is_recut or await asyncio.to_thread(wants_recut, workspace.in_force, workspace.store, embedder)


def _id(release: Release | None) -> str:
    return "" if release is None else release.id
