"""The database: one SQLAlchemy engine, one migration history, SQLite or PostgreSQL by URL.

The database is the truth; everything else on disk is derived from it. Tables are declared with
`metadata` by the room that owns them; migrations live in `ledger/migrations` and are the only
thing that creates tables. `HEAD` is the revision this code expects: when the database already
has it, opening imports no Alembic.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection, Engine

from assay.errors import BadSetting, Conflict, Corrupt, Refused

HEAD = "0001"

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

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """A connection in a read transaction: one consistent snapshot."""
        with self._translated(), self.engine.connect() as connection, connection.begin():
            yield connection

    @contextmanager
    def write(self) -> Iterator[Connection]:
        """A connection in a write transaction, committed on success and rolled back on an exception."""
        with self._translated(), self.engine.connect() as opened:
            connection = opened.execution_options(assay_write=True)
            with connection.begin():
                yield connection

    def close(self) -> None:
        """Close every connection."""
        self.engine.dispose()

    @contextmanager
    def _translated(self) -> Iterator[None]:
        """The one seam where the database's own exceptions become ours."""
        try:
            yield
        except sa.exc.OperationalError as error:
            text = str(error.orig).lower()
            if "locked" in text or "busy" in text:
                raise Conflict(
                    f"The database {self.url} is locked by another process.",
                    hint="Wait for the other assay process to finish, or stop it.",
                ) from error
            if "full" in text or "no space" in text:
                raise Conflict(
                    f"The disk that holds {self.url} is full.",
                    hint="Free some space and run the command again; what was stored is intact.",
                    code="disk_full",
                ) from error
            if self.is_sqlite:
                raise Corrupt(
                    f"The database {self.url} cannot be used: {error.orig}.",
                    hint="Check the file's permissions; if it is damaged, move it away and ingest again.",
                ) from error
            raise Refused(
                f"PostgreSQL at {self.url} refused: {str(error.orig).strip()}.",
                hint="Check that the server runs and ASSAY_DATABASE_URL is right.",
            ) from error
        except sa.exc.DatabaseError as error:
            if (self.is_sqlite and "not a database" in str(error.orig)) or "malformed" in str(error.orig):
                raise Corrupt(
                    f"The file of {self.url} is not a healthy SQLite database: {error.orig}.",
                    hint="Move it away and ingest again; your documents are untouched.",
                ) from error
            raise


def open_database(url: str) -> Database:
    """The database at `url` (`sqlite:///path` or `postgresql://...`), migrated to `HEAD`.

    Raises BadSetting for a URL that makes no sense, Refused where PostgreSQL cannot be reached,
    Corrupt where the file is damaged or newer than this version of Assay.
    """
    database = Database(_engine(url))
    _migrate(database)
    return database


def sqlite_url(path: Path) -> str:
    """The URL of a SQLite file."""
    return f"sqlite:///{path.resolve().as_posix()}"


def _engine(url: str) -> Engine:
    try:
        parsed = sa.make_url(url)
    except sa.exc.ArgumentError as error:
        raise BadSetting(
            f"ASSAY_DATABASE_URL is not a database URL: {url!r}.",
            hint="Use sqlite:///FILE or postgresql://USER@HOST/NAME.",
        ) from error
    name = parsed.get_backend_name()
    if name == "sqlite":
        return _sqlite(parsed)
    if name == "postgresql":
        try:
            return sa.create_engine(parsed.set(drivername="postgresql+psycopg"), pool_pre_ping=True)
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
        Path(url.database).parent.mkdir(parents=True, exist_ok=True)
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

    @sa.event.listens_for(engine, "begin")
    def begin(connection: Connection) -> None:
        immediate = connection.get_execution_options().get("assay_write", False)
        connection.exec_driver_sql("BEGIN IMMEDIATE" if immediate else "BEGIN")

    return engine


def _migrate(database: Database) -> None:
    if _revision(database) == HEAD:
        return
    from alembic import command
    from alembic.config import Config
    from alembic.util import CommandError

    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    try:
        with database.write() as connection:
            config.attributes["connection"] = connection
            command.upgrade(config, "head")
    except CommandError as error:
        raise Corrupt(
            f"The database {database.url} was made by a newer Assay: {error}.",
            hint="Upgrade Assay, or point ASSAY_HOME at another workspace.",
        ) from error


def _revision(database: Database) -> str | None:
    with database.read() as connection:
        if not sa.inspect(connection).has_table("alembic_version"):
            return None
        return connection.execute(sa.text("select version_num from alembic_version")).scalar()
