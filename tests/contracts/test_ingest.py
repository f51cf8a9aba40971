"""What an ingest promises, on SQLite and on PostgreSQL, with real files and a scripted embedder."""

import asyncio
import os
import threading
import time
from collections.abc import Sequence
from pathlib import Path

import pytest

from assay.documents.settings import DocumentSettings
from assay.errors import Conflict, Refused
from assay.index.changes import Changes
from assay.index.hit import Filter
from assay.index.ingest import IngestProgress, IngestReport, ingest, ingest_documents
from assay.index.records import Entry
from assay.index.retriever import SearchIndex
from assay.index.store import Store
from assay.ledger.database import Database
from assay.models.embedder import Kind, Vectors
from assay.models.scripted import ScriptedEmbedder
from index_corpus import document

_SETTINGS = DocumentSettings.model_validate({"size": 16})


class Counting(ScriptedEmbedder):
    """Counts the texts it embeds, and may fail."""

    def __init__(self) -> None:
        super().__init__(dimensions=16)
        self.texts: list[str] = []
        self.fail_after: int | None = None

    async def embed(self, texts: Sequence[str], *, kind: Kind = "passage") -> Vectors:
        if self.fail_after is not None and len(self.texts) >= self.fail_after:
            raise Refused("The embedding server said no.", hint="Wait.")
        self.texts += texts
        return await super().embed(texts, kind=kind)


@pytest.fixture
def store(database: Database) -> Store:
    return Store(database)


@pytest.fixture
def embedder() -> Counting:
    return Counting()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "docs"
    (folder / "deep").mkdir(parents=True)
    (folder / "a.md").write_text("# Alpha\n\nThe first letter.\n\n# Beta\n\nThe second letter.\n")
    (folder / "b.txt").write_text("Plain words about nothing.\n")
    (folder / "deep" / "c.txt").write_text("Deeper words.\n")
    return folder


async def _ingest(
    store: Store, embedder: ScriptedEmbedder, *paths: Path, base: Path, **options: object
) -> IngestReport:
    return await ingest(list(paths), store=store, embedder=embedder, settings=_SETTINGS, base=base, **options)  # type: ignore[arg-type]


def _sources(store: Store) -> list[str]:
    return [record.source for record in store.documents()]


async def test_files_become_documents_named_from_the_base(
    store: Store, embedder: Counting, folder: Path, tmp_path: Path
) -> None:
    events: list[IngestProgress] = []
    report = await _ingest(store, embedder, folder, base=tmp_path, progress=events.append)
    assert _sources(store) == ["docs/a.md", "docs/b.txt", "docs/deep/c.txt"]
    assert (report.documents, report.unchanged, report.removed, report.failed) == (3, 0, 0, ())
    assert report.passages == report.embedded == store.counts().passages == len(embedder.texts)
    assert events[-1].files_done == events[-1].files_found == 3
    assert [event.embedded for event in events] == sorted(event.embedded for event in events)
    assert set(report.as_json()) == {"documents", "passages", "embedded", "unchanged", "removed", "failed"}


async def test_files_outside_the_base_have_absolute_names(
    store: Store, embedder: Counting, folder: Path, tmp_path: Path
) -> None:
    await _ingest(store, embedder, folder / "b.txt", base=folder / "deep")
    assert _sources(store) == [(folder / "b.txt").as_posix()]


async def test_unchanged_files_cost_no_embedding(
    store: Store, embedder: Counting, folder: Path, tmp_path: Path
) -> None:
    await _ingest(store, embedder, folder, base=tmp_path)
    before, generation = len(embedder.texts), Changes(store.database).state().generation
    os.utime(folder / "a.md")
    report = await _ingest(store, embedder, folder, folder / "a.md", base=tmp_path)
    assert (report.documents, report.unchanged, report.embedded) == (3, 3, 0)
    assert report.passages == store.counts().passages
    assert len(embedder.texts) == before
    assert Changes(store.database).state().generation == generation


async def test_a_changed_file_embeds_only_what_changed(
    store: Store, embedder: Counting, folder: Path, tmp_path: Path
) -> None:
    await _ingest(store, embedder, folder, base=tmp_path)
    untouched = {p.id for record in store.documents(prefix="docs/b") for p in store.passages_of(record.id)}
    (folder / "a.md").write_text("# Alpha\n\nThe first letter.\n\n# Beta\n\nThe second letter, changed.\n")
    embedder.texts.clear()
    report = await _ingest(store, embedder, folder, base=tmp_path)
    assert (report.documents, report.unchanged) == (3, 2)
    assert len(embedder.texts) == 1
    assert "changed" in embedder.texts[0]
    assert untouched == {p.id for record in store.documents(prefix="docs/b") for p in store.passages_of(record.id)}


async def test_vanished_files_go_and_nothing_else(
    store: Store, embedder: Counting, folder: Path, tmp_path: Path
) -> None:
    (tmp_path / "docs-too").mkdir()
    (tmp_path / "docs-too" / "d.txt").write_text("A neighbour.\n")
    await _ingest(store, embedder, folder, tmp_path / "docs-too", base=tmp_path)
    await ingest_documents(
        [document("docs/memory", "not a file\n")], store=store, embedder=embedder, settings=_SETTINGS
    )
    (folder / "b.txt").unlink()
    (tmp_path / "docs-too" / "d.txt").unlink()
    report = await _ingest(store, embedder, folder, base=tmp_path)
    assert report.removed == 1
    assert _sources(store) == ["docs-too/d.txt", "docs/a.md", "docs/deep/c.txt", "docs/memory"]
    (folder / "a.md").unlink()
    report = await _ingest(store, embedder, folder / "a.md", base=tmp_path)
    assert (report.removed, report.failed) == (1, ())


@pytest.mark.parametrize("how", ["renamed", "emptied", "not mounted", "a link to nothing", "only a cache"])
async def test_a_folder_that_is_gone_or_empty_is_refused_until_its_documents_are_given_up(
    store: Store, embedder: Counting, folder: Path, tmp_path: Path, how: str
) -> None:
    (tmp_path / "other.txt").write_text("Another file.\n")
    await _ingest(store, embedder, folder, folder / "a.md", tmp_path / "other.txt", base=tmp_path)
    before = _sources(store)
    folder.rename(tmp_path / "elsewhere")
    paths = [tmp_path / "other.txt", folder]
    if how == "a link to nothing":
        folder.symlink_to(tmp_path / "nowhere")
    elif how == "not mounted":
        paths = [tmp_path / "other.txt", folder / "deep"]
    elif how != "renamed":
        folder.mkdir()
        if how == "only a cache":
            (folder / "__pycache__").mkdir()
    lost = 1 if how == "not mounted" else 3
    (tmp_path / "other.txt").write_text("Another file, changed.\n")
    texts = len(embedder.texts)
    with pytest.raises(Conflict, match="one document" if lost == 1 else "3 documents") as caught:
        await _ingest(store, embedder, *paths, base=tmp_path)
    assert str(paths[1]) in caught.value.message
    assert "--remove-missing" in caught.value.hint
    assert (_sources(store), len(embedder.texts)) == (before, texts), "refused before anything is done"
    report = await _ingest(store, embedder, *paths, base=tmp_path, remove_missing=True)
    assert report.removed == lost
    assert len(_sources(store)) == 4 - lost
    assert [f.code for f in report.failed if how != "a link to nothing"] == []
    again = await _ingest(store, embedder, paths[0], base=tmp_path)
    assert (again.removed, again.unchanged) == (0, 1)


async def test_a_folder_that_goes_away_while_it_is_read_keeps_its_documents(
    store: Store, embedder: Counting, folder: Path, tmp_path: Path
) -> None:
    await _ingest(store, embedder, folder, base=tmp_path)
    (folder / "a.md").write_text("Changed.\n")

    def unmount(_progress: IngestProgress) -> None:
        if folder.exists():
            folder.rename(tmp_path / "elsewhere")

    (folder / "deep" / "c.txt").unlink()  # the one file this run would find gone
    with pytest.raises(Conflict, match="one document"):
        await _ingest(store, embedder, folder, base=tmp_path, progress=unmount)
    assert "docs/deep/c.txt" in _sources(store)


async def test_a_hidden_file_named_once_outlives_an_ingest_of_its_folder(
    store: Store, embedder: Counting, folder: Path, tmp_path: Path
) -> None:
    (folder / ".hidden.txt").write_text("Asked for by name.\n")
    await _ingest(store, embedder, folder / ".hidden.txt", base=tmp_path)
    assert (await _ingest(store, embedder, folder, base=tmp_path)).removed == 0
    assert "docs/.hidden.txt" in _sources(store)


async def test_a_path_that_never_was_is_a_failure(store: Store, embedder: Counting, tmp_path: Path) -> None:
    report = await _ingest(store, embedder, tmp_path / "none.txt", base=tmp_path)
    assert [(f.path, f.code) for f in report.failed] == [("none.txt", "not_found")]
    assert report.failed[0].hint


async def test_a_bad_file_is_named_and_stops_nothing(
    store: Store, embedder: Counting, folder: Path, tmp_path: Path
) -> None:
    await _ingest(store, embedder, folder, base=tmp_path)
    (folder / "b.txt").write_bytes(b"")
    (folder / "z.pdf").write_bytes(b"%PDF-1.7 truncated")
    (folder / "n.txt").write_text("New.\n")
    report = await _ingest(store, embedder, folder, base=tmp_path)
    assert {f.path for f in report.failed} == {"docs/b.txt", "docs/z.pdf"}
    assert all(f.code and f.hint for f in report.failed)
    # What a file held before it went bad stays: it is there still, and says so above.
    assert _sources(store) == ["docs/a.md", "docs/b.txt", "docs/deep/c.txt", "docs/n.txt"]


async def test_a_document_that_cannot_be_kept_stops_nothing(store: Store, embedder: Counting) -> None:
    texts = [
        document("a", "One.\n"),
        document("b", "Two.\n", metadata={"k" * 300: "v"}),
        document("a", "Three.\n"),
        document("c", "Four.\n"),
    ]
    report = await ingest_documents(texts, store=store, embedder=embedder, settings=_SETTINGS)
    assert [(f.path, f.code) for f in report.failed] == [("b", "bad_input"), ("a", "duplicate")]
    assert _sources(store) == ["a", "c"]
    assert store.document("a").text == "One.\n"


async def test_groups_and_metadata_are_kept_and_changing_them_embeds_nothing(
    store: Store, embedder: Counting, folder: Path, tmp_path: Path
) -> None:
    await _ingest(store, embedder, folder, base=tmp_path, groups=["x"], metadata={"team": "red"})
    assert all(record.groups == ("x",) for record in store.documents())
    embedder.texts.clear()
    report = await _ingest(store, embedder, folder, base=tmp_path, groups=["y"], metadata={"team": "blue"})
    assert (report.unchanged, report.embedded, embedder.texts) == (0, 0, [])
    allowed = Changes(store.database).allowed(Filter(frozenset({"y"}), {"team": "blue"}))
    assert allowed is not None
    assert len(allowed) == 3


async def test_an_ingest_that_failed_goes_on_where_it_was(store: Store, embedder: Counting, tmp_path: Path) -> None:
    texts = [document(f"m{i}", "".join(f"sentence {i} {j} here. " for j in range(90))) for i in range(40)]
    embedder.fail_after = 300
    with pytest.raises(Refused):
        await ingest_documents(texts, store=store, embedder=embedder, settings=_SETTINGS)
    embedder.fail_after = None
    report = await ingest_documents(texts, store=store, embedder=embedder, settings=_SETTINGS)
    assert report.documents == 40
    assert len(embedder.texts) == len(set(embedder.texts)) == store.counts().passages


async def test_a_cancelled_ingest_leaves_nothing_running(store: Store, embedder: Counting) -> None:
    texts = [document(f"m{i}", "".join(f"sentence {i} {j} here. " for j in range(90))) for i in range(40)]
    ready = asyncio.Event()
    task = asyncio.create_task(
        ingest_documents(texts, store=store, embedder=embedder, settings=_SETTINGS, progress=lambda _: ready.set())
    )
    await ready.wait()
    with pytest.raises(Conflict):
        await ingest_documents(texts, store=store, embedder=embedder, settings=_SETTINGS)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    generation = Changes(store.database).state().generation
    await asyncio.sleep(0.2)
    assert Changes(store.database).state().generation == generation
    report = await ingest_documents(texts, store=store, embedder=embedder, settings=_SETTINGS)
    assert report.documents == 40
    assert len(set(embedder.texts)) == store.counts().passages
    assert len(embedder.texts) - len(set(embedder.texts)) <= 2 * 128  # what was being embedded when it stopped


async def test_a_cancelled_write_is_waited_for(database: Database, embedder: Counting) -> None:
    writing = threading.Event()

    class Slow(Store):
        def replace(self, entries: Sequence[Entry]) -> int:
            writing.set()
            time.sleep(0.3)
            return super().replace(entries)

    text = [document("a", "A sentence.\n")]
    task = asyncio.create_task(ingest_documents(text, store=Slow(database), embedder=embedder, settings=_SETTINGS))
    await asyncio.to_thread(writing.wait)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert Store(database).counts().documents == 1


async def test_the_index_is_at_the_database_when_the_ingest_returns(
    store: Store, embedder: Counting, folder: Path, tmp_path: Path
) -> None:
    index = SearchIndex(store, tmp_path / "index", digest=embedder.digest, dimensions=embedder.dimensions).open()
    await _ingest(store, embedder, folder, base=tmp_path, index=index)
    assert not index.behind()
    assert len(index.dense) == store.counts().passages
    assert index.lexical.search("letter", k=5)


async def test_a_name_that_is_not_utf8_is_written_out(store: Store, embedder: Counting, tmp_path: Path) -> None:
    folder = tmp_path / "odd"
    folder.mkdir()
    try:
        with open(os.fsencode(folder) + b"/caf\xe9.txt", "wb") as file:
            file.write(b"Coffee.\n")
    except OSError:
        pytest.skip("this file system takes only UTF-8 names")
    await _ingest(store, embedder, folder, base=tmp_path)
    report = await _ingest(store, embedder, folder, base=tmp_path)
    assert _sources(store) == ["odd/caf\\xe9.txt"]
    assert (report.unchanged, report.removed) == (1, 0)
