"""0 only where shown not worse, 1 only where shown worse than the margin, 2 for everything else."""

import json
import random
import subprocess
import sys
import xml.etree.ElementTree as ElementTree
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from assay.app.cli.main import main
from assay.decisions.gate import Called, Passing, gate
from assay.decisions.gate_report import junit, markdown
from assay.decisions.hypothesis import Margins
from assay.decisions.results import Scored
from assay.errors import BadInput
from assay.stats.verdict import Verdict


def sides(n: int, wins: int, losses: int, *, right: int = 0) -> tuple[list[Scored], list[Scored]]:
    outcomes = [(0.0, 1.0)] * wins + [(1.0, 0.0)] * losses + [(1.0, 1.0)] * right
    outcomes += [(0.0, 0.0)] * (n - len(outcomes))
    random.Random(0).shuffle(outcomes)
    first, second = zip(*outcomes, strict=True)
    return (
        [Scored(f"q{i}", score) for i, score in enumerate(first)],
        [Scored(f"q{i}", score) for i, score in enumerate(second)],
    )


@pytest.mark.parametrize(
    ("wins", "losses", "verdict", "passing"),
    [
        (60, 10, Verdict.PROMOTE, Passing.PASSED),
        (4, 4, Verdict.NOT_WORSE, Passing.PASSED),
        (5, 60, Verdict.WORSE, Passing.WORSE),
        (80, 80, Verdict.UNDECIDED, Passing.NOT_SHOWN),
    ],
)
def test_each_exit_code_has_its_evidence(wins: int, losses: int, verdict: Verdict, passing: Passing) -> None:
    margins = Margins(margin=0.03, smallest=0.04)
    found = gate(*sides(400, wins, losses, right=200), margins=margins)
    assert (found.verdict, found.passing) == (verdict, passing)
    difference = found.comparison.difference
    assert (passing is Passing.WORSE) == (difference.high < -0.03)
    assert (passing is Passing.PASSED) == (difference.low > -0.03)


def test_no_evidence_never_passes() -> None:
    for n in (1, 2, 5, 20):
        assert gate(*sides(n, 0, 0, right=n), margins=Margins()).passing is Passing.NOT_SHOWN


def test_shown_worse_but_within_the_margin_passes() -> None:
    found = gate(*sides(4000, 0, 40, right=3000), margins=Margins(margin=0.05))
    assert found.comparison.difference.high < 0
    assert found.passing is Passing.PASSED


def test_scores_off_the_scale_have_no_margin() -> None:
    first = [Scored(f"q{i}", 3.0 + i) for i in range(10)]
    with pytest.raises(BadInput, match="between 0 and 1"):
        gate(first, first, margins=Margins())


def test_a_stated_latency_margin_has_to_hold_too() -> None:
    first, second = sides(400, 4, 4, right=300)
    slow = [row._replace(latency_ms=300.0 + i % 7) for i, row in enumerate(second)]
    fast = [row._replace(latency_ms=100.0 + i % 7) for i, row in enumerate(first)]
    assert gate(fast, slow, margins=Margins(margin=0.03)).passing is Passing.PASSED
    held = gate(fast, slow, margins=Margins(margin=0.03, latency_ratio=1.5))
    assert held.passing is Passing.NOT_SHOWN
    assert "p95 latency" in held.sentence()


def test_names_of_others_are_text_in_the_reports() -> None:
    called = Called("<img src=x>|a`b", "c\x1b[31m\nd", "m")
    found = gate(*sides(400, 5, 60, right=200), margins=Margins(), called=called)
    text = markdown(found)
    assert "<img" not in text.replace("\\<img", "")
    assert "\x1b" not in text
    suite = ElementTree.fromstring(junit(found))
    assert suite.get("failures") == "1"
    case = suite.find("testcase")
    assert case is not None
    assert case.find("failure") is not None


@pytest.mark.parametrize(("wins", "losses", "code"), [(60, 10, 0), (5, 60, 1), (80, 80, 2)])
def test_the_command_exits_with_it(tmp_path: Path, wins: int, losses: int, code: int) -> None:
    for name, rows in zip("ab", sides(400, wins, losses, right=200), strict=True):
        lines = [json.dumps({"case": row.case, "score": row.score}) for row in rows]
        (tmp_path / f"{name}.jsonl").write_text("\n".join(lines))
    command = ["gate", "--baseline", "a.jsonl", "--candidate", "b.jsonl", "--margin", "0.03", "--json"]
    command += ["--markdown", "comment.md", "--junit", "junit.xml"]
    done = subprocess.run(
        [sys.executable, "-m", "assay.app.cli.main", *command],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == code, done.stderr
    shape = json.loads(done.stdout)
    assert shape["exit_code"] == code
    assert {"verdict", "difference", "wins", "losses", "ties", "n", "clusters", "alpha", "margin", "needed"} <= set(
        shape
    )
    assert {"value", "low", "high", "raw", "method"} <= set(shape["difference"])
    assert (tmp_path / "comment.md").read_text().startswith("### ")
    assert not (tmp_path / ".assay").exists()


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        (["--margin", "2"], "--margin"),
        (["--bogus"], "--bogus"),
        (["--candidate", "nowhere.jsonl"], "nowhere.jsonl"),
        (["--markdown", "no/where/x.md"], "cannot be written"),
        (["--metric", "exact_mach"], "a.jsonl has no metric exact_mach"),
        (["--cases", "nowhere.jsonl"], "--cases would change nothing"),
        (["--system", "bot:answer"], "both name the candidate"),
    ],
)
def test_what_cannot_be_decided_exits_above_the_verdicts(
    tmp_path: Path, assay: Any, wrong: list[str], said: str
) -> None:
    (tmp_path / "a.jsonl").write_text('{"case": "1", "score": 1, "metric": "exact_match"}\n')
    code, _, told = assay("gate", "--baseline", "a.jsonl", "--candidate", "a.jsonl", *wrong)
    assert code >= 64
    assert said in told


def test_the_metric_chooses_the_lines_of_a_file(tmp_path: Path, assay: Any) -> None:
    lines = [
        {"case": f"q{i}", "score": score, "metric": metric}
        for i in range(200)
        for metric, score in (("right", 1.0), ("wrong", float(i % 2)))
    ]
    (tmp_path / "a.jsonl").write_text("\n".join(map(json.dumps, lines)))
    _, said, _ = assay("gate", "--baseline", "a.jsonl", "--candidate", "a.jsonl", "--metric", "wrong", "--json")
    shape = json.loads(said)
    assert (shape["n"], shape["incumbent_mean"], shape["metric"]) == (200, 0.5, "wrong")


def test_a_baseline_that_is_nowhere_is_said_before_cases_are_missed(assay: Any) -> None:
    for named, said in (("live", "Nothing was released yet"), ("abc123", "abc123 is neither a file, nor a run")):
        code, _, told = assay("gate", "--baseline", named)
        assert code == 64
        assert said in told


def test_a_system_that_fails_shows_nothing_and_its_reports_say_so(tmp_path: Path, assay: Any) -> None:
    (tmp_path / "dead_gate_bot.py").write_text("def answer(question): raise RuntimeError('out of order')\n")
    case = {"question": "What is 1?", "answers": ["1"]}
    (tmp_path / "cases.jsonl").write_text("\n".join(json.dumps({"id": f"q{i}", **case}) for i in range(5)))
    (tmp_path / "a.jsonl").write_text('{"case": "q1", "score": 1}\n')
    command = ["gate", "--baseline", "a.jsonl", "--cases", "cases.jsonl", "--system", "dead_gate_bot:answer", "--json"]
    code, out, told = assay(*command, "--markdown", "comment.md", "--junit", "junit.xml")
    assert code == 2
    assert (json.loads(out)["exit_code"], "out of order" in told) == (2, True)
    assert "out of order" in (tmp_path / "comment.md").read_text()
    suite = ElementTree.fromstring((tmp_path / "junit.xml").read_text())
    assert (suite.get("errors"), suite.get("failures")) == ("1", "0")
    assert suite.find("testcase/error") is not None


@pytest.fixture
def assay(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Callable[..., tuple[int, str, str]]:
    """Runs a command in this process: (exit code, stdout, stderr)."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("ASSAY_HOME", raising=False)
    monkeypatch.delenv("ASSAY_DATABASE_URL", raising=False)
    monkeypatch.setattr(sys, "path", list(sys.path))

    def run(*arguments: str) -> tuple[int, str, str]:
        with pytest.raises(SystemExit) as ended:
            main(list(arguments))
        done = capsys.readouterr()
        assert "Traceback" not in done.err
        return int(ended.value.code or 0), done.out, done.err

    return run
