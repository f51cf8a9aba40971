"""Values: one per key for ever, seen at once, kept through kill -9, on both databases."""

import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
import sqlalchemy as sa

from assay.errors import Conflict
from assay.ledger.database import Database, open_database, sqlite_url
from assay.ledger.values import Values, key_of
from assay.ledger.values import value as table


def test_what_was_put_comes_back(database: Database) -> None:
    kept = {
        "object": {"text": "wer\0 \ud800 weiß? " * 200, "list": [1, 2.5, None, True]},
        "short": "x",
        "vector": bytes(range(256)) * 12,
        "zero": 0,
        "empty": [],
    }
    values = Values(database)
    for name, value in kept.items():
        values.put(key_of("chat", {"name": name}), "chat", value)
    for _ in ("pending", "committed"):
        for name, value in kept.items():
            assert values.get(key_of("chat", {"name": name})) == value
        values.flush()
    values.close()
    again = Values(database)
    keys = [key_of("chat", {"name": name}) for name in kept]
    assert again.get_many([*keys, "absent"]) == dict(zip(keys, kept.values(), strict=True))
    assert again.get("absent") is None
    again.close()


def test_the_first_value_of_a_key_is_its_value(database: Database) -> None:
    values = Values(database)
    values.put("k", "chat", "first")
    values.put("k", "chat", "second")
    assert values.get("k") == "first"
    values.flush()
    values.put("k", "chat", "third")
    values.flush()
    assert values.get("k") == "first"
    values.close()


def test_processes_and_instances_see_each_others_values(database: Database) -> None:
    one, other = Values(database), Values(database)
    assert other.get("k") is None
    one.put("k", "chat", 1)
    one.flush()
    assert other.get("k") == 1
    one.close()
    other.close()


def test_what_is_not_json_is_refused_and_nothing_is_kept(sqlite_database: Database) -> None:
    values = Values(sqlite_database)
    for odd in (float("nan"), {"x": object()}, {"x": b"bytes inside"}, None):
        with pytest.raises((TypeError, ValueError)):
            values.put("odd", "chat", odd)
    assert values.get("odd") is None
    values.close()
    with pytest.raises(ValueError, match="closed"):
        values.put("late", "chat", 1)


def test_long_json_is_compressed_and_vectors_are_not(sqlite_database: Database) -> None:
    values = Values(sqlite_database)
    values.put("text", "chat", "the same words " * 500)
    values.put("vector", "vector", b"\0" * 4000)
    values.close()
    with sqlite_database.read() as connection:
        sizes = dict(connection.execute(sa.select(table.c.key, sa.func.length(table.c.data))).all())
    assert sizes["text"] < 500
    assert sizes["vector"] == 4001


def test_many_threads_put_and_get(database: Database) -> None:
    values = Values(database, pending_bytes=20_000)
    wrong = []

    def work(worker: int) -> None:
        for i in range(200):
            key = key_of("output", {"worker": worker % 4, "i": i})
            values.put(key, "output", {"i": i, "text": "x" * 300})
            if values.get(key) != {"i": i, "text": "x" * 300}:
                wrong.append(key)

    threads = [threading.Thread(target=work, args=(n,)) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    values.close()
    assert not wrong
    with database.read() as connection:
        assert connection.execute(sa.select(sa.func.count()).select_from(table)).scalar() == 800


def test_a_locked_database_is_waited_for_and_reads_do_not_wait(sqlite_database: Database) -> None:
    values = Values(sqlite_database)
    values.put("before", "chat", 0)
    values.flush()
    with sqlite_database.write():
        values.put("k", "chat", 1)
        started = time.perf_counter()
        assert values.get("k") == 1
        assert values.get("before") == 0
        assert values.get("absent") is None
        assert time.perf_counter() - started < 1.0
    values.flush()
    assert Values(sqlite_database).get("k") == 1
    values.close()


def test_a_full_pending_map_makes_put_wait(sqlite_database: Database) -> None:
    values = Values(sqlite_database, pending_bytes=1000)
    done = threading.Event()

    def put_much() -> None:
        for i in range(10):
            values.put(f"k{i}", "chat", "x" * 500)
        done.set()

    with sqlite_database.write():
        thread = threading.Thread(target=put_much)
        thread.start()
        assert not done.wait(0.7)
    assert done.wait(10)
    thread.join()
    values.close()
    assert values._bytes == 0


def test_a_full_disk_is_said_and_what_was_put_before_survives(tmp_path: Path) -> None:
    database = open_database(sqlite_url(tmp_path / "assay.db"))
    values = Values(database)
    values.put("early", "chat", 1)
    values.flush()
    with database.session() as connection:
        pages = connection.exec_driver_sql("PRAGMA page_count").scalar()
        connection.exec_driver_sql(f"PRAGMA max_page_count={pages}")
    values.put("big", "vector", b"x" * 200_000)
    with pytest.raises(Conflict) as caught:
        values.flush()
    assert caught.value.slug == "disk_full"
    with pytest.raises(Conflict):
        values.put("later", "chat", 1)
    values.close()
    with database.session() as connection:
        connection.exec_driver_sql("PRAGMA max_page_count=1000000")
    again = Values(database)
    assert again.get("early") == 1
    assert again.get("big") == b"x" * 200_000
    again.close()


_PUTTER = """
import sys
from assay.ledger.database import open_database
from assay.ledger.values import Values
values = Values(open_database(sys.argv[1]))
i = 0
while True:
    values.put(f"{sys.argv[2]}-{i}", "output", {"i": i, "text": "answer " * 50})
    sys.stdout.write(f"{i}\\n")
    sys.stdout.flush()
    i += 1
"""


def test_nothing_put_is_lost_to_kill_9(tmp_path: Path) -> None:
    url = sqlite_url(tmp_path / "assay.db")
    open_database(url).close()
    put: dict[str, int] = {}
    for attempt, seconds in enumerate((0.05, 0.31, 0.6)):
        child = subprocess.Popen([sys.executable, "-c", _PUTTER, url, str(attempt)], stdout=subprocess.PIPE, text=True)
        assert child.stdout is not None
        told = [child.stdout.readline()]
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            told.append(child.stdout.readline())
        child.kill()
        told += child.stdout.read().splitlines(keepends=True)
        child.wait()
        child.stdout.close()
        whole = [line for line in told if line.endswith("\n")]
        put |= {f"{attempt}-{i}": i for i in range(len(whole))}
    database = open_database(url)
    values = Values(database)
    found = values.get_many(list(put))
    assert {key: value["i"] for key, value in found.items()} == put
    values.close()
    database.close()
    assert not (tmp_path / "assay.db.pending").exists()
