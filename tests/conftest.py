"""Fixtures every room's tests may use: a database of each kind.

PostgreSQL is Debian's own server, started once per session on a socket in a temporary folder. Where it is
not installed the tests on it are skipped, saying so; `ASSAY_TEST_POSTGRES_URL` names a server to use instead.
"""

import os
import secrets
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa
from hypothesis import settings

from assay.ledger.database import Database, open_database, sqlite_url

# A busy machine is no failure: no test of ours is timed.
settings.register_profile("assay", deadline=None)
settings.load_profile("assay")


@pytest.fixture(scope="session")
def data_folder() -> Path:
    """The public data sets, read-only; skips where they are absent."""
    folder = Path(os.environ.get("ASSAY_DATA") or Path(__file__).parents[1] / ".." / "shared" / "data").resolve()
    if not folder.is_dir():
        pytest.skip(f"no public data at {folder}; set ASSAY_DATA")
    return folder


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[str]:
    """The URL of a PostgreSQL server that tests may do anything to."""
    given = os.environ.get("ASSAY_TEST_POSTGRES_URL")
    if given:
        yield given
        return
    programs = sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda path: int(path.parent.name))
    if not programs:
        pytest.skip("PostgreSQL is not installed (apt-get install postgresql), and ASSAY_TEST_POSTGRES_URL is not set")
    # The server refuses to run as root, and a socket's path must be short.
    folder = Path(tempfile.mkdtemp(prefix="assay-pg-"))
    as_user = ["runuser", "-u", "postgres", "--"] if os.geteuid() == 0 else []
    if as_user:
        shutil.chown(folder, "postgres", "postgres")

    def run(*command: str) -> None:
        subprocess.run([*as_user, *command], check=True, capture_output=True, cwd=folder)

    control = str(programs[-1] / "pg_ctl")
    cluster = str(folder / "data")
    options = f"-c listen_addresses='' -k {folder} -c fsync=off -c max_connections=50"
    try:
        run(str(programs[-1] / "initdb"), "-D", cluster, "-U", "assay", "-A", "trust", "-E", "UTF8", "--no-sync")
        run(control, "-D", cluster, "-o", options, "-l", str(folder / "log"), "-w", "start")
        yield f"postgresql://assay@/postgres?host={folder}"
    finally:
        subprocess.run([*as_user, control, "-D", cluster, "-m", "immediate", "stop"], check=False, capture_output=True)
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def postgres_url(postgres_server: str) -> Iterator[str]:
    """The URL of a new, empty PostgreSQL database."""
    name = f"assay_{secrets.token_hex(6)}"
    url = sa.make_url(postgres_server)
    engine = sa.create_engine(url.set(drivername="postgresql+psycopg"), isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.execute(
            sa.text(f"create database {name} template template0 lc_collate 'C.UTF-8' lc_ctype 'C.UTF-8'")
        )
    yield url.set(database=name).render_as_string(hide_password=False)
    with engine.connect() as connection:
        connection.execute(sa.text(f"drop database {name} with (force)"))
    engine.dispose()


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The URL of a new, empty database, once of each kind."""
    if request.param == "postgres":
        url: str = request.getfixturevalue("postgres_url")
        return url
    return sqlite_url(tmp_path / "assay.db")


@pytest.fixture
def database(database_url: str) -> Iterator[Database]:
    """A new database with every table, once of each kind."""
    opened = open_database(database_url)
    yield opened
    opened.close()


@pytest.fixture
def sqlite_database(tmp_path: Path) -> Iterator[Database]:
    """A new SQLite database with every table, for tests where the kind does not matter."""
    opened = open_database(sqlite_url(tmp_path / "assay.db"))
    yield opened
    opened.close()
