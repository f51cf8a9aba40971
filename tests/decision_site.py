"""A workspace in which changes were tried: promoted, refused, released without evidence; by the command itself."""

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from assay.app.report.archive import Archive
from assay.app.report.decision_archive import DecisionArchive
from assay.app.wiring import open_workspace_database
from assay.decisions.register import Decision

CASES = 240
HOSTILE = "<img src=x onerror=document.title='owned'>"
BOTS = """
import hashlib, os, time

def _draw(question, salt):
    return int(hashlib.sha256(f"{salt}/{question}".encode()).hexdigest()[:8], 16) / 2**32

def _answer(question, right):
    time.sleep(float(os.environ.get("BOT_SECONDS", "0")))
    number = question.split()[2].rstrip("?")
    return number if right else "\\x1b[31mno idea\\x1b[0m <script>document.title='owned'</script>"

def base(question): return _answer(question, _draw(question, "base") < 0.5)
def better(question): return _answer(question, _draw(question, "base") < 0.5 or _draw(question, "more") < 0.6)
def worse(question): return _answer(question, _draw(question, "base") < 0.5 and _draw(question, "less") < 0.4)
def equal(question):
    flips = _draw(question, "flip") < 0.08
    return _answer(question, (_draw(question, "base") < 0.5) != (flips and _draw(question, "way") < 0.5))
"""


@dataclass
class Decided:
    """The folder of a workspace with decisions, and what reads them."""

    home: Path
    archive: Archive
    url: str = ""

    @property
    def found(self) -> DecisionArchive:
        """Its decisions."""
        return DecisionArchive(self.archive)

    def decision(self, candidate: str) -> Decision:
        """The newest decision on one of the bots."""
        return next(one for one in self.found.newest(limit=99) if one.hypothesis.candidate.name == f"bots:{candidate}")

    def confirm_questions(self, candidate: str) -> list[str]:
        """The questions it was decided on."""
        cases = self.archive.cases.load(self.decision(candidate).hypothesis.set_digest)
        return [case.question for case in cases]


def workspace(home: Path) -> Path:
    """A folder with bots and cases, before anything was tried."""
    (home / "bots.py").write_text(BOTS)
    lines = [
        {"id": f"q{i}", "question": f"What is {i}? {HOSTILE if i % 40 == 0 else ''}".strip(), "answers": [str(i)]}
        for i in range(CASES)
    ]
    (home / "cases.jsonl").write_text("\n".join(map(json.dumps, lines)) + "\n")
    return home


def opened(home: Path) -> Decided:
    """What reads the decisions of a folder."""
    return Decided(home, Archive(open_workspace_database(home / ".assay")))


def command(candidate: str, *more: str) -> list[str]:
    """`assay try` on one of the bots."""
    tried = ["try", "--system", f"bots:{candidate}", "--against", "bots:base", "--cases", "cases.jsonl"]
    return [sys.executable, "-m", "assay.app.cli.main", *tried, "--metric", "exact_match", *more]


def assay(home: Path, *arguments: str) -> str:
    """What a command of Assay prints."""
    return _run(home, [sys.executable, "-m", "assay.app.cli.main", *arguments])


def try_(home: Path, candidate: str, *more: str) -> str:
    """Try one of the bots to its end."""
    return _run(home, command(candidate, *more))


def start(home: Path, candidate: str, *more: str, **environ: str) -> "subprocess.Popen[bytes]":
    """Begin to try one of the bots."""
    quiet: dict[str, Any] = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    return subprocess.Popen(command(candidate, *more), cwd=home, env=os.environ | environ, **quiet)


def _run(home: Path, arguments: list[str]) -> str:
    done = subprocess.run(arguments, cwd=home, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout
