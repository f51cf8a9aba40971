"""The journal: what was appended is there after a death, a torn end is not, and the living keep their files."""

import os
import resource
from collections.abc import Iterable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from assay.errors import Conflict
from assay.ledger.journal import Journal, Record, take_over


def left_in(folder: Path) -> list[Record]:
    found: list[Record] = []

    def commit(records: Iterable[Record]) -> None:
        found.extend(records)

    take_over(folder, commit)
    return found


def die(journal: Journal) -> None:
    """What the kernel does to a killed process: descriptors close, files stay."""
    journal.close(keep=True)


RECORDS = st.lists(st.builds(Record, st.text("0123456789abcdef", min_size=1, max_size=64), st.text(), st.binary()))


@given(first=RECORDS, second=RECORDS, cut=st.integers(0, 40))
def test_every_whole_record_of_the_dead_is_taken_over_once(
    tmp_path_factory: pytest.TempPathFactory, first: list[Record], second: list[Record], cut: int
) -> None:
    folder = tmp_path_factory.mktemp("journal")
    journal = Journal(folder)
    for record in first:
        journal.append(record)
    journal.turn()
    for record in second:
        journal.append(record)
    die(journal)
    newest = next(path for path in folder.glob("*-1.log"))
    with newest.open("r+b") as file:
        file.truncate(max(0, newest.stat().st_size - cut))
    found = left_in(folder)
    assert found[: len(first)] == first
    whole = found[len(first) :]
    assert whole == second[: len(whole)]
    assert whole == second or cut
    assert left_in(folder) == []
    assert list(folder.iterdir()) == []


def test_a_damaged_record_ends_what_is_believed(tmp_path: Path) -> None:
    journal = Journal(tmp_path)
    for i in range(3):
        journal.append(Record(f"k{i}", "chat", b"value" * 10))
    die(journal)
    path = next(tmp_path.glob("*-0.log"))
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 0xFF
    path.write_bytes(content)
    assert [record.key for record in left_in(tmp_path)] == ["k0"]


def test_the_files_of_the_living_are_left_alone(tmp_path: Path) -> None:
    living = Journal(tmp_path)
    living.append(Record("k", "chat", b"v"))
    assert left_in(tmp_path) == []
    die(living)
    assert left_in(tmp_path) == [Record("k", "chat", b"v")]


def test_a_committed_batch_is_gone_and_what_came_since_is_not(tmp_path: Path) -> None:
    journal = Journal(tmp_path)
    journal.append(Record("old", "chat", b"v"))
    journal.turn()
    journal.append(Record("new", "chat", b"v"))
    journal.committed()
    die(journal)
    assert [record.key for record in left_in(tmp_path)] == ["new"]


def test_closing_leaves_nothing(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "pending")
    journal.append(Record("k", "chat", b"v"))
    journal.close(keep=False)
    assert not (tmp_path / "pending").exists()


def test_a_record_that_does_not_fit_is_refused_whole(tmp_path: Path) -> None:
    journal = Journal(tmp_path)
    journal.append(Record("before", "chat", b"v" * 1000))
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (3000, hard))
    try:
        with pytest.raises(Conflict) as caught:
            journal.append(Record("large", "chat", os.urandom(5000)))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert caught.value.slug == "disk_full"
    journal.append(Record("after", "chat", b"v"))
    die(journal)
    assert [record.key for record in left_in(tmp_path)] == ["before", "after"]
