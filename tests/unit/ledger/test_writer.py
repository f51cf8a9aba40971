"""The writer keeps what it accepted, never delays a request, and says so when it cannot keep up."""

import logging
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa

from assay.ledger import writer as writing
from assay.ledger.database import Database, open_database, sqlite_url
from assay.ledger.recorder import Recorder
from assay.ledger.retention import prune
from assay.ledger.settings import LedgerSettings
from assay.ledger.spans import span
from assay.ledger.tables import span as table
from assay.ledger.traces import load, recent


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    database = open_database(sqlite_url(tmp_path / "assay.db"))
    yield database
    database.close()


@pytest.fixture
def locked(tmp_path: Path, database: Database) -> Iterator[sqlite3.Connection]:
    """A connection of another program that holds the write lock; `rollback` lets go."""

    # Without this the writer would wait inside SQLite for 30 s, which is right but slow to test.
    @sa.event.listens_for(database.engine, "checkout")
    def impatient(connection: sqlite3.Connection, *_: object) -> None:
        connection.execute("pragma busy_timeout = 20")

    holder = sqlite3.connect(tmp_path / "assay.db", isolation_level=None, check_same_thread=False)
    holder.execute("begin immediate")
    yield holder
    holder.close()


def count(database: Database) -> int:
    with database.read() as connection:
        return connection.execute(sa.select(sa.func.count()).select_from(table)).scalar_one()


def ask(recorder: Recorder, question: str = "why?") -> str:
    with recorder.span("assay.ask", {"question": question}) as root, span("retrieve"):
        return root.trace_id


def test_closing_commits_everything(database: Database) -> None:
    recorder = Recorder(database, LedgerSettings())
    for _ in range(1300):
        ask(recorder)
    recorder.close()
    recorder.close()
    state = recorder.state()
    assert (state.recorded, state.written, state.dropped, state.waiting) == (2600, 2600, 0, 0)
    assert count(database) == 2600


def test_a_span_reaches_the_database_by_itself_within_the_gap(database: Database) -> None:
    with Recorder(database, LedgerSettings()) as recorder:
        ask(recorder)
        deadline = time.monotonic() + 5
        while not count(database) and time.monotonic() < deadline:
            time.sleep(0.02)
        assert count(database) == 2


def test_what_was_recorded_is_committed_when_the_interpreter_exits(tmp_path: Path, database: Database) -> None:
    program = f"""
from assay.ledger.database import open_database
from assay.ledger.recorder import Recorder
from assay.ledger.settings import LedgerSettings
recorder = Recorder(open_database({sqlite_url(tmp_path / "assay.db")!r}), LedgerSettings())
with recorder.span("assay.ask"):
    pass
"""
    subprocess.run([sys.executable, "-c", program], check=True, timeout=60)
    assert [trace.name for trace in recent(database)] == ["assay.ask"]


def test_a_locked_database_delays_no_request_and_loses_no_span(database: Database, locked: sqlite3.Connection) -> None:
    with Recorder(database, LedgerSettings()) as recorder:
        started = time.perf_counter()
        for _ in range(200):
            ask(recorder)
        assert time.perf_counter() - started < 1.0
        assert not recorder.flush(0.5)
        assert (recorder.state().written, recorder.state().stopped) == (0, "")
        locked.rollback()
        assert recorder.flush(10)
    assert count(database) == 400


def test_closing_gives_up_on_a_database_that_stays_locked(
    database: Database, locked: sqlite3.Connection, caplog: pytest.LogCaptureFixture
) -> None:
    recorder = Recorder(database, LedgerSettings())
    ask(recorder)
    started = time.monotonic()
    with caplog.at_level(logging.WARNING):
        recorder.close(timeout_seconds=1.0)
    assert time.monotonic() - started < 3.0
    assert [record.message for record in caplog.records] == ["2 of 2 spans were not recorded."]


def test_a_full_queue_drops_counts_and_warns_once(
    database: Database,
    locked: sqlite3.Connection,
    caplog: pytest.LogCaptureFixture,
) -> None:
    recorder = Recorder(database, LedgerSettings(), capacity=100)
    with caplog.at_level(logging.WARNING):
        for _ in range(400):
            ask(recorder)
        state = recorder.state()
        # The writer may hold a batch beside the queue.
        assert 800 - 100 - writing.BATCH_SPANS <= state.dropped <= 700
        assert state.recorded == 800
        locked.rollback()
        recorder.close()
    assert len([record for record in caplog.records if "some are dropped" in record.message]) == 1
    state = recorder.state()
    assert state.written + state.dropped == 800
    assert count(database) == state.written >= 100


def test_a_full_disk_stops_recording_with_one_warning_and_requests_go_on(
    database: Database, caplog: pytest.LogCaptureFixture
) -> None:
    # SQLite's own limit raises the same SQLITE_FULL as a full disk.
    @sa.event.listens_for(database.engine, "checkout")
    def small_disk(connection: sqlite3.Connection, *_: object) -> None:
        pages = connection.execute("pragma page_count").fetchone()[0]
        connection.execute(f"pragma max_page_count = {pages}")

    with caplog.at_level(logging.WARNING):
        recorder = Recorder(database, LedgerSettings())
        for _ in range(20):
            ask(recorder, "why? " * 2000)
        recorder.flush(5)
        assert "full" in recorder.state().stopped
        for _ in range(20):
            ask(recorder)
        recorder.close()
    state = recorder.state()
    assert (state.written, state.dropped) == (0, 80)
    messages = [record.message for record in caplog.records]
    assert len([message for message in messages if "no longer recorded" in message]) == 1
    assert "disk" in messages[0]
    with database.read() as connection:
        assert connection.exec_driver_sql("pragma quick_check").scalar() == "ok"


def test_a_table_that_is_gone_stops_recording_and_nothing_else(
    database: Database, caplog: pytest.LogCaptureFixture
) -> None:
    with database.write() as connection:
        connection.exec_driver_sql("drop table span")
    with caplog.at_level(logging.WARNING), Recorder(database, LedgerSettings()) as recorder:
        ask(recorder)
        assert not recorder.flush(5)
        ask(recorder)
    assert "span" in recorder.state().stopped


def test_content_is_replaced_by_its_length_when_it_may_not_be_recorded(database: Database) -> None:
    with Recorder(database, LedgerSettings(record_content=False)) as recorder:
        with recorder.span("assay.ask", {"question": "Who is ill?", "mode": "fused", "k": 8}) as root:
            root.set("messages", [{"role": "user", "content": "Anna is ill"}])
            root.set("quotes", ["Anna is ill", "and so is Ben"])
            root.set("something_new", "Anna is still ill")
            root.set("question", "secretword")
            with pytest.raises(ValueError, match="Anna"), span("verify"):
                raise ValueError("Anna")
        recorder.flush()
    attributes = load(database, root.trace_id).roots[0].attributes
    assert attributes["assay.question.length"] == len("secretword")
    assert attributes["assay.quotes.length"] == 2
    assert attributes["assay.something_new.length"] == 17
    assert (attributes["assay.mode"], attributes["assay.k"]) == ("fused", 8)
    with database.read() as connection:
        everything = str(connection.execute(sa.select(table)).all())
    for word in ("Anna", "ill", "Ben", "secretword"):
        assert word not in everything


KEYS = [
    "sk-proj-abcdefghijklmnop1234",
    "Authorization: Bearer abcdefgh.12345678",
    "AIza" + "SyA1234567890abcdefghijklmnopqrstuv",
    "ghp_" + "abcdefghijklmnopqrstuvwxyz0123456789",
    "xoxb-1234567890-abcdefghij",
    "AKIAIOSFODNN7EXAMPLE",
    "hf_abcdefghijklmnopqrstuvwxyz",
    "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0NTY3.SflKxwRJSMeKKF2QT4",
    'api_key="abcdef-123456"',
    "postgresql://assay:hunter22@db.example/assay",
    "-----BEGIN RSA PRIVATE KEY-----\nMIIEpAIBAAKCAQEA\n-----END RSA PRIVATE KEY-----",
]


@pytest.mark.parametrize("key", KEYS)
def test_keys_are_never_recorded(database: Database, key: str) -> None:
    with Recorder(database, LedgerSettings(), secrets=["my-own-gateway-key"]) as recorder:
        with recorder.span("assay.ask") as root:
            root.set("question", f"why does {key} not work?")
            root.set("api_key", "zzz-plain")
            root.set("headers", {"Authorization": "Bearer zzz-plain-zzz"})
            root.set("url", "https://example.org/?key=my-own-gateway-key")
            root.set("quotes", [f"it says {key}."])
            with pytest.raises(ValueError, match="refused"), span("generate"):
                raise ValueError(f"refused: {key}")
        recorder.flush()
    attributes = load(database, root.trace_id).roots[0].attributes
    everything = str([recorded.attributes for recorded in load(database, root.trace_id).walk()])
    secret = key.removeprefix("Authorization: ").removeprefix("Bearer ").strip()
    assert secret not in everything
    assert "hunter22" not in everything
    assert "abcdef-123456" not in everything
    assert "MIIE" not in everything
    assert "zzz" not in everything
    assert "my-own-gateway-key" not in everything
    assert attributes["assay.question"].startswith("why does ")
    assert attributes["assay.question"].endswith(" not work?")


@pytest.mark.parametrize(
    "prose",
    [
        "A task-oriented-dialogue-system-with-many-hyphens and a risk-averse-approach-to-everything.",
        "The token budget: 8,192 tokens. The basic idea, a bearer of news; the secret of success is work.",
        "Mail me at someone@example.org or see https://example.org/a:b@c and keys such as ghp_short.",
    ],
)
def test_ordinary_prose_is_recorded_as_it_is(database: Database, prose: str) -> None:
    with Recorder(database, LedgerSettings()) as recorder:
        trace_id = ask(recorder, prose)
        recorder.flush()
    assert load(database, trace_id).roots[0].attributes["assay.question"] == prose


def test_a_very_long_value_is_cut_and_says_so(database: Database) -> None:
    with Recorder(database, LedgerSettings()) as recorder:
        trace_id = ask(recorder, "x" * 50_000)
        recorder.flush()
    question = load(database, trace_id).roots[0].attributes["assay.question"]
    assert len(question) < 20_100
    assert question.endswith("(30000 more characters)")


def test_old_traces_go_in_steps_and_young_ones_stay(database: Database) -> None:
    day_ns = 86_400 * 10**9
    with Recorder(database, LedgerSettings()) as recorder:
        for _ in range(500):
            ask(recorder)
    with database.write() as connection:
        half = sa.select(table.c.trace_id).distinct().order_by(table.c.trace_id).limit(250)
        connection.execute(
            sa.update(table)
            .where(table.c.trace_id.in_(half))
            .values(trace_start_ns=table.c.trace_start_ns - 3 * day_ns)
        )
    assert prune(database, before_ns=time.time_ns() - 2 * day_ns, limit=100) == 100
    with Recorder(database, LedgerSettings(keep_days=2)):
        deadline = time.monotonic() + 10
        while count(database) > 500 and time.monotonic() < deadline:
            time.sleep(0.05)
    assert count(database) == 500
    assert all(len(list(load(database, trace.trace_id).walk())) == 2 for trace in recent(database, 300))
