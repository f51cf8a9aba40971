"""The live release as a service: it follows the ledger, shares what it can, frees the rest, and never serves less."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import aclosing, asynccontextmanager
from pathlib import Path

import pytest

from assay.app.live import Live, serving
from assay.app.released import served_by
from assay.app.settings import load_settings
from assay.app.wiring import Workspace, open_workspace
from assay.decisions.releases import Draft, Release, Releases
from assay.decisions.served import Served
from assay.index.changes import Changes
from assay.index.lexical import LexicalIndex
from assay.ledger.lock import held

QUESTION = "When does the ferry to Halden leave?"
HARBOURS = 6


def harbours(folder: Path) -> None:
    folder.mkdir()
    for number in range(HARBOURS):
        (folder / f"{number}.md").write_text(f"The ferry to Halden leaves harbour {number} in the morning.")


@pytest.fixture
async def workspace(tmp_path: Path) -> AsyncIterator[Workspace]:
    harbours(tmp_path / "docs")
    in_force = load_settings(folder=tmp_path, environ={}, flags={"models.threads": "1"})
    async with open_workspace(in_force, home=tmp_path / ".assay") as opened:
        yield opened


@asynccontextmanager
async def lived(workspace: Workspace, notes: list[str]) -> AsyncIterator[Live]:
    live = Live(workspace, note=notes.append, poll_seconds=0.05, again_seconds=0.3)
    await live.start()
    try:
        await live.ingest([workspace.base / "docs"])
        yield live
    finally:
        await live.aclose()


def promote(workspace: Workspace, **flags: object) -> Release:
    changed = workspace.in_force.changed({key.replace("__", "."): value for key, value in flags.items()})
    draft = Draft(served_by(changed), "a test")
    made = Releases(workspace.database).promote(draft, before=served_by(workspace.in_force))
    assert made is not None
    return made


async def until(ready: Callable[[], bool], seconds: float = 20.0) -> None:
    deadline = time.monotonic() + seconds
    while not ready():
        assert time.monotonic() < deadline, "it did not come about"
        await asyncio.sleep(0.02)


async def served(live: Live, release: Release) -> None:
    await until(lambda: (status := live.release()) is not None and status.id == release.id)


async def test_it_follows_promotions_and_rollbacks(workspace: Workspace) -> None:
    notes: list[str] = []
    async with lived(workspace, notes) as live:
        assert live.release() is None
        assert live.ingestion().state == "finished"
        before = await live.search(QUESTION)
        made = promote(workspace, index__k=1)
        await served(live, made)
        assert live.release().without_evidence  # type: ignore[union-attr]
        assert (len(before), len(await live.search(QUESTION))) == (HARBOURS, 1)
        assert next(row.value for row in live.settings_in_force() if row.key == "index.k") == 1
        assert live.ingestion().state == "finished", "what was ingested under another release is not forgotten"
        back, _ = Releases(workspace.database).rollback()
        await served(live, back)
        assert len(await live.search(QUESTION)) == HARBOURS
    assert notes[0] == f"Serving release {made.id[:8]} (without evidence): {made.served.name}"


async def test_a_stream_ends_where_it_began_and_its_variant_is_freed_after_it(workspace: Workspace) -> None:
    async with lived(workspace, []) as live:
        first = await live.ask(QUESTION)
        async with aclosing(live.stream(QUESTION)) as events:  # type: ignore[type-var]
            await anext(events)
            old = live._current
            # Other model settings: nothing is shared, so what is freed too early would be missed.
            await served(live, promote(workspace, models__chat="none", index__k=1))
            assert live._current is not old
            await asyncio.sleep(0.1)
            assert old.workspace.settings.models in live._pool._held, "what it answers with is still there"
            rest = [event async for event in events]
        outcome = rest[-1].outcome  # type: ignore[union-attr]
        assert (outcome.text, len(outcome.hits)) == (first.text, len(first.hits))
        assert len((await live.ask(QUESTION)).hits) == 1
        await until(lambda: not live._retiring)
        assert list(live._pool._held) == [live._current.workspace.settings.models], "the models before are freed"


async def test_models_are_shared_where_their_settings_are(workspace: Workspace) -> None:
    async with lived(workspace, []) as live:
        await live.ask(QUESTION)
        embedder = await live._current.workspace.embedder()
        await served(live, promote(workspace, index__k=1))
        assert await live._current.workspace.embedder() is embedder
        # The first variant is gone, and what the second shares with it is not.
        await until(lambda: not live._retiring)
        assert len((await live.ask(QUESTION)).hits) == 1


async def test_what_cannot_be_opened_leaves_what_serves_and_says_so(workspace: Workspace) -> None:
    notes: list[str] = []
    async with lived(workspace, notes) as live:
        good = promote(workspace, index__k=2)
        await served(live, good)
        bad = promote(workspace, models__reranker=str(workspace.home / "missing"), index__rerank=5)
        await until(lambda: bool(live.release() and live.release().problem))  # type: ignore[union-attr]
        status = live.release()
        assert status is not None
        assert status.id == good.id
        assert f"Release {bad.id[:8]} cannot be served" in status.problem
        assert len(await live.search(QUESTION)) == 2
        assert all(model.state == "ready" for model in live.models())
        await asyncio.sleep(0.8)  # it is tried again, and said once
        assert sum("cannot be served" in note for note in notes) == 1
        Releases(workspace.database).rollback()
        await until(lambda: live.release().problem == "")  # type: ignore[union-attr]
        assert live.release().id == good.id  # type: ignore[union-attr]


async def test_it_is_tried_again_until_it_can_be_opened(workspace: Workspace) -> None:
    async with lived(workspace, []) as live:
        assert len(await live.search(QUESTION)) == HARBOURS
        changes = Changes(workspace.database)
        blocked = LexicalIndex(workspace.home / "index", changes, language="german")._folder
        blocked.write_text("not a folder")
        made = promote(workspace, index__language="german", index__k=3)
        await until(lambda: live.release() is not None)
        assert "cannot be served" in live.release().problem  # type: ignore[union-attr]
        assert len(await live.search(QUESTION)) == HARBOURS
        blocked.unlink()
        await served(live, made)
        assert live.release().problem == ""  # type: ignore[union-attr]
        assert len(await live.search(QUESTION)) == 3


async def test_going_back_does_not_wait_for_what_is_still_being_opened(workspace: Workspace) -> None:
    async with lived(workspace, []) as live:
        assert len(await live.search(QUESTION)) == HARBOURS
        with held(workspace.home / "index" / "lexical.lock") as won:
            assert won
            made = promote(workspace, index__language="german", index__k=3)
            await until(lambda: live._opening is not None and live._opening[0] == made.id)
            back, _ = Releases(workspace.database).rollback()
            await served(live, back)
        assert len(await live.search(QUESTION)) == HARBOURS
        await until(lambda: next(iter(live._pool._held.values()))[1] == 1)


async def test_a_flag_holds_over_the_release_and_the_status_says_so(tmp_path: Path) -> None:
    harbours(tmp_path / "docs")
    in_force = load_settings(folder=tmp_path, environ={}, flags={"index.k": "4"})
    notes: list[str] = []
    async with open_workspace(in_force, home=tmp_path / ".assay") as workspace:
        async with lived(workspace, notes) as live:
            made = promote(workspace, index__k=1, answers__sentences=1)
            await served(live, made)
            assert len(await live.search(QUESTION)) == 4
            assert not live.release().is_exact  # type: ignore[union-attr]
        assert any("is not the live release" in note and "index.k = 4 (flag" in note for note in notes)


async def test_a_users_own_system_is_not_served(workspace: Workspace) -> None:
    notes: list[str] = []
    async with lived(workspace, notes) as live:
        made = promote(workspace, index__k=1)
        await served(live, made)
        Releases(workspace.database).promote(Draft(Served("bot", system="bot:answer"), "ours"))
        await until(lambda: any("bot:answer, which is not Assay's to serve" in note for note in notes))
        assert live.release().id == made.id  # type: ignore[union-attr]


async def test_a_database_that_fails_does_not_end_the_watch(workspace: Workspace) -> None:
    async with lived(workspace, []) as live:
        table = "release_live"
        with workspace.database.write() as connection:
            connection.exec_driver_sql(f"alter table {table} rename to gone")
        await asyncio.sleep(0.3)
        with workspace.database.write() as connection:
            connection.exec_driver_sql(f"alter table gone rename to {table}")
        await served(live, promote(workspace, index__k=1))


async def test_one_question_is_answered_by_the_live_release(workspace: Workspace) -> None:
    await workspace.ingest([workspace.base / "docs"])
    async with serving(workspace) as live:
        assert live is workspace
    promote(workspace, index__k=1)
    async with serving(workspace) as live:
        assert len(await live.search(QUESTION)) == 1


LONG = " ".join(f"The ferry to Halden leaves harbour {number} in the morning of a day." for number in range(8))


async def longest(live: Live) -> int:
    """Characters of the longest passage found."""
    hits = await live.search(QUESTION, k=100)
    assert hits
    return max(len(hit.passage.text) for hit in hits)


async def test_a_release_with_another_cut_is_served_cut_so_and_follows_an_ingest(workspace: Workspace) -> None:
    (workspace.base / "docs" / "long.md").write_text(LONG)
    async with lived(workspace, []) as live:
        assert await longest(live) == len(LONG)
        await served(live, promote(workspace, documents__size=32))
        assert await longest(live) < len(LONG) / 2
        found = len(await live.search(QUESTION, k=100))
        (workspace.base / "docs" / "longer.md").write_text(LONG.replace("Halden", "Bergen"))
        await live.ingest([workspace.base / "docs"])
        assert (await live.extent()).passages == HARBOURS + 2, "ingested as the settings say"
        deadline = time.monotonic() + 20
        while len(hits := await live.search(QUESTION, k=100)) <= found:
            assert time.monotonic() < deadline, "the recut does not follow"
            await asyncio.sleep(0.05)
        assert {hit.source for hit in hits} >= {"docs/long.md", "docs/longer.md"}
        assert await longest(live) < len(LONG) / 2
        back, _ = Releases(workspace.database).rollback()
        await served(live, back)
        assert await longest(live) == len(LONG)


async def test_an_ingest_before_the_first_question_cuts_the_documents_as_the_settings_say(workspace: Workspace) -> None:
    (workspace.base / "docs" / "long.md").write_text(LONG)
    await workspace.ingest([workspace.base / "docs"])
    promote(workspace, documents__size=32)
    async with lived(workspace, []) as live:  # ingests at once, as `assay up FOLDER` does
        assert (await live.extent()).passages == HARBOURS + 1
        assert await longest(live) < len(LONG) / 2
        await live.ingest([workspace.base / "docs"])
        back, _ = Releases(workspace.database).rollback()
        await served(live, back)
        assert await longest(live) == len(LONG)


async def test_closing_closes_what_was_cut_anew(workspace: Workspace) -> None:
    await workspace.ingest([workspace.base / "docs"])
    async with lived(workspace, []) as live:
        for size in (32, 48):
            await served(live, promote(workspace, documents__size=size))
            await live.search(QUESTION)
        shelved = [shelf._open.values() for shelf in {live._current.workspace.shelf, workspace.shelf}]
        recuts = [one.recut for values in shelved for one in values if one.recut is not None]
        assert recuts
    await workspace.aclose()
    assert [one.database.engine.pool.checkedin() for one in recuts] == [0] * len(recuts)  # type: ignore[attr-defined]
