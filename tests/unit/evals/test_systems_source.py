"""Whether a user's function was edited, found without importing it."""

import sys
from pathlib import Path

import pytest

from assay.evals.systems.callables import CallableSystem
from assay.evals.systems.parse import import_target
from assay.evals.systems.source import is_edited, source_of

BOT = "def answer(question): return question\n"


@pytest.fixture(autouse=True)
def import_path(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "path", list(sys.path))


def spec_of(named: str, folder: Path) -> dict[str, object]:
    system = CallableSystem(import_target(named, folder=folder), name=named)
    return dict(system.spec)


def test_an_edit_is_seen_and_undone(tmp_path: Path) -> None:
    bot = tmp_path / "plain_source_bot.py"
    bot.write_text(BOT)
    spec = spec_of("plain_source_bot:answer", tmp_path)
    assert is_edited("plain_source_bot:answer", spec, folder=tmp_path) is False
    bot.write_text(BOT + "raise SystemExit('it was imported')\n")
    assert is_edited("plain_source_bot:answer", spec, folder=tmp_path) is True
    bot.write_text(BOT)
    assert is_edited("plain_source_bot:answer", spec, folder=tmp_path) is False


def test_it_is_the_file_that_defines_the_function(tmp_path: Path) -> None:
    package = tmp_path / "source_package"
    package.mkdir()
    (package / "__init__.py").write_text("from source_package.inner import answer\n")
    (package / "inner.py").write_text(BOT)
    spec = spec_of("source_package:answer", tmp_path)
    (package / "__init__.py").write_text("from source_package.inner import answer  # as before\n")
    assert is_edited("source_package:answer", spec, folder=tmp_path) is False
    (package / "inner.py").write_text(BOT + "# edited\n")
    assert is_edited("source_package:answer", spec, folder=tmp_path) is True


def test_a_file_beside_its_table_is_found(tmp_path: Path) -> None:
    folder = tmp_path / "bots"
    folder.mkdir()
    (folder / "file_source_bot.py").write_text(BOT)
    spec = spec_of("bots/file_source_bot.py:answer", tmp_path)
    (folder / "file_source_bot.py").write_text(BOT + "# edited\n")
    sys.path.remove(str(folder))
    assert is_edited("bots/file_source_bot.py:answer", spec, folder=tmp_path) is True
    assert is_edited("bots/bot.toml", {**spec, "target": "file_source_bot:answer"}, folder=tmp_path) is True


def test_what_cannot_be_found_is_not_called_edited(tmp_path: Path) -> None:
    assert source_of(len) == {}
    known = {"source": {"module": "no_such_module_here", "sha256": "0" * 64}}
    for system, spec in (("no_such_module_here:answer", known), (None, known), ("a:b", {}), ("http://x", {"url": "x"})):
        assert is_edited(system, spec, folder=tmp_path) is None
