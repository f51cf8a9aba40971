"""The database opens on both kinds, its migrations say what the tables say, and its failures are ours."""

import importlib
import pkgutil
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest
import sqlalchemy as sa
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory

import assay.ledger.database as module
from assay.errors import BadSetting, Conflict, Corrupt, Refused
from assay.ledger.database import Database, metadata, newest_revision, open_database, sqlite_url
from index_processes import start


def _import_every_table() -> None:
    import assay

    for room in ("ledger", "index", "gateway", "evals", "decisions"):
        for found in pkgutil.iter_modules([str(Path(assay.__path__[0]) / room)], f"assay.{room}."):
            importlib.import_module(found.name)


def test_migrations_make_exactly_the_tables_the_code_declares(database: Database) -> None:
    _import_every_table()
    with database.read() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True, "compare_server_default": True})
        assert compare_metadata(context, metadata) == []


def test_migrations_can_be_undone(database: Database) -> None:
    config = Config()
    config.set_main_option("script_location", str(Path(module.__file__).parent / "migrations"))
    with database.write() as connection:
        config.attributes["connection"] = connection
        command.downgrade(config, "base")
        assert set(sa.inspect(connection).get_table_names()) == {"alembic_version"}


def test_a_database_with_runs_of_an_older_assay_keeps_them(database: Database) -> None:
    config = Config()
    config.set_main_option("script_location", str(Path(module.__file__).parent / "migrations"))

    def to(revision: str) -> None:
        with database.rebuild() as connection:
            config.attributes["connection"] = connection
            (command.downgrade if revision < "0006" else command.upgrade)(config, revision)

    to("0005")
    with database.write() as connection:
        connection.exec_driver_sql(
            "insert into run (id, created_ns, status, system, set_digest, spec_digest, spec) "
            "values ('r', 1, 'done', 's', 'd', 'e', '{}')"
        )
        connection.exec_driver_sql(
            "insert into result (run_id, ordinal, replica, case_id, error, scores, latency_ms, retry, judge_calls, "
            "judge_paid_calls, judge_ms) values ('r', 0, 0, 'c', '', '{}', 1, false, 0, 0, 0)"
        )
    to("0006")
    with database.write() as connection:
        assert connection.exec_driver_sql("select case_id from result").scalars().all() == ["c"]
        connection.exec_driver_sql("update run set status = 'stopped'")
        with pytest.raises(sa.exc.IntegrityError), connection.begin_nested():
            connection.exec_driver_sql(
                "insert into result select 'nobody', 1, 0, 'c', '', null, '{}', 0, 1, false, 0, 0, 0, 0"
            )


def test_the_newest_file_is_the_head_of_one_history() -> None:
    scripts = ScriptDirectory(str(Path(module.__file__).parent / "migrations"))
    assert scripts.get_heads() == [newest_revision()]


def test_opening_again_imports_no_alembic(tmp_path: Path) -> None:
    url = sqlite_url(tmp_path / "assay.db")
    open_database(url).close()
    code = (
        "import sys; from assay.ledger.database import open_database; "
        f"open_database({url!r}); sys.exit('alembic' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_a_failed_write_leaves_nothing(database: Database) -> None:
    def fail_half_way() -> None:
        with database.write() as connection:
            connection.execute(sa.text("update index_state set generation = 7"))
            raise RuntimeError("half-way")

    with pytest.raises(RuntimeError, match="half-way"):
        fail_half_way()
    with database.read() as connection:
        assert connection.execute(sa.text("select generation from index_state")).scalar() == 0


def test_a_read_sees_one_moment(database: Database) -> None:
    query = sa.text("select generation from index_state")
    with database.read() as reader:
        before = reader.execute(query).scalar()
        with database.write() as writer:
            writer.execute(sa.text("update index_state set generation = 7"))
        assert reader.execute(query).scalar() == before
    with database.read() as reader:
        assert reader.execute(query).scalar() == 7


def test_processes_may_open_a_new_database_at_once(database_url: str) -> None:
    processes = [start("open", database_url) for _ in range(3)]
    assert [process.wait(60) for process in processes] == [0, 0, 0]


@pytest.mark.parametrize("url", ["not a url", "mysql://localhost/x", ""])
def test_a_url_that_makes_no_sense_is_a_bad_setting(url: str) -> None:
    with pytest.raises(BadSetting) as caught:
        open_database(url)
    assert "sqlite:///" in caught.value.hint


def test_a_server_that_is_not_there_is_refused_without_its_password() -> None:
    with pytest.raises(Refused) as caught:
        open_database("postgresql://assay:secret@127.0.0.1:1/assay")
    assert "secret" not in str(caught.value)
    assert "ASSAY_DATABASE_URL" in caught.value.hint


def test_a_file_that_is_no_database_is_corrupt(tmp_path: Path) -> None:
    (tmp_path / "assay.db").write_bytes(b"not a database at all" * 500)
    with pytest.raises(Corrupt, match="not a healthy SQLite database"):
        open_database(sqlite_url(tmp_path / "assay.db"))


def test_a_disk_that_fails_is_no_reason_to_throw_the_database_away(tmp_path: Path) -> None:
    database = open_database(sqlite_url(tmp_path / "assay.db"))
    with pytest.raises(Conflict, match="disk failed") as caught, database.read():
        raise sa.exc.OperationalError("select", {}, sqlite3.OperationalError("disk I/O error"))
    assert "Move it away" not in caught.value.hint


def test_a_damaged_database_is_corrupt(tmp_path: Path) -> None:
    path = tmp_path / "assay.db"
    database = open_database(sqlite_url(path))
    with database.write() as connection:
        connection.execute(sa.text("create table filler (x text)"))
        connection.execute(sa.text("insert into filler values (:x)"), [{"x": "x" * 1000}] * 500)
    with database.engine.connect() as connection:
        connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")
    database.close()
    content = bytearray(path.read_bytes())
    content[len(content) // 2 :] = b"\xff" * (len(content) - len(content) // 2)
    path.write_bytes(content)
    damaged = open_database(sqlite_url(path))
    with pytest.raises(Corrupt), damaged.read() as connection:
        connection.execute(sa.text("select sum(length(x)) from filler")).all()


def test_a_database_of_a_newer_version_says_so(database_url: str) -> None:
    database = open_database(database_url)
    with database.write() as connection:
        connection.execute(sa.text("update alembic_version set version_num = '9999'"))
    database.close()
    with pytest.raises(Corrupt, match="newer Assay"):
        open_database(database_url)


def test_a_locked_database_is_a_conflict(tmp_path: Path) -> None:
    path = tmp_path / "assay.db"
    database = open_database(sqlite_url(path))
    other = sqlite3.connect(path)
    other.execute("begin immediate")
    with database.engine.connect() as connection:
        connection.exec_driver_sql("PRAGMA busy_timeout=10")
        connection.rollback()
    with pytest.raises(Conflict, match="locked"), database.write():
        pass
    other.close()


def test_a_folder_that_cannot_be_made_is_a_conflict(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(Conflict) as caught:
        open_database(sqlite_url(tmp_path / "file" / "below" / "assay.db"))
    assert caught.value.slug == "not_writable"


def test_a_full_disk_is_a_conflict_and_what_was_stored_is_intact(tmp_path: Path) -> None:
    database = open_database(sqlite_url(tmp_path / "assay.db"))
    insert = sa.text("insert into filler values (:x)")
    with database.write() as connection:
        connection.execute(sa.text("create table filler (x text)"))
        connection.execute(insert, {"x": "kept"})
        pages = connection.exec_driver_sql("PRAGMA page_count").scalar()
    with database.session() as connection:
        connection.exec_driver_sql(f"PRAGMA max_page_count={pages}")
    with pytest.raises(Conflict) as caught, database.write() as connection:
        connection.execute(insert, [{"x": "x" * 1000}] * 100)
    assert caught.value.slug == "disk_full"
    with database.read() as connection:
        assert connection.execute(sa.text("select x from filler")).scalars().all() == ["kept"]
