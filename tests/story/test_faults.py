"""Interrupted with Ctrl-C, the command line says so in one line, keeps what is done and leaves with the right code."""

import json
import os
import random
import signal
import sqlite3
import subprocess
import sys
import time
from contextlib import closing, suppress
from pathlib import Path

import pytest

WORDS = ["alpha", "beta", "gamma", "delta", "epsilon", "zeta", "eta", "theta", "iota", "kappa", "lambda", "mu"]

# A shell that runs tests in the background ignores Ctrl-C, and its children inherit that.
_RUN = """import signal
signal.signal(signal.SIGINT, signal.default_int_handler)
from assay.app.cli.main import main
main()"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    chance = random.Random(7)
    docs = tmp_path / "docs"
    docs.mkdir()
    for number in range(120):
        text = " ".join(chance.choice(WORDS) for _ in range(300))
        (docs / f"{number}.md").write_text(f"# Chapter {number}\n\n{text}\n", encoding="utf-8")
    return docs


def started(folder: Path, *arguments: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", _RUN, *arguments],
        cwd=folder.parent,
        env={**os.environ, "NO_COLOR": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def vectors_kept(folder: Path) -> int:
    with suppress(sqlite3.OperationalError), closing(sqlite3.connect(folder.parent / ".assay" / "assay.db")) as db:
        return int(db.execute("select count(*) from vector").fetchone()[0])
    return 0


def test_an_interrupted_ingest_says_how_to_go_on_and_the_next_does(folder: Path) -> None:
    process = started(folder, "ingest", "docs", "--json")
    deadline = time.monotonic() + 60
    while not vectors_kept(folder) and process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.02)
    process.send_signal(signal.SIGINT)
    out, said = process.communicate(timeout=30)
    if process.returncode == 0:
        pytest.skip("this machine ingested everything before it could be interrupted")
    assert process.returncode == 130, said
    assert json.loads(out)["error"]["code"] == "interrupted"
    assert said.splitlines() == [
        "error: Interrupted; what was stored is kept.",
        "hint: Run the same command again to go on.",
    ]
    kept = vectors_kept(folder)
    assert kept > 0
    out, _ = started(folder, "ingest", "docs", "--json").communicate(timeout=120)
    report = json.loads(out)
    assert report["documents"] == 120
    assert report["embedded"] == report["passages"] - kept


@pytest.mark.parametrize("seconds", [0.8, 1.4])
def test_a_server_interrupted_while_it_starts_stops_without_a_traceback(folder: Path, seconds: float) -> None:
    process = started(folder, "up", "docs", "--port", "0")
    time.sleep(seconds)
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=30)
    assert process.returncode in (0, 130), said
    assert "Traceback" not in said
    assert said.splitlines()[-1] in ("Stopped.", "Interrupted.")
