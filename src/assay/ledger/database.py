"""The database: one SQLAlchemy engine, one migration history, SQLite or PostgreSQL by URL.

The database is the truth; everything else on disk is derived from it. Tables are declared with
`metadata` by the room that owns them; migrations live in `ledger/migrations` and are the only
thing that creates tables. The revision this code expects is the newest file there: when the
database already has it, opening imports no Alembic. Proved by `tests/unit/ledger/test_database.py`
on both databases: migrations and tables agree, two processes may open a new database at once.
"""

import os
import socket
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import quote

import sqlalchemy as sa
from sqlalchemy.engine import Connection, Engine

from assay.errors import AssayError, BadSetting, Conflict, Corrupt, Refused

_MIGRATIONS = Path(__file__).parent / "migrations"
_MIGRATION_LOCK = 0x61737361  # any constant of ours: PostgreSQL's advisory locks are numbers

metadata = sa.MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s_%(referred_table_name)s",
        "pk": "pk_%(table_name)s",
    }
)


class Database:
    """An open database. Safe to share between threads.

    `read()` and `write()` give a connection inside a transaction; `write()` takes SQLite's write
    lock at once (BEGIN IMMEDIATE), so a read-then-write can never fail half-way on a busy database.
    """

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self.url = engine.url.render_as_string(hide_password=True)

    @property
    def is_sqlite(self) -> bool:
        """True for SQLite, False for PostgreSQL."""
        return self.engine.dialect.name == "sqlite"

    @property
    def read_only(self) -> bool:
        """True where it was opened to be read: any statement that writes raises Conflict."""
        return bool(self.engine.get_execution_options().get("assay_read_only", False))

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """A connection in a read transaction: one consistent snapshot."""
        with self._translated(), self.engine.connect() as opened:
            # SQLite's transactions are snapshots; PostgreSQL's default ones are not.
            connection = opened if self.is_sqlite else opened.execution_options(isolation_level="REPEATABLE READ")
            with connection.begin():
                yield connection

    @contextmanager
    def write(self) -> Iterator[Connection]:
        """A connection in a write transaction, committed on success and rolled back on an exception."""
        with self._translated(), self.engine.connect() as opened:
            connection = opened.execution_options(assay_write=True)
            with connection.begin():
                yield connection

    @contextmanager
    def rebuild(self) -> Iterator[Connection]:
        """A write transaction that may rebuild a table which others refer to; references are checked at its end.

        SQLite changes a table by making a new one in its place, which its foreign keys forbid while they are watched.
        """
        if not self.is_sqlite:
            with self.write() as connection:
                yield connection
            return
        with self._translated(), self.engine.connect() as opened:
            driver: Any = opened.connection.dbapi_connection
            connection = opened.execution_options(assay_write=True)
            driver.execute("PRAGMA foreign_keys=OFF")
            try:
                with connection.begin():
                    yield connection
                    if connection.exec_driver_sql("PRAGMA foreign_key_check").first() is not None:
                        raise Corrupt(f"Rows of {self.url} refer to rows that are not there.")
            finally:
                driver.execute("PRAGMA foreign_keys=ON")

    @contextmanager
    def session(self) -> Iterator[Connection]:
        """A connection outside any transaction, for what belongs to a session, such as advisory locks."""
        with self._translated(), self.engine.connect() as opened:
            yield opened.execution_options(isolation_level="AUTOCOMMIT")

    def close(self) -> None:
        """Close every connection."""
        self.engine.dispose()

    @contextmanager
    def _translated(self) -> Iterator[None]:
        """The one seam where the database's own exceptions become ours."""
        try:
            yield
        except sa.exc.DatabaseError as error:
            ours = self._translation(error)
            if ours is None:
                raise
            raise ours from error

    def _translation(self, error: sa.exc.DatabaseError) -> AssayError | None:
        """Our exception for one of the database's, most specific first; None for a mistake in our own SQL."""
        reason = str(error.orig).strip()
        text = reason.lower()
        if "disk is full" in text or "no space" in text:
            return Conflict(
                f"The disk that holds {self.url} is full.",
                hint="Free some space and run the command again; what was stored is intact.",
                code="disk_full",
            )
        if "disk i/o error" in text:
            # A full disk says so too, where SQLite cannot make the file it shares between processes.
            return Conflict(
                f"The disk failed while reading or writing {self.url}.",
                hint="Check that it has free space and is healthy, and run the command again.",
                code="disk_failed",
            )
        if "not a database" in text or "malformed" in text:
            return Corrupt(
                f"The file of {self.url} is not a healthy SQLite database: {reason}.",
                hint="Move it away and ingest again; your documents are untouched.",
            )
        if not isinstance(error, sa.exc.OperationalError):
            return None
        if not self.is_sqlite:
            return Refused(
                f"PostgreSQL at {self.url} refused: {reason.splitlines()[0]}",
                hint="Check that the server runs and ASSAY_DATABASE_URL is right.",
            )
        if "locked" in text or "busy" in text:
            return Conflict(
                f"The database {self.url} is locked by another process.",
                hint="Wait for the other assay process to finish, or stop it.",
            )
        if "unable to open" in text or "readonly" in text:
            return Conflict(
                f"The database {self.url} cannot be opened for writing: {reason}.",
                hint="Check the permissions of the file and of its folder.",
                code="not_writable",
            )
        return None


def open_database(url: str, *, read_only: bool | None = None) -> Database:
    """The database at `url` (`sqlite:///path` or `postgresql://...`), with every migration applied.

    `read_only`: open a SQLite file to be read; None: where the file or its folder cannot be written.
    Raises BadSetting for a URL that makes no sense, Refused where PostgreSQL cannot be reached,
    Conflict where the file cannot be written, Corrupt where it is damaged or newer than this Assay.
    """
    database = Database(_engine(url, read_only=read_only))
    _migrate(database)
    return database


def sqlite_url(path: Path) -> str:
    """The URL of a SQLite file."""
    return f"sqlite:///{path.resolve().as_posix()}"


def _engine(url: str, *, read_only: bool | None) -> Engine:
    try:
        parsed = sa.make_url(url)
    except sa.exc.ArgumentError as error:
        raise BadSetting(
            f"ASSAY_DATABASE_URL is not a database URL: {url!r}.",
            hint="Use sqlite:///FILE or postgresql://USER@HOST/NAME.",
        ) from error
    name = parsed.get_backend_name()
    if name == "sqlite":
        file = Path(parsed.database or ":memory:")
        if read_only is None:
            read_only = file.is_file() and not (os.access(file, os.W_OK) and os.access(file.parent, os.W_OK))
        return _sqlite_to_read(parsed, file) if read_only else _sqlite(parsed)
    if name == "postgresql":
        try:
            return sa.create_engine(
                parsed.set(drivername="postgresql+psycopg"),
                pool_pre_ping=True,
                # So that whoever finds a lock taken can be told by whom.
                connect_args={"application_name": f"assay process {os.getpid()} on {socket.gethostname()}"[:63]},
            )
        except ModuleNotFoundError as error:
            raise BadSetting(
                "PostgreSQL needs the psycopg driver.", hint="Install it with: pip install 'assay[postgres]'"
            ) from error
    raise BadSetting(
        f"Assay keeps its state in SQLite or PostgreSQL, not in {name}.",
        hint="Use sqlite:///FILE or postgresql://USER@HOST/NAME.",
    )


def _sqlite(url: sa.URL) -> Engine:
    if url.database:
        try:
            Path(url.database).parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise Conflict(
                f"The folder of the database {url.database} cannot be made: {error.strerror}.",
                hint="Check the permissions of the folder above it.",
                code="not_writable",
            ) from error
    engine = sa.create_engine(url, connect_args={"timeout": 30.0, "check_same_thread": False})

    @sa.event.listens_for(engine, "connect")
    def configure(connection: Any, _record: Any) -> None:
        # The driver's own implicit BEGIN would make DDL non-transactional and reads unrepeatable.
        connection.isolation_level = None
        cursor = connection.cursor()
        cursor.execute("PRAGMA journal_mode=WAL")
        cursor.execute("PRAGMA synchronous=NORMAL")
        cursor.execute("PRAGMA foreign_keys=ON")
        cursor.execute("PRAGMA busy_timeout=30000")
        cursor.close()

    sa.event.listen(engine, "begin", _begin)
    return engine


def _sqlite_to_read(url: sa.URL, file: Path) -> Engine:
    def connect() -> sqlite3.Connection:
        log = file.with_name(f"{file.name}-wal")
        has_log = log.is_file() and log.stat().st_size > 0
        # Without a log nobody is writing, and SQLite need not make the files that it shares with writers.
        name = f"file:{quote(str(file.absolute()))}?mode=ro{'' if has_log else '&immutable=1'}"
        return sqlite3.connect(name, uri=True, timeout=30.0, check_same_thread=False, isolation_level=None)

    engine = sa.create_engine(url, creator=connect, execution_options={"assay_read_only": True})
    sa.event.listen(engine, "begin", _begin)
    return engine


def _begin(connection: Connection) -> None:
    immediate = connection.get_execution_options().get("assay_write", False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if immediate else "BEGIN")


def _migrate(database: Database) -> None:
    if _revision(database) == newest_revision():
        return
    from alembic import command
    from alembic.config import Config
    from alembic.util import CommandError

    config = Config()
    config.set_main_option("script_location", str(_MIGRATIONS))
    try:
        with database.rebuild() as connection:
            if not database.is_sqlite:
                connection.execute(sa.select(sa.func.pg_advisory_xact_lock(_MIGRATION_LOCK)))
            config.attributes["connection"] = connection
            command.upgrade(config, "head")
    except CommandError as error:
        raise Corrupt(
            f"The database {database.url} was made by a newer Assay: {error}.",
            hint="Upgrade Assay, or point ASSAY_HOME at another workspace.",
        ) from error


def newest_revision() -> str:
    """The revision this code expects: the number the newest migration's file name starts with."""
    return max(path.name.split("_")[0] for path in (_MIGRATIONS / "versions").glob("[0-9]*_*.py"))


def _revision(database: Database) -> str | None:
    with database.read() as connection:
        if not sa.inspect(connection).has_table("alembic_version"):
            return None
        return connection.execute(sa.text("select version_num from alembic_version")).scalar()
