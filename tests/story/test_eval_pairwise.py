"""A user asks whether the new answers are better than those of an earlier run, with the judge that comes along."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ASSAY = Path(sys.executable).parent / "assay"

BOTS = '''
"""Two versions of a system: they say the same, say it otherwise, and fail."""

SAYS = {"built": "The bridge was built in 1142.", "colour": "Green.", "toll": "In 1876."}

def old(question: str) -> dict:
    return {"text": SAYS[question.split()[0]], "cost_usd": 0}

def new(question: str) -> dict:
    if question.startswith("toll"):
        raise RuntimeError("no")
    return {"text": "It is red." if question.startswith("colour") else SAYS["built"], "cost_usd": 0}
'''
CASES = [{"id": name, "question": f"{name} when, and how?"} for name in ("built", "colour", "toll", "late")]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "bots.py").write_text(BOTS, encoding="utf-8")
    for name, cases in (("old", CASES[:3]), ("all", CASES)):
        (tmp_path / f"{name}.jsonl").write_text("\n".join(map(json.dumps, cases)), encoding="utf-8")
    return tmp_path


def assay(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "NO_COLOR": "1", "ASSAY_HOME": str(folder / ".assay"), "ASSAY_MODELS_THREADS": "1"}
    return subprocess.run(
        [str(ASSAY), *arguments], cwd=folder, env=environment, capture_output=True, text=True, timeout=120, check=False
    )


def test_the_new_answers_are_judged_against_an_earlier_run(folder: Path) -> None:
    before = json.loads(assay(folder, "eval", "--system", "bots:old", "--cases", "old.jsonl", "--json").stdout)
    judged = ("eval", "--system", "bots:new", "--cases", "all.jsonl", "--metrics", "token_f1,pairwise")
    nobody = assay(folder, *judged)
    assert nobody.returncode != 0
    assert "--against" in nobody.stderr

    name = before["run_id"][:8]
    done = assay(folder, *judged, "--against", name, "--json")
    assert done.returncode == 0, done.stderr
    assert f"pairwise is against run {name} of bots:old: 3 of 4 cases are there" in done.stderr
    shape = json.loads(done.stdout)
    metric = shape["metrics"]["pairwise"]
    # The same answer ties, the failure loses; what the judge makes of the third is its own affair.
    assert metric["n"] == 3
    assert metric["errors"] == 1
    assert any(metric["worst"] == pytest.approx((0.5 + 0 + third) / 3) for third in (0, 0.5, 1))
    note = next(note for note in shape["notes"] if note.startswith("pairwise"))
    assert "does not apply to 1 of 4 cases" in note
    assert note in Path(shape["report"]).read_text(encoding="utf-8")

    again = json.loads(assay(folder, *judged, "--against", name, "--json").stdout)
    assert again["metrics"] == shape["metrics"]
    assert again["paid_calls"] < shape["paid_calls"]


def test_a_run_named_for_a_metric_that_is_not_asked_for_is_a_mistake(folder: Path) -> None:
    done = assay(folder, "eval", "--system", "bots:old", "--cases", "old.jsonl", "--against", "abc")
    assert done.returncode != 0
    assert "--metrics auto,pairwise" in done.stderr
