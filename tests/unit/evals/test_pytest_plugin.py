"""The fixture `assay_eval`, in a real pytest of its own."""

import importlib.metadata
import json
import subprocess
import sys

import pytest

TEST = """
def answer(question):
    return "thirty days" if "return" in question else "no idea"

def test_answers_are_good_enough(assay_eval):
    result = assay_eval(answer, "cases.jsonl", metrics=["token_f1"])
    assert result["token_f1"].low > 0.5

def test_answers_are_perfect(assay_eval):
    assert assay_eval(answer, "cases.jsonl")["exact_match"].value == 1
"""


def run(folder):
    registered = any(
        entry.value == "assay.evals.pytest_plugin" for entry in importlib.metadata.entry_points(group="pytest11")
    )
    plugin = [] if registered else ["-p", "assay.evals.pytest_plugin"]
    command = [sys.executable, "-m", "pytest", *plugin, "-p", "no:cacheprovider", "-q", "suite"]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=100, check=False)


@pytest.fixture
def folder(tmp_path):
    suite = tmp_path / "suite"
    suite.mkdir()
    cases = [{"id": str(i), "question": f"return {i}?", "answers": ["thirty days"]} for i in range(30)]
    cases.append({"id": "odd", "question": "warranty?", "answers": ["two years"]})
    (suite / "cases.jsonl").write_text("\n".join(map(json.dumps, cases)))
    (suite / "test_bot.py").write_text(TEST)
    return tmp_path


def test_a_limit_on_an_interval_passes_and_fails_as_it_should(folder):
    done = run(folder)
    assert "1 failed, 1 passed" in done.stdout, done.stdout + done.stderr
    assert "test_bot.py::test_answers_are_good_enough" in done.stdout
    assert "token_f1  0.968  [0.8" in done.stdout
    assert "n=31" in done.stdout
    assert list(folder.glob("**/*.db")) == []


def test_the_plugin_loads_nothing_before_it_is_asked():
    program = "import sys, assay.evals.pytest_plugin; print([n for n in sys.modules if n.startswith('assay')])"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert sorted(json.loads(done.stdout.replace("'", '"'))) == ["assay", "assay.evals", "assay.evals.pytest_plugin"]
