"""The lexical index: what it finds, and that it agrees with the database whatever happened to it."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from assay.errors import BadSetting
from assay.index.changes import Changes
from assay.index.hit import Filter
from assay.index.lexical import LexicalIndex
from assay.index.store import Store
from assay.ledger.database import Database, open_database, sqlite_url
from assay.ledger.lock import held
from index_corpus import document, put, search_index


def _opened(database: Database, folder: Path, language: str = "english") -> LexicalIndex:
    index = LexicalIndex(folder, Changes(database), language=language)
    assert index.catch_up()
    return index


def _found(index: LexicalIndex, store: Store, question: str, where: Filter | None = None) -> list[str]:
    ids = [passage_id for passage_id, _ in index.search(question, k=10, where=where)]
    passages = store.passages(ids)
    return [passages[passage_id].source for passage_id in ids]


@pytest.fixture
def store(sqlite_database: Database) -> Store:
    store = Store(sqlite_database)
    put(
        store,
        document("dogs", "Running dogs bark\n"),
        document("cats", "Cats sleep, and dogs do not\n"),
        document("tax", "The tax form is due in April\n", title="Finance"),
        document("title", "title: the field of a question\n"),
    )
    return store


def test_words_are_stemmed_and_titles_count(store: Store, tmp_path: Path) -> None:
    index = _opened(store.database, tmp_path)
    assert _found(index, store, "dogs barked; run!") == ["dogs", "cats"]
    assert _found(index, store, "finances?") == ["tax"]
    assert _found(index, store, "unheard") == []
    assert _found(index, store, "?!") == []


@pytest.mark.parametrize(
    "question",
    ['"tax form', "tax AND NOT april", "+tax -form", "tax^9 ~", "(tax", "body:tax", "facts:public tax", "tax*"],
)
def test_nothing_in_a_question_is_syntax(store: Store, tmp_path: Path, question: str) -> None:
    index = _opened(store.database, tmp_path)
    assert "tax" in _found(index, store, question)


def test_a_field_name_is_a_word_like_any_other(store: Store, tmp_path: Path) -> None:
    assert _found(_opened(store.database, tmp_path), store, "title:") == ["title"]


def test_other_languages_stem_and_an_unknown_one_is_a_bad_setting(store: Store, tmp_path: Path) -> None:
    put(store, document("de", "Viele Häuser stehen in den Städten\n"))
    index = _opened(store.database, tmp_path, language="german")
    assert _found(index, store, "haus") == _found(index, store, "Haus") == _found(index, store, "Häusern") == ["de"]
    with pytest.raises(BadSetting, match="klingon"):
        LexicalIndex(tmp_path, Changes(store.database), language="klingon")


def test_it_follows_what_comes_and_goes(store: Store, tmp_path: Path) -> None:
    index = _opened(store.database, tmp_path)
    put(store, document("dogs", "Now about horses\n"), document("new", "horses\n"))
    store.remove(["cats"])
    assert len(index.search("dogs", k=10)) == 2  # searches go on, on the older state
    assert index.generation < Changes(store.database).state().generation
    builds = _builds(tmp_path)
    assert index.catch_up()
    assert _builds(tmp_path) == builds
    assert index.generation == Changes(store.database).state().generation
    assert sorted(_found(index, store, "horse dog")) == ["dogs", "new"]


def test_opening_again_builds_nothing(store: Store, tmp_path: Path) -> None:
    _opened(store.database, tmp_path)
    before = sorted(path.relative_to(tmp_path) for path in tmp_path.rglob("*.idx"))
    assert _found(_opened(store.database, tmp_path), store, "april") == ["tax"]
    assert sorted(path.relative_to(tmp_path) for path in tmp_path.rglob("*.idx")) == before != []


def _builds(folder: Path) -> list[str]:
    return [path.name for path in folder.rglob("data-*")]


def _truncate(folder: Path) -> None:
    for path in folder.rglob("*.idx"):
        path.write_bytes(path.read_bytes()[:-1])


def _flip(kind: str) -> Callable[[Path], None]:
    def flip(folder: Path) -> None:
        for path in folder.rglob(f"*.{kind}"):
            content = bytearray(path.read_bytes())
            content[len(content) // 4] ^= 1
            path.write_bytes(content)

    return flip


def _lose_files(folder: Path) -> None:
    for path in folder.rglob("*.term"):
        path.unlink()


def _lose_meta(folder: Path) -> None:
    next(folder.rglob("meta.json")).write_text("{")


def _lose_stamp(folder: Path) -> None:
    next(folder.rglob("stamp.json")).write_text("not json")


@pytest.mark.parametrize(
    "damage",
    [
        _truncate,
        _flip("idx"),
        _flip("term"),
        _flip("fast"),
        _flip("fieldnorm"),
        _lose_files,
        _lose_meta,
        _lose_stamp,
        shutil.rmtree,
    ],
)
def test_a_damaged_index_is_built_anew(store: Store, tmp_path: Path, damage: Callable[[Path], None]) -> None:
    folder = tmp_path / "index"
    _opened(store.database, folder)
    before = _builds(folder)
    damage(folder)
    assert _found(_opened(store.database, folder), store, "april dogs") == ["tax", "dogs", "cats"]
    assert len(before) == len(_builds(folder)) == 1
    assert _builds(folder) != before


def test_an_index_of_another_database_is_built_anew(store: Store, tmp_path: Path) -> None:
    other = open_database(sqlite_url(tmp_path / "other.db"))
    put(Store(other), document("x", "elsewhere\n"))
    _opened(other, tmp_path / "index")
    index = _opened(store.database, tmp_path / "index")
    assert _found(index, store, "elsewhere april") == ["tax"]
    other.close()


def test_a_commit_whose_stamp_was_lost_is_taken_back(store: Store, tmp_path: Path) -> None:
    """Killed between commit and stamp: the index holds what the stamp does not know."""
    index = _opened(store.database, tmp_path)
    stamp = next(tmp_path.rglob("stamp.json"))
    before = stamp.read_bytes()
    put(store, document("more", "april again\n"))
    assert index.catch_up()
    stamp.write_bytes(before)
    builds = _builds(tmp_path)
    again = _opened(store.database, tmp_path)
    assert sorted(_found(again, store, "april")) == ["more", "tax"]
    assert _builds(tmp_path) == builds, "taken back, not built anew"


def test_while_another_catches_up_searches_see_the_older_state(store: Store, tmp_path: Path) -> None:
    index = _opened(store.database, tmp_path)
    put(store, document("more", "april again\n"))
    with held(tmp_path / "lexical.lock") as won:
        assert won
        assert index.catch_up() is False
        assert _found(index, store, "april") == ["tax"]
    other = _opened(store.database, tmp_path)
    with held(tmp_path / "lexical.lock") as won:
        assert won
        assert index.catch_up() is False  # nothing of its own to do: it takes over what the other stamped
    assert sorted(_found(index, store, "april")) == ["more", "tax"] == sorted(_found(other, store, "april"))


def test_both_sides_open_an_empty_database(sqlite_database: Database, tmp_path: Path) -> None:
    index = search_index(sqlite_database, tmp_path).open()
    assert index.lexical.search("anything", k=5) == []
    assert not index.behind()
