"""Which index a workspace and its variants search: one for each cut, cut anew only for what asks to be measured."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from assay.app.loading import LoadedModels, roles_in_use
from assay.app.released import served_by, under
from assay.app.settings import SettingsInForce, load_settings
from assay.app.shelf import Shelf, wants_recut
from assay.app.wiring import Workspace, open_workspace
from assay.decisions.releases import Draft, Releases
from assay.errors import BadSetting
from assay.index.store import Store
from assay.ledger.database import open_database, sqlite_url
from assay.models.embedder import Embedder
from assay.models.scripted import ScriptedEmbedder

EMBEDDER = ScriptedEmbedder(dimensions=16)
QUESTION = "When does the ferry leave?"
SMALL = 24
"""Tokens of a passage; the documents have three times as many."""


class Scripted(LoadedModels):
    """An embedder without weights."""

    def __init__(self, in_force: SettingsInForce) -> None:
        super().__init__(in_force.settings.models, in_use=roles_in_use(in_force.settings))

    async def embedder(self) -> Embedder:
        return EMBEDDER


@asynccontextmanager
async def opened(in_force: SettingsInForce, home: Path) -> AsyncIterator[Workspace]:
    async with open_workspace(in_force, home=home) as outer:
        inner = Workspace(home, in_force, outer.database, outer.recorder, models=Scripted(in_force), shelf=outer.shelf)
        yield inner


def write(folder: Path, *names: str) -> None:
    folder.mkdir(exist_ok=True)
    for name in names:
        sentences = [f"The ferry {name} leaves harbour {number} in the morning of a day." for number in range(8)]
        (folder / f"{name}.md").write_text(" ".join(sentences))


@pytest.fixture
async def workspace(tmp_path: Path) -> AsyncIterator[Workspace]:
    write(tmp_path / "docs", "a", "b")
    async with opened(load_settings(folder=tmp_path, environ={}), tmp_path / ".assay") as found:
        await found.ingest([tmp_path / "docs"])
        yield found


async def longest(workspace: Workspace) -> int:
    """Tokens of the longest passage a search finds."""
    hits = await workspace.search(QUESTION, k=100)
    assert hits
    return max(len(EMBEDDER.token_spans(hit.passage.text)) for hit in hits)


async def test_a_flag_that_cuts_otherwise_is_searched_cut_so(workspace: Workspace) -> None:
    whole = await longest(workspace)
    assert whole > 3 * SMALL
    async with workspace.changed({"documents.size": str(SMALL)}) as variant:
        assert await longest(variant) <= SMALL
        assert variant.is_recut
        assert {hit.source for hit in await variant.search(QUESTION, k=100)} == {"docs/a.md", "docs/b.md"}
        outcome = await variant.ask(QUESTION)
        assert outcome.hits
        assert all(len(EMBEDDER.token_spans(hit.passage.text)) <= SMALL for hit in outcome.hits)
    assert (workspace.is_recut, await longest(workspace)) == (False, whole)
    assert (await workspace.extent()).passages == 2, "what was ingested stays as it is"


async def test_another_cut_is_another_state_of_the_corpus(workspace: Workspace) -> None:
    await workspace.search(QUESTION)
    async with workspace.changed({"documents.size": str(SMALL)}) as variant:
        await variant.search(QUESTION)
        assert variant.corpus_state() != workspace.corpus_state()


async def test_all_variants_of_a_cut_search_one_index(workspace: Workspace) -> None:
    async def index_of(**flags: Any) -> int:
        flags = {key.replace("__", "."): str(value) for key, value in flags.items()}
        async with workspace.changed(flags) as variant:
            return id(await variant.search_index())

    own = id(await workspace.search_index())
    assert own == await index_of(index__k=3) == await index_of(answers__sentences=1, index__mode="lexical")
    small = await index_of(documents__size=SMALL)
    assert small != own
    assert small == await index_of(documents__size=SMALL, index__k=2)
    others = {
        await index_of(documents__size=SMALL, documents__cut="tokens"),
        await index_of(documents__size=SMALL, documents__cut="tokens", documents__overlap=4),
        await index_of(documents__size=2 * SMALL),
        await index_of(index__language="german"),
    }
    assert len(others | {own, small}) == 6
    assert await index_of(documents__max_seconds=7) == own, "how files are read cuts nothing"


async def test_variants_that_open_at_once_cut_once(workspace: Workspace) -> None:
    in_force = workspace.in_force.changed({"documents.size": SMALL})
    shelf = Shelf(workspace.home, workspace.store)
    found = await asyncio.gather(*(shelf.opened(in_force, EMBEDDER) for _ in range(4)))
    assert len({id(one.index) for one in found}) == len({id(one.recut) for one in found}) == 1
    await shelf.aclose()


async def test_what_the_documents_were_ingested_with_recuts_nothing(workspace: Workspace) -> None:
    settings = workspace.settings.documents
    async with workspace.changed({"documents.size": str(settings.size), "documents.cut": settings.cut}) as variant:
        await variant.search(QUESTION)
        assert not variant.is_recut


async def test_a_setting_of_the_file_or_a_variable_holds_for_the_next_ingest_only(
    workspace: Workspace, tmp_path: Path
) -> None:
    whole = await longest(workspace)
    (tmp_path / "assay.toml").write_text(f"[documents]\nsize = {SMALL}\n")
    for environ in ({}, {"ASSAY_DOCUMENTS_SIZE": str(SMALL), "ASSAY_DOCUMENTS_CUT": "tokens"}):
        in_force = load_settings(folder=tmp_path, environ=environ)
        assert in_force.settings.documents.size == SMALL
        assert not wants_recut(in_force, workspace.store, EMBEDDER)
        async with workspace.variant(in_force) as variant:
            assert (await longest(variant), variant.is_recut) == (whole, False)
    assert not (workspace.home / "cuts").exists()
    # Ingested again, the documents are cut as the file says, and a flag that says the same recuts nothing either.
    in_force = load_settings(folder=tmp_path, environ={})
    async with opened(in_force, tmp_path / ".assay") as again:
        await again.ingest([tmp_path / "docs"])
        assert await longest(again) <= SMALL
        async with again.changed({"documents.size": str(SMALL)}) as variant:
            assert (await longest(variant) <= SMALL, variant.is_recut) == (True, False)
        async with again.changed({"documents.size": "200"}) as variant:
            assert (await longest(variant), variant.is_recut) == (whole, True)


async def test_a_release_that_cuts_otherwise_is_searched_cut_so(workspace: Workspace) -> None:
    served = served_by(workspace.in_force.changed({"documents.size": SMALL}))
    release = Releases(workspace.database).promote(Draft(served, "a test"), before=served_by(workspace.in_force))
    async with workspace.variant(under(workspace.in_force, release)) as variant:
        assert (await longest(variant) <= SMALL, variant.is_recut) == (True, True)


@pytest.mark.parametrize("key", ["models.embedder", "models.embedder_base_url", "models.embedder_max_tokens"])
async def test_another_embedder_is_searched_in_vectors_of_its_own(workspace: Workspace, key: str) -> None:
    other = ScriptedEmbedder(dimensions=8)
    value = 99 if key.endswith("tokens") else "other"
    in_force = workspace.in_force.changed({key: value})
    found = await workspace.shelf.opened(in_force, other)
    assert found.recut is not None
    assert len(found.index.dense) == 2
    found.index.check_vectors()
    assert (await workspace.shelf.opened(in_force, EMBEDDER)).recut is None, "the same embedder by another name"


async def test_an_ingest_is_seen_by_what_is_opened_after_it_at_once_and_by_what_is_open_soon(
    workspace: Workspace, tmp_path: Path
) -> None:
    flags = {"documents.size": str(SMALL)}
    async with workspace.changed(flags) as early:
        assert len(await early.search(QUESTION, k=100)) > 2
        write(tmp_path / "docs", "c")
        (tmp_path / "docs" / "a.md").unlink()
        await workspace.ingest([tmp_path / "docs"])
        async with workspace.changed(flags) as late:
            assert {hit.source for hit in await late.search(QUESTION, k=100)} == {"docs/b.md", "docs/c.md"}
        for _ in range(200):
            if {hit.source for hit in await early.search(QUESTION, k=100)} == {"docs/b.md", "docs/c.md"}:
                return
            await asyncio.sleep(0.05)
    raise AssertionError("the variant that was open does not follow")


async def test_closing_closes_every_recut(workspace: Workspace) -> None:
    shelf = Shelf(workspace.home, workspace.store)
    found = await shelf.opened(workspace.in_force.changed({"documents.size": SMALL}), EMBEDDER)
    assert found.recut is not None
    found.recut._look_at = 0.0
    found.recut.look()
    await shelf.aclose()
    assert found.recut._following is not None
    assert found.recut._following.done()
    assert found.recut.database.engine.pool.checkedin() == 0  # type: ignore[attr-defined]
    workspace.store.counts()  # the workspace's own database is not the shelf's to close


async def test_a_workspace_that_cannot_be_written_is_not_cut_anew(workspace: Workspace) -> None:
    await workspace.search(QUESTION)
    database = open_database(sqlite_url(workspace.home / "assay.db"), read_only=True)
    shelf = Shelf(workspace.home, Store(database))
    with pytest.raises(BadSetting, match="cut the documents anew, and the workspace is read-only"):
        await shelf.opened(workspace.in_force.changed({"documents.size": SMALL}), EMBEDDER)
    found = await shelf.opened(workspace.in_force, EMBEDDER)
    assert len(found.index.dense) == 2
    await shelf.aclose()
    database.close()
