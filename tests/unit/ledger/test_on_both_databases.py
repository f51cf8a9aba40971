"""Recording and reading are the same on SQLite and PostgreSQL."""

import getpass
import os
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa

from assay.errors import BadInput, NotFound
from assay.ledger.database import Database, open_database, sqlite_url
from assay.ledger.recorder import Recorder
from assay.ledger.retention import prune
from assay.ledger.settings import LedgerSettings
from assay.ledger.spans import span
from assay.ledger.tables import span as table
from assay.ledger.traces import load, recent


@pytest.fixture(scope="module")
def postgres_url() -> Iterator[str]:
    """A PostgreSQL server of this test's own, on a free loopback port."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    if not found:
        pytest.skip("PostgreSQL is not installed: these tests ran on SQLite only.")
    binaries = found[-1].parent
    # PostgreSQL refuses to run as root.
    user = "postgres" if os.geteuid() == 0 else getpass.getuser()
    home = Path(tempfile.mkdtemp(prefix="assay-postgres-"))
    shutil.chown(home, user)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]

    def run(program: str, *arguments: str) -> None:
        command = [str(binaries / program), "-D", str(home / "data"), *arguments]
        subprocess.run(
            command, check=True, user=user if os.geteuid() == 0 else None, cwd=home, stdout=subprocess.DEVNULL
        )

    run("initdb", "-U", "assay", "--auth=trust", "-E", "UTF8", "--no-sync")
    options = f"-p {port} -k {home} -c listen_addresses=127.0.0.1 -c fsync=off"
    run("pg_ctl", "-w", "-o", options, "-l", str(home / "log"), "start")
    yield f"postgresql://assay@127.0.0.1:{port}/postgres"
    run("pg_ctl", "-m", "immediate", "stop")
    shutil.rmtree(home)


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
def database(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Database]:
    on_sqlite = request.param == "sqlite"
    database = open_database(
        sqlite_url(tmp_path / "assay.db") if on_sqlite else request.getfixturevalue("postgres_url")
    )
    with database.write() as connection:
        connection.execute(sa.delete(table))
    yield database
    database.close()


def test_a_trace_comes_back_as_it_was_recorded(database: Database) -> None:
    with Recorder(database, LedgerSettings()) as recorder:
        for _ in range(700):
            with recorder.span("assay.ask", {"question": "wer\0 \ud800 weiß?"}) as root:
                with span("retrieve", {"k": 8, "score": float("inf")}):
                    pass
                with pytest.raises(KeyError), span("generate", {"model": "m\0"}):
                    raise KeyError("x")
        assert recorder.flush(30)
        assert recorder.state().written == 2100
    trace = load(database, root.trace_id[:10])
    assert trace.roots[0].attributes["assay.question"] == "wer\0 ? weiß?"
    retrieve, generate = trace.roots[0].children
    assert (retrieve.attributes["assay.k"], retrieve.attributes["assay.score"]) == (8, None)
    assert (generate.status, generate.error_code, generate.attributes["gen_ai.request.model"]) == (
        "error",
        "KeyError",
        "m�",
    )
    newest = recent(database, 10)
    assert newest[0].trace_id == root.trace_id
    assert [found.started_ns for found in newest] == sorted((found.started_ns for found in newest), reverse=True)


def test_ids_are_matched_by_prefix(database: Database) -> None:
    with Recorder(database, LedgerSettings()) as recorder:
        ids = []
        for _ in range(5):
            with recorder.span("assay.search") as root:
                ids.append(root.trace_id)
    with database.write() as connection:
        for digit, trace_id in zip("0129f", ids, strict=True):
            named = f"abcd{digit}{trace_id[5:]}"
            connection.execute(sa.update(table).where(table.c.trace_id == trace_id).values(trace_id=named))
    assert load(database, "abcdf").trace_id == "abcdf" + ids[4][5:]
    with pytest.raises(BadInput) as ambiguous:
        load(database, "abcd")
    assert all(f"abcd{digit}" in ambiguous.value.hint for digit in "0129f")
    with pytest.raises(NotFound):
        load(database, "abce")


def test_a_batch_sent_twice_is_kept_once(database: Database) -> None:
    with Recorder(database, LedgerSettings()) as recorder:
        with recorder.span("assay.ask"), span("retrieve"):
            pass
        recorder.flush()
        columns = [table.c[name] for name in ("trace_id", "span_id", "parent_id", "name", "trace_start_ns")]
        with database.read() as connection:
            before = connection.execute(sa.select(table)).all()
            first = [tuple(row) for row in connection.execute(sa.select(*columns))]
        rest = (1, 2, "ok", None, None, None, None, None, None, None, "{}")
        assert recorder._writer._committed([row + rest for row in first])
    with database.read() as connection:
        assert connection.execute(sa.select(table)).all() == before


def test_pruning_takes_the_oldest_first_in_steps(database: Database) -> None:
    with Recorder(database, LedgerSettings()) as recorder:
        for _ in range(30):
            with recorder.span("assay.ask"), span("retrieve"):
                pass
    ages = [trace.started_ns for trace in recent(database, 30)]
    assert prune(database, before_ns=time.time_ns(), limit=20) == 20
    assert [trace.started_ns for trace in recent(database, 30)] == ages[:20]
    assert prune(database, before_ns=ages[9], limit=100) == 20
    assert prune(database, before_ns=ages[9], limit=100) == 0
    assert [trace.started_ns for trace in recent(database, 30)] == ages[:10]
