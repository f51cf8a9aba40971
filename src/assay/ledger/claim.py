"""A name that one process at a time may hold for a database, and that says who holds it.

The operating system (SQLite: a file lock beside the file) or the server (PostgreSQL: an advisory lock of a session)
releases it when its holder dies, however it dies: nobody waits for a heartbeat to go stale. A database in memory has
one process anyway and claims nothing.
"""

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from assay.ledger.database import Database
from assay.ledger.lock import held, holder

_WAIT_SECONDS = 0.3  # someone may be looking whether the name is held


@contextmanager
def claimed(database: Database, name: str) -> Iterator[str]:
    """Try to hold `name`; yields an empty string where it is held now, else who holds it."""
    if database.is_sqlite:
        path = _lock_file(database, name)
        if path is None:
            yield ""
            return
        with held(path, wait_seconds=_WAIT_SECONDS) as won:
            yield "" if won else f"process {holder(path) or 'unknown'}"
        return
    number = _number(name)
    with database.session() as connection:
        if not connection.execute(sa.select(sa.func.pg_try_advisory_lock(number))).scalar():
            yield _session_holding(connection, number) or "another process"
            return
        try:
            yield ""
        finally:
            connection.execute(sa.select(sa.func.pg_advisory_unlock(number)))


def is_claimed(database: Database, name: str) -> bool:
    """True where some process holds `name` now."""
    if database.is_sqlite:
        path = _lock_file(database, name)
        if path is None or not path.exists():
            return False
        with held(path) as free:
            return not free
    with database.session() as connection:
        return _session_holding(connection, _number(name)) is not None


def _lock_file(database: Database, name: str) -> Path | None:
    file = database.engine.url.database
    return Path(f"{file}.locks") / f"{name}.lock" if file and file != ":memory:" else None


def _number(name: str) -> int:
    """PostgreSQL's advisory locks are signed numbers of 64 bits."""
    return int.from_bytes(hashlib.sha256(name.encode()).digest()[:8], signed=True)


def _session_holding(connection: Connection, number: int) -> str | None:
    """The application name of the session that holds the lock, which says host and process; None for nobody."""
    unsigned = number % 2**64
    row = connection.execute(
        sa.text(
            "select a.pid, a.application_name from pg_locks l join pg_stat_activity a on a.pid = l.pid where l.granted "
            "and l.locktype = 'advisory' and l.objsubid = 1 and l.classid = :high and l.objid = :low "
            "and l.database = (select oid from pg_database where datname = current_database()) limit 1"
        ),
        {"high": unsigned >> 32, "low": unsigned & 0xFFFFFFFF},
    ).first()
    return None if row is None else row.application_name or f"PostgreSQL session {row.pid}"
