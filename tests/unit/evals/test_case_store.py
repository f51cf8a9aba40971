"""Sets of cases in the database, of each kind: by content, in versions, whatever runs beside."""

import subprocess
import sys
import threading

import pytest
import sqlalchemy as sa

from assay.errors import BadInput, Corrupt, NotFound
from assay.evals.case import Case, Evidence, set_digest
from assay.evals.cases import LIMITED, CaseStore
from assay.evals.tables import case_member, case_name, case_row, case_set

RICH = Case(
    "1",
    "Why \x00 <b>not</b>?",
    answers=("because", "ünïcode 🙂"),
    evidence=(Evidence("a.md", "quote"), Evidence("b.md", start=3, end=9), Evidence("c.md", grade=2)),
    tags=("hard",),
    cluster="a",
)
UNANSWERABLE = Case("2", "And then?", answerable=False)


def counted(database, table):
    with database.read() as connection:
        return connection.execute(sa.select(sa.func.count()).select_from(table)).scalar_one()


def test_a_set_comes_back_as_it_was_saved_by_name_digest_and_prefix(database):
    store = CaseStore(database)
    digest = store.save("mine", [RICH, UNANSWERABLE], "cases.jsonl")
    assert digest == set_digest([RICH, UNANSWERABLE])
    for key in ("mine", digest, digest[:6]):
        assert store.load(key) == [RICH, UNANSWERABLE]
    with pytest.raises(NotFound, match="nothing") as caught:
        store.load("nothing")
    assert "mine" in caught.value.hint


def test_order_is_part_of_a_set_and_cases_are_kept_once(database):
    store = CaseStore(database)
    one, other = store.save("a", [RICH, UNANSWERABLE], ""), store.save("b", [UNANSWERABLE, RICH], "")
    assert one != other
    assert store.load(other) == [UNANSWERABLE, RICH]
    assert counted(database, case_row) == 2


def test_saving_again_changes_nothing_and_a_change_is_a_new_version(database):
    store = CaseStore(database)
    first = store.save("mine", [RICH], "cases.jsonl")
    assert store.save("mine", [RICH], "elsewhere.jsonl") == first
    second = store.save("mine", [RICH, UNANSWERABLE], "reviewed")
    assert [(version.digest, version.size, version.origin) for version in store.versions("mine")] == [
        (second, 2, "reviewed"),
        (first, 1, "cases.jsonl"),
    ]
    assert store.save("mine", [RICH], "back") == first  # going back is a version too, of a set that is there
    assert [version.digest for version in store.versions("mine")] == [first, second, first]
    assert [(named.name, named.digest) for named in store.names()] == [("mine", first)]
    assert counted(database, case_set) == 2
    assert store.load("mine") == [RICH]


def test_a_diff_names_what_was_added_removed_and_changed(database):
    store = CaseStore(database)
    reworded = Case("1", "Why not, again?")
    third, same = Case("3", "third"), Case("4", "same")
    store.save("before", [RICH, UNANSWERABLE, same], "")
    store.save("after", [reworded, third, same], "")
    diff = store.diff("before", "after")
    assert (diff.added, diff.removed, diff.changed, diff.unchanged) == (
        (third,),
        (UNANSWERABLE,),
        ((RICH, reworded),),
        1,
    )


def test_what_no_set_can_be_is_refused_and_leaves_nothing(database):
    store = CaseStore(database)
    for name, cases, match in [
        ("mine", [], "no cases"),
        ("mine", [RICH, RICH], "two cases"),
        (" ", [RICH], "name"),
        ("deadbeef", [RICH], "digest"),
    ]:
        with pytest.raises(BadInput, match=match):
            store.save(name, cases, "")
    assert [counted(database, table) for table in (case_row, case_set, case_member, case_name)] == [0, 0, 0, 0]


def test_an_ambiguous_prefix_is_refused(database):
    store = CaseStore(database)
    store.save("mine", [RICH], "")
    with database.write() as connection:
        digest = connection.execute(sa.select(case_set.c.digest)).scalar_one()
        twin = digest[:10] + ("0" if digest[10] != "0" else "1") + digest[11:]
        connection.execute(case_set.insert(), {"digest": twin, "size": 1, "created_ns": 1})
    with pytest.raises(BadInput, match="Several"):
        store.load(digest[:8])
    assert store.load(digest[:11]) == [RICH]


def test_a_set_that_is_not_what_was_saved_is_corrupt(database):
    store = CaseStore(database)
    digest = store.save("mine", [RICH, UNANSWERABLE], "")
    with database.write() as connection:
        connection.execute(case_member.delete().where(case_member.c.ordinal == 1))
    with pytest.raises(Corrupt, match=digest[:12]):
        store.load("mine")


def test_many_cases_are_saved_in_batches_and_keep_their_order(database):
    store = CaseStore(database)
    cases = [Case(f"q{i}", f"question {i}", cluster=str(i % 7)) for i in range(5_000)]
    store.save("many", cases, "")
    assert store.load("many") == cases


def test_threads_saving_the_same_set_make_one_version(database):
    store = CaseStore(database)
    cases = [Case(f"q{i}", "question") for i in range(300)]
    threads = [threading.Thread(target=store.save, args=("same", cases, "")) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert store.load("same") == cases
    assert len(store.versions("same")) == 1


SAVES = """
import sys
from assay.evals.case import Case
from assay.evals.cases import LIMITED, CaseStore
from assay.ledger.database import open_database

store = CaseStore(open_database(sys.argv[1]))
print("READY", flush=True)
sys.stdin.readline()
for version in range(5):
    store.save("shared", [Case(f"q{i}", f"question {version}") for i in range(500)], sys.argv[2])
"""


def test_two_processes_at_once(database, database_url):
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", SAVES, database_url, name],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for name in ("one", "two")
    ]
    for process in processes:
        assert process.stdout.readline().strip() == "READY"
    for process in processes:
        process.stdin.write("go\n")
        process.stdin.flush()
    for process in processes:
        _out, err = process.communicate(timeout=60)
        assert process.returncode == 0, err
    store = CaseStore(database)
    versions = store.versions("shared")
    assert len({version.digest for version in versions}) == 5
    assert all(len(store.load(version.digest)) == 500 for version in versions)
    assert store.load("shared")[0].question == "question 4"


@pytest.mark.parametrize("name", ["../x", "a/b", ".hidden", "--limit", "mine.jsonl", "mine, first 3"])
def test_a_name_that_could_be_a_path_a_flag_or_a_derived_set_is_refused(sqlite_database, name):
    with pytest.raises(BadInput):
        CaseStore(sqlite_database).save(name, [Case("a", "Why?")], "a file")


def test_derived_sets_are_loaded_by_name_and_offered_to_nobody(sqlite_database):
    store = CaseStore(sqlite_database)
    store.save("mine", [Case("a", "Why?"), Case("b", "How?")], "a file")
    store.save("mine, first 1", [Case("a", "Why?")], LIMITED)
    assert [found.name for found in store.names()] == ["mine"]
    assert len(store.load("mine, first 1")) == 1
    with pytest.raises(NotFound) as refused:
        store.load("nothing")
    assert refused.value.hint == "Use one of mine."
