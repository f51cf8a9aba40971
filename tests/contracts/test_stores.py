"""What the store promises, on SQLite and on PostgreSQL."""

import os
import random
from pathlib import Path

import numpy as np
import pytest
import sqlalchemy as sa

from assay.documents.document import Document, Heading
from assay.errors import BadInput, Conflict, Garbled, NotFound
from assay.index import tables as t
from assay.index.changes import Changes
from assay.index.hit import Filter
from assay.index.records import text_hash
from assay.index.store import Store
from assay.ledger.database import Database, open_database
from index_corpus import DIGEST, DIMENSIONS, document, entry, put, vector
from index_processes import start


@pytest.fixture
def store(database: Database) -> Store:
    return Store(database)


def _vectors(database: Database) -> set[str]:
    with database.read() as connection:
        return set(connection.execute(sa.select(t.vector.c.text_hash)).scalars())


def test_a_document_comes_back_as_it_went_in(store: Store) -> None:
    kept = Document(
        source="docs/über.md",
        content_hash="sha256:1",
        text="# Eins\nzwei\n",
        title="Über",
        media_type="text/markdown",
        pages=((0, 7), (7, 12)),
        headings=(Heading(1, 0, "Eins"),),
        groups=("a", "b"),
        metadata={"author": "Ä", "year": "2026"},
    )
    put(store, kept)
    assert store.document(kept.id) == kept
    assert store.document("docs/über.md") == kept
    assert [p.passage.text for p in store.passages_of(kept.id)] == ["# Eins\n", "zwei\n"]
    record = store.documents()[0]
    assert (record.characters, record.passages, record.pages, record.groups) == (12, 2, 2, ("a", "b"))
    assert (store.counts().documents, store.counts().passages) == (1, 2)


def test_passages_come_by_id_with_their_span(store: Store) -> None:
    kept = document("a", "one\ntwo\n", title="A")
    put(store, kept)
    first, second = store.passages_of(kept.id)
    found = store.passages([second.id, first.id, 10_000])
    assert set(found) == {first.id, second.id}
    assert found[second.id].passage == second.passage
    assert kept.text[second.passage.start : second.passage.end] == "two\n"
    assert (found[first.id].source, found[first.id].title) == ("a", "A")


def test_replacing_a_source_leaves_one_document(store: Store) -> None:
    put(store, document("a", "one\ntwo\n"), document("b", "x\n"))
    old = {p.id for p in store.passages_of(document("a", "one\ntwo\n").id)}
    put(store, document("a", "one\nthree\n"))
    assert [d.source for d in store.documents()] == ["a", "b"]
    new = store.passages_of(document("a", "one\nthree\n").id)
    assert [p.passage.text for p in new] == ["one\n", "three\n"]
    assert not old & {p.id for p in new}
    assert store.passages(old) == {}


def test_texts_seen_before_need_no_vector(store: Store) -> None:
    put(store, document("a", "one\ntwo\n"))
    hashes = [text_hash(text) for text in ("one\n", "two\n", "three\n")]
    assert store.missing_vectors(hashes, digest=DIGEST) == {hashes[2]}
    assert store.missing_vectors(hashes, digest="another") == set(hashes)


def test_a_document_without_its_vectors_is_refused_whole(store: Store) -> None:
    put(store, document("a", "one\n"))
    with pytest.raises(BadInput, match="have no vector"):
        store.replace([entry(document("b", "one\n")), entry(document("a", "one\nnew\n"))])
    assert [d.source for d in store.documents()] == ["a"]
    assert store.counts().passages == 1


@pytest.mark.parametrize("bad", [np.nan, 0.0, 3.0])
def test_vectors_that_are_not_of_unit_length_are_refused(store: Store, bad: float) -> None:
    with pytest.raises(Garbled, match="unit length"):
        store.keep_vectors(["h"], np.full((1, DIMENSIONS), bad, np.float32), digest=DIGEST)
    assert _vectors(store.database) == set()


def test_a_group_name_that_is_too_long_is_refused(store: Store) -> None:
    with pytest.raises(BadInput, match="1 to 255"):
        put(store, document("a", "one\n", groups=["x" * 256]))


def test_finish_forgets_vectors_nothing_refers_to(store: Store) -> None:
    put(store, document("a", "one\ntwo\n"), document("b", "two\n"))
    assert store.remove(["a", "unknown"]) == 1
    assert store.finish(sweep=True) == 1
    assert _vectors(store.database) == {text_hash("two\n")}
    put(store, document("b", "two\n"), digest="another")
    store.finish(sweep=True)
    assert store.missing_vectors([text_hash("two\n")], digest=DIGEST) == {text_hash("two\n")}
    assert store.missing_vectors([text_hash("two\n")], digest="another") == set()


def test_begin_tells_whether_the_last_ingest_was_interrupted(store: Store) -> None:
    assert store.begin() is False
    assert store.begin() is True
    store.finish(sweep=False)
    assert store.begin() is False


def test_an_unknown_document_is_not_found(store: Store) -> None:
    with pytest.raises(NotFound, match="nowhere"):
        store.document("nowhere")


def test_text_no_database_takes_is_kept_with_its_spans(store: Store) -> None:
    odd = document("a", "nul \x00 here\nlone \ud800 there\n", title="t\x00", metadata={"k\x00": "v\udfff"})
    put(store, odd)
    kept = store.document("a")
    assert len(kept.text) == len(odd.text)
    assert kept.text == "nul \ufffd here\nlone \ufffd there\n"
    assert all(kept.text[p.passage.start : p.passage.end] == p.passage.text for p in store.passages_of(odd.id))


def test_long_sources_and_values_are_kept(store: Store) -> None:
    kept = document("x/" * 3000, "one\n", metadata={"subject": "y" * 10_000})
    put(store, kept)
    assert store.document(kept.source).metadata == {"subject": "y" * 10_000}


def test_known_and_sources_and_prefix(store: Store) -> None:
    for i in range(3):
        put(store, document(f"docs/{i}", f"{i}\n"))
    store.replace([entry(document("mem", ""), origin="memory")])
    known = store.known(["docs/1", "mem", "none"])
    assert set(known) == {"docs/1", "mem"}
    assert known["docs/1"].content_hash == document("docs/1", "1\n").content_hash
    assert list(store.sources(origin="file")) == ["docs/0", "docs/1", "docs/2"]
    assert [d.source for d in store.documents(prefix="docs/", limit=2, offset=1)] == ["docs/1", "docs/2"]


def test_documents_are_listed_by_what_their_source_or_title_holds(store: Store) -> None:
    put(store, document("docs/a", "1\n", title="Zebra 100%"), document("docs/b", "2\n"), document("other", "3\n"))
    assert [d.source for d in store.documents(matching="DOCS")] == ["docs/a", "docs/b"]
    assert [d.source for d in store.documents(matching="zebra")] == ["docs/a"]
    assert [d.source for d in store.documents(matching="%")] == ["docs/a"]
    assert store.documents(matching="_") == []
    put(store, document("four", "4\n", title="École"))
    assert [d.source for d in store.documents(matching="Éco")] == ["four"]


def test_changes_tell_what_came_and_what_went(store: Store) -> None:
    changes = Changes(store.database)
    put(store, document("a", "one\ntwo\n"))
    seen = changes.state()
    rows = [row for page in changes.passages(after=0) for row in page]
    assert [row.text for row in rows] == ["one\n", "two\n"]
    put(store, document("a", "three\n"), document("b", "x\n"))
    assert changes.state().generation > seen.generation
    assert changes.removals(after=seen.generation) == [(rows[0].id, rows[1].id)]
    newer = [row.text for page in changes.passages(after=rows[-1].id) for row in page]
    assert newer == ["three\n", "x\n"]
    pages = list(changes.vectors(after=rows[-1].id, digest=DIGEST, dimensions=DIMENSIONS))
    np.testing.assert_array_equal(np.concatenate([p.vectors for p in pages]), [vector("three\n"), vector("x\n")])
    assert list(changes.vectors(after=0, digest="another", dimensions=DIMENSIONS)) == []


def test_old_removals_are_forgotten_and_the_floor_says_so(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("assay.index.insertion._LOG_LENGTH", 3)
    for i in range(6):
        put(store, document("a", f"{i}\n"))
    changes = Changes(store.database)
    state = changes.state()
    assert 0 < state.log_floor < state.generation
    assert len(changes.removals(after=0)) == 3


@pytest.mark.parametrize(
    ("where", "sources"),
    [
        (Filter(groups=frozenset()), {"c", "d/e"}),
        (Filter(groups=frozenset({"x"})), {"a", "c", "d/e"}),
        (Filter(groups=frozenset({"x", "y"})), {"a", "b", "c", "d/e"}),
        (Filter(metadata={"lang": "en"}), {"a", "c"}),
        (Filter(groups=frozenset({"y"}), metadata={"lang": "en"}), {"c"}),
        (Filter(metadata={"lang": "en", "year": "2026"}), {"c"}),
        (Filter(metadata={"source": "b"}), {"b"}),
        (Filter(metadata={"source_prefix": "d/"}), {"d/e"}),
        (Filter(metadata={"source_prefix": "D"}), set()),
        (Filter(metadata={"media_type": "text/plain"}), {"a", "b", "c", "d/e"}),
        (Filter(metadata={"media_type": "x"}), set()),
    ],
)
def test_filters_let_through_what_they_say(store: Store, where: Filter, sources: set[str]) -> None:
    put(
        store,
        document("a", "1\n", groups=["x"], metadata={"lang": "en"}),
        document("b", "2\n", groups=["y"], metadata={"lang": "de"}),
        document("c", "3\n", metadata={"lang": "en", "year": "2026"}),
        document("d/e", "4\n"),
    )
    allowed = Changes(store.database).allowed(where)
    assert allowed is not None
    with store.database.read() as connection:
        query = sa.select(t.document.c.source).where(t.document.c.number.in_(allowed.tolist()))
        assert set(connection.execute(query).scalars()) == sources


def test_only_one_ingests_and_the_other_is_told_who(store: Store) -> None:
    other = Store(open_database(store.database.engine.url.render_as_string(hide_password=False)))
    with store.writing():
        with pytest.raises(Conflict) as caught, other.writing():
            pass
        assert caught.value.slug == "ingest_running"
        assert f"process {os.getpid()}" in str(caught.value)
    with other.writing():
        pass
    other.database.close()


def test_writers_of_many_processes_lose_nothing_and_readers_see_whole_documents(database_url: str) -> None:
    store = Store(open_database(database_url))
    changes = Changes(store.database)
    writers = [start("write", database_url, str(n)) for n in range(2)]
    last_id, seen = 0, set()
    while any(writer.poll() is None for writer in writers):
        for record in store.documents():
            with store.database.read() as connection:
                query = sa.select(sa.func.count()).where(t.passage.c.document == t.document.c.number)
                count = connection.execute(query.where(t.document.c.id == record.id)).scalar()
                alive = connection.execute(sa.select(t.document.c.id).where(t.document.c.id == record.id)).scalar()
            assert alive is None or count == 2
        for page in changes.passages(after=last_id):
            seen.update(row.id for row in page)
            last_id = page[-1].id
    assert [writer.wait() for writer in writers] == [0, 0]
    for page in changes.passages(after=last_id):
        seen.update(row.id for row in page)
    with store.database.read() as connection:
        stored = set(connection.execute(sa.select(t.passage.c.id)).scalars())
    assert store.counts() == type(store.counts())(6, 12)
    # Ids grow in commit order: whoever follows by the last id seen misses no passage.
    assert stored <= seen
    store.database.close()


def test_what_is_stored_agrees_with_a_dictionary_after_any_history(store: Store, tmp_path: Path) -> None:
    chance = random.Random(7)
    model: dict[str, str] = {}
    for _ in range(40):
        source = f"s{chance.randrange(6)}"
        if chance.random() < 0.3:
            assert store.remove([source]) == (source in model)
            model.pop(source, None)
        else:
            model[source] = "".join(f"line {chance.randrange(9)}\n" for _ in range(chance.randrange(4)))
            put(store, document(source, model[source]))
    store.finish(sweep=True)
    assert {d.source: store.document(d.id).text for d in store.documents()} == model
    texts = {line for text in model.values() for line in text.splitlines(keepends=True)}
    assert _vectors(store.database) == {text_hash(line) for line in texts}
    assert store.counts().passages == sum(len(text.splitlines()) for text in model.values())
