"""A workspace that can only be read: it answers, records nothing and changes nothing."""

import hashlib
import logging
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from assay.app.settings import load_settings
from assay.app.wiring import Workspace, open_workspace
from assay.errors import Conflict
from assay.ledger.database import open_database, sqlite_url
from assay.ledger.recorder import Recorder

QUESTION = "When does the ferry to Halden leave?"


def files(folder: Path) -> dict[str, str]:
    return {str(path): hashlib.sha256(path.read_bytes()).hexdigest() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize("index", ["as ingested", "missing"])
async def test_it_answers_records_nothing_and_changes_nothing(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, index: str
) -> None:
    home, source = tmp_path / ".assay", tmp_path / "ferry.md"
    source.write_text("The ferry to Halden leaves at seven in the morning.\n")
    in_force = load_settings(folder=tmp_path, environ={})
    async with open_workspace(in_force, home=home) as workspace:
        await workspace.ingest([source])
        if index == "as ingested":
            await workspace.ask(QUESTION)
    before = files(home)
    database = open_database(sqlite_url(home / "assay.db"), read_only=True)
    with caplog.at_level(logging.WARNING), Recorder(database, in_force.settings.ledger) as recorder:
        workspace = Workspace(home, in_force, database, recorder)
        outcome = await workspace.ask(QUESTION)
        hits = await workspace.search(QUESTION)
        with pytest.raises(Conflict, match="can only be read"):
            await workspace.ingest([source], groups=["changed"])
        await workspace.aclose()
    database.close()
    assert "seven" in outcome.text
    assert hits[0].source == "ferry.md"
    assert outcome.trace_id == ""
    assert [record.getMessage() for record in caplog.records if "not recorded" in record.getMessage()] == [
        f"{database.url} can only be read: requests are not recorded."
    ]
    assert files(home) == before
    assert not list(Path(tempfile.gettempdir()).glob("assay-index-*"))


@pytest.fixture
def unprivileged() -> Iterator[Path]:
    """A folder anyone may enter; whoever runs the tests is no longer root in it."""
    folder = Path(tempfile.mkdtemp(prefix="assay-read-only-"))
    folder.chmod(0o755)
    was_root = os.geteuid() == 0
    yield folder
    if was_root:
        os.setresuid(0, 0, 0)
    folder.chmod(0o755)
    for path in sorted(folder.rglob("*"), reverse=True):
        path.unlink()
    folder.rmdir()


@pytest.mark.parametrize("writing", [False, True], ids=["nobody has it open", "another process writes"])
def test_what_cannot_be_written_is_opened_to_be_read(unprivileged: Path, writing: bool) -> None:
    url = sqlite_url(unprivileged / "assay.db")
    owner = open_database(url)
    assert not owner.read_only
    with owner.write() as connection:
        connection.exec_driver_sql("create table noted (what text)")
    if not writing:
        owner.close()
    for path in unprivileged.iterdir():
        path.chmod(0o444)
    unprivileged.chmod(0o555)
    if os.geteuid() == 0:
        os.setresuid(65534, 65534, 0)
    database = open_database(url)
    assert database.read_only
    with database.read() as connection:
        assert connection.exec_driver_sql("select count(*) from noted").scalar() == 0
    with pytest.raises(Conflict) as caught, database.write() as connection:
        connection.exec_driver_sql("insert into noted values ('more')")
    assert caught.value.slug == "not_writable"
    database.close()
    owner.close()
