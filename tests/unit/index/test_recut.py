"""A recut store holds the documents of the main one, cut as asked, whatever happened to either."""

import asyncio
import subprocess
import sys
from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from assay.documents.cut import cut
from assay.documents.document import Document, Heading
from assay.documents.settings import DocumentSettings
from assay.errors import Conflict
from assay.index.ingest import ingest_documents
from assay.index.recut import Recut
from assay.index.store import Store
from assay.ledger.database import Database, open_database, sqlite_url
from assay.models.embedder import Kind, Vectors
from assay.models.scripted import ScriptedEmbedder
from index_corpus import document, put

MAIN = DocumentSettings(cut="sentences", size=64)
SMALL = DocumentSettings(cut="sentences", size=16, overlap=4)


class CountingEmbedder(ScriptedEmbedder):
    """Counts the texts it embeds, and fails where it is told to."""

    def __init__(self) -> None:
        super().__init__(dimensions=8)
        self.texts = 0
        self.failing = False

    async def embed(self, texts: Sequence[str], *, kind: Kind = "passage") -> Vectors:
        if self.failing:
            raise Conflict("the embedder is away")
        self.texts += len(texts)
        return await super().embed(texts, kind=kind)


def story(name: str, sentences: int = 12) -> Document:
    text = " ".join(f"The ferry {name} leaves harbour {number} in the morning." for number in range(sentences))
    whole = document(f"docs/{name}.md", text, title=f"Ferry {name}", groups=("staff",), metadata={"port": name})
    return replace(whole, headings=(Heading(1, 0, "Timetable"),), pages=((0, 1), (40, 2)), media_type="text/markdown")


EMBEDDER = CountingEmbedder()


@pytest.fixture
async def main(sqlite_database: Database) -> Store:
    store = Store(sqlite_database)
    await ingest(store, *(story(name) for name in "abc"))
    return store


@pytest.fixture
async def recut(main: Store, tmp_path: Path) -> AsyncIterator[Recut]:
    made = Recut(main, tmp_path / "cuts", settings=SMALL, embedder=EMBEDDER)
    yield made
    await made.aclose()


async def ingest(store: Store, *documents: Document, settings: DocumentSettings = MAIN) -> None:
    report = await ingest_documents(documents, store=store, embedder=EMBEDDER, settings=settings)
    assert not report.failed


def held(store: Store) -> dict[str, Document]:
    return {row.source: store.document(row.id) for row in store.documents()}


def check(main: Store, recut: Recut, *, settings: DocumentSettings = SMALL) -> None:
    """The invariant: the same documents in all that is known of them, each cut as `settings` say."""
    assert held(recut.store) == held(main)
    for found in held(main).values():
        expected = cut(found, settings=settings, tokens=EMBEDDER.token_spans)
        assert [at.passage for at in recut.store.passages_of(found.id)] == expected
        assert len(expected) > len(main.passages_of(found.id))


async def test_it_holds_the_documents_of_the_main_store_cut_as_asked(main: Store, recut: Recut) -> None:
    assert recut.store.counts().documents == 0
    before = {source: main.passages_of(found.id) for source, found in held(main).items()}
    await recut.follow()
    check(main, recut)
    assert held(recut.store)["docs/a.md"].groups == ("staff",)
    assert {source: main.passages_of(found.id) for source, found in held(main).items()} == before, "main is not touched"


async def test_it_follows_what_was_added_changed_and_removed(database: Database, tmp_path: Path) -> None:
    main = Store(database)
    await ingest(main, *(story(name) for name in "abc"))
    recut = Recut(main, tmp_path / "cuts", settings=SMALL, embedder=EMBEDDER)
    await recut.follow()
    embedded = EMBEDDER.texts
    await recut.follow()
    assert EMBEDDER.texts == embedded, "nothing moved, so nothing is done"
    changed = replace(story("b"), text="It was cancelled. " * 20, content_hash="sha256:changed")
    regrouped = replace(story("c"), groups=("guests",), title="Another title")
    await ingest(main, story("a"), changed, regrouped, story("d"))
    await recut.follow()
    check(main, recut)
    assert set(held(recut.store)) == {f"docs/{name}.md" for name in "abcd"}
    assert held(recut.store)["docs/c.md"].groups == ("guests",)
    main.remove(["docs/a.md", "docs/d.md"])
    await recut.follow()
    check(main, recut)
    assert set(held(recut.store)) == {"docs/b.md", "docs/c.md"}
    main.remove(["docs/b.md", "docs/c.md"])
    await recut.follow()
    assert recut.store.counts().documents == recut.store.counts().passages == 0
    await recut.aclose()


async def test_what_did_not_change_is_embedded_once(main: Store, recut: Recut) -> None:
    await recut.follow()
    passages = recut.store.counts().passages
    before = EMBEDDER.texts
    await ingest(main, story("d", sentences=4))
    own = EMBEDDER.texts - before
    await recut.follow()
    assert EMBEDDER.texts - before - own == recut.store.counts().passages - passages > 0


async def test_another_cut_size_overlap_or_embedder_is_another_store(main: Store, tmp_path: Path) -> None:
    others = [
        SMALL,
        DocumentSettings(cut="tokens", size=16, overlap=4),
        DocumentSettings(cut="sentences", size=24, overlap=4),
        DocumentSettings(cut="sentences", size=16, overlap=0),
    ]
    made = [Recut(main, tmp_path / "cuts", settings=one, embedder=EMBEDDER) for one in others]
    made.append(Recut(main, tmp_path / "cuts", settings=SMALL, embedder=ScriptedEmbedder(dimensions=16)))
    same = Recut(main, tmp_path / "cuts", settings=replace_reading(SMALL), embedder=EMBEDDER)
    try:
        assert len({one.folder for one in made}) == len(made)
        assert same.folder == made[0].folder
        await made[1].follow()
        check(main, made[1], settings=others[1])
        assert made[2].store.counts().documents == 0
    finally:
        for one in (*made, same):
            await one.aclose()


def replace_reading(settings: DocumentSettings) -> DocumentSettings:
    return settings.model_copy(update={"max_file_mb": 7, "max_seconds": 9.0})


async def test_it_is_found_again_and_goes_on_from_where_it_was(main: Store, recut: Recut, tmp_path: Path) -> None:
    await recut.follow()
    embedded = EMBEDDER.texts
    again = Recut(main, tmp_path / "cuts", settings=SMALL, embedder=EMBEDDER)
    try:
        await again.follow()
        assert EMBEDDER.texts == embedded
        check(main, again)
    finally:
        await again.aclose()


async def test_a_state_file_that_is_gone_or_lies_costs_a_look_and_no_embedding(
    main: Store, recut: Recut, tmp_path: Path
) -> None:
    await recut.follow()
    embedded = EMBEDDER.texts
    for wrong in (None, "", "nonsense", "x:1:y"):
        (recut.folder / "state").unlink()
        if wrong is not None:
            (recut.folder / "state").write_text(wrong)
        await recut.follow()
        check(main, recut)
    assert EMBEDDER.texts == embedded
    # The state file outlives the database it was about.
    await recut.aclose()
    for file in recut.folder.glob("assay.db*"):
        if file.is_file():
            file.unlink()
    fresh = Recut(main, tmp_path / "cuts", settings=SMALL, embedder=EMBEDDER)
    try:
        await fresh.follow()
        check(main, fresh)
    finally:
        await fresh.aclose()


async def test_a_failure_leaves_the_state_behind_and_the_next_follow_goes_on(main: Store, recut: Recut) -> None:
    await recut.follow()
    await ingest(main, story("d"))
    EMBEDDER.failing = True
    try:
        with pytest.raises(Conflict, match="away"):
            await recut.follow()
    finally:
        EMBEDDER.failing = False
    assert set(held(recut.store)) == {f"docs/{name}.md" for name in "abc"}
    await recut.follow()
    check(main, recut)


async def test_what_cannot_be_cut_so_is_said(main: Store, tmp_path: Path) -> None:
    impossible = DocumentSettings(cut="sentences", size=16, overlap=12)
    made = Recut(main, tmp_path / "cuts", settings=impossible, embedder=EMBEDDER)
    try:
        with pytest.raises(Exception, match=r"documents\.overlap is 12"):
            await made.follow()
        assert not (made.folder / "state").exists()
    finally:
        await made.aclose()


async def test_tasks_that_follow_at_once_do_the_work_once(main: Store, tmp_path: Path) -> None:
    made = [Recut(main, tmp_path / "cuts", settings=SMALL, embedder=EMBEDDER) for _ in range(3)]
    try:
        before = EMBEDDER.texts
        await asyncio.gather(*(one.follow() for one in made), made[0].follow())
        assert EMBEDDER.texts - before == made[0].store.counts().passages
        for one in made:
            check(main, one)
    finally:
        for one in made:
            await one.aclose()


FOLLOW = """
import asyncio, sys
from pathlib import Path
from assay.documents.settings import DocumentSettings
from assay.index.recut import Recut
from assay.index.store import Store
from assay.ledger.database import open_database
from assay.models.scripted import ScriptedEmbedder

async def follow():
    main = Store(open_database(sys.argv[1]))
    settings = DocumentSettings(cut="sentences", size=16, overlap=4)
    recut = Recut(main, Path(sys.argv[2]), settings=settings, embedder=ScriptedEmbedder(dimensions=8))
    print("ready", flush=True)
    sys.stdin.readline()
    await recut.follow()
    print(recut.store.counts().documents, flush=True)
    await recut.aclose()

asyncio.run(follow())
"""


async def test_processes_that_follow_at_once_end_with_the_same(tmp_path: Path) -> None:
    url = sqlite_url(tmp_path / "assay.db")
    database = open_database(url)
    main = Store(database)
    await ingest(main, *(story(f"n{number}") for number in range(20)))
    command = [sys.executable, "-c", FOLLOW, url, str(tmp_path / "cuts")]
    processes = [subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    try:
        assert [process.stdout.readline() for process in processes] == ["ready\n"] * 2  # type: ignore[union-attr]
        done = [await asyncio.to_thread(process.communicate, "go\n", 60) for process in processes]
        assert [out for out, _err in done] == ["20\n"] * 2
        assert [process.returncode for process in processes] == [0, 0]
        made = Recut(main, tmp_path / "cuts", settings=SMALL, embedder=EMBEDDER)
        before = EMBEDDER.texts
        await made.follow()
        assert EMBEDDER.texts == before
        check(main, made)
        await made.aclose()
    finally:
        for process in processes:
            process.kill()
            process.wait()
        database.close()


class Shifting(Store):
    """A main store that an ingest writes to between two pages of the list of its documents."""

    def __init__(self, database: Database, between: Any) -> None:
        super().__init__(database)
        self._between = between

    def documents(self, **options: Any) -> Any:
        found = super().documents(**options)
        if not options.get("offset") and self._between is not None:
            between, self._between = self._between, None
            between(Store(self.database))
        return found


@pytest.fixture
def small_pages(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("assay.index.recut._PAGE", 2)


@pytest.mark.usefixtures("small_pages")
@pytest.mark.parametrize("what", ["removed", "added"])
async def test_an_ingest_between_two_pages_loses_nothing_and_fails_nothing(
    sqlite_database: Database, tmp_path: Path, what: str
) -> None:
    def between(store: Store) -> None:
        if what == "removed":
            store.remove(["docs/a.md"])
        else:
            put(store, document("docs/0.md", "The ferry leaves early. " * 9), digest=EMBEDDER.digest)

    main = Store(sqlite_database)
    await ingest(main, *(story(name) for name in "abcdef"))
    made = Recut(main, tmp_path / "cuts", settings=SMALL, embedder=EMBEDDER)
    await made.follow()
    await ingest(main, story("g"))
    shifting = Recut(Shifting(sqlite_database, between), tmp_path / "cuts", settings=SMALL, embedder=EMBEDDER)
    try:
        await shifting.follow()
        # What stayed is there all the time; what moved may wait for the next look.
        assert {f"docs/{name}.md" for name in "bcdef"} <= set(held(shifting.store))
        await shifting.follow()
        assert held(shifting.store) == held(main)
    finally:
        await shifting.aclose()
        await made.aclose()


async def test_looking_follows_in_the_background_and_a_failure_is_nobodys(main: Store, recut: Recut) -> None:
    await recut.follow()
    await ingest(main, story("d"))
    recut.look()
    await until(lambda: "docs/d.md" in held(recut.store))
    await ingest(main, story("e"))
    recut.look()  # within the second: not again
    await asyncio.sleep(0.2)
    assert "docs/e.md" not in held(recut.store)
    recut._look_at = 0.0
    EMBEDDER.failing = True
    try:
        recut.look()
        await until(lambda: recut._following is not None and recut._following.done())
    finally:
        EMBEDDER.failing = False
    recut._look_at = 0.0
    recut.look()
    await until(lambda: "docs/e.md" in held(recut.store))


async def until(ready: Any) -> None:
    for _ in range(500):
        if ready():
            return
        await asyncio.sleep(0.02)
    raise AssertionError("it did not come about")


async def test_closing_stops_what_follows(main: Store, tmp_path: Path) -> None:
    made = Recut(main, tmp_path / "cuts", settings=SMALL, embedder=EMBEDDER)
    made.look()
    await made.aclose()
    assert made._following is not None
    assert made._following.done()
