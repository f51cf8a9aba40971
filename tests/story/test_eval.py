"""A user measures: a set is imported with its documents, evaluated twice, killed, resumed, reported, compared."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

ASSAY = Path(sys.executable).parent / "assay"

PARAGRAPHS = {
    "Bridges": [
        "The stone bridge of Arden was built in 1142 by the mason Hugh Carter. It has seven arches and crosses the "
        "river Ouse. The toll was abolished in 1876.",
        "The iron bridge of Marlow was opened in 1832. It was designed by William Clark and painted green.",
    ],
    "Bread": [
        "Bread is made of flour, water and salt. Sourdough is raised by wild yeast, and rests for eighteen hours.",
        "The baker of Lund sold rye bread for two copper coins. His oven was heated with birch wood.",
    ],
}
QUESTIONS = {
    "Bridges": [
        [("When was the stone bridge of Arden built?", "1142"), ("How many arches has the bridge of Arden?", "seven")],
        [("Who designed the bridge of Marlow?", "William Clark"), ("What colour is the bridge of Marlow?", "green")],
    ],
    "Bread": [
        [("What is bread made of?", "flour, water and salt"), ("How long does sourdough rest?", "eighteen hours")],
        [("What heated the oven in Lund?", "birch wood"), ("What did rye bread cost in Lund?", "two copper coins")],
    ],
}  # fmt: skip

BOT = '''
"""A system of the user's own, which takes its time and says every call in a file."""
import os, time

def answer(question: str) -> dict:
    with open("calls", "a") as file:
        file.write(question + "\\n")
    time.sleep(0.3)
    return {"text": "1142", "cost_usd": 0.001}
'''


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A user's folder with a small set in SQuAD's format, imported."""
    folder = tmp_path_factory.mktemp("measure")
    data = [
        {
            "title": title,
            "paragraphs": [
                {
                    "context": text,
                    "qas": [
                        {"id": f"{title}-{i}-{j}", "question": question,
                         "answers": [{"text": answer, "answer_start": text.index(answer)}]}
                        for j, (question, answer) in enumerate(QUESTIONS[title][i])
                    ],
                }
                for i, text in enumerate(texts)
            ],
        }
        for title, texts in PARAGRAPHS.items()
    ]  # fmt: skip
    (folder / "small.json").write_text(json.dumps({"version": "1.1", "data": data}), encoding="utf-8")
    (folder / "bot.py").write_text(BOT, encoding="utf-8")
    imported = assay(folder, "cases", "import", "squad", "small.json", "--json")
    assert imported["cases"] == 8
    assert imported["ingest"]["documents"] == 4
    return folder


def run(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "NO_COLOR": "1", "ASSAY_HOME": str(folder / ".assay")}
    return subprocess.run(
        [str(ASSAY), *arguments], cwd=folder, env=environment, capture_output=True, text=True, timeout=120, check=False
    )


def assay(folder: Path, *arguments: str) -> Any:
    done = run(folder, *arguments)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_a_second_evaluation_costs_nothing_and_says_the_same(folder: Path) -> None:
    told = assay(folder, "eval", "--plan", "--json")
    assert (told["untimed"], told["timed_by"]) == ([], ["answers measured a moment ago"])
    assert 0 < told["seconds"]["low"] <= told["seconds"]["high"] < 120
    first = assay(folder, "eval", "--json")
    assert first["status"] == "done"
    assert first["paid_calls"] > 0
    assert first["cached_calls"] == 0, "what was asked to time it is nobody's result"
    assert {"value", "low", "high", "n", "failed", "method"} <= first["metrics"]["evidence_recall@5"].keys()
    assert first["metrics"]["evidence_recall@5"]["value"] == 1.0
    assert first["metrics"]["answer_contained"]["n"] == 8
    second = assay(folder, "eval", "--json")
    assert second["run_id"] != first["run_id"]
    assert second["paid_calls"] == 0
    assert second["cached_calls"] > 0
    assert second["metrics"] == first["metrics"]
    report = Path(second["report"]).read_text(encoding="utf-8")
    assert "evidence_recall@5" in report
    assert "stone bridge of Arden" in report


def test_another_setting_is_another_system_and_the_difference_is_shown(folder: Path) -> None:
    before = assay(folder, "eval", "--json")
    after = assay(folder, "eval", "--json", "--set", "answers.decline_below=0")
    found = assay(folder, "runs", "diff", before["run_id"], after["run_id"], "--json")
    assert found["paired"] == 8
    assert "token_f1" in found["metrics"]
    shown = run(folder, "runs").stdout
    assert "answers.decline_below=0" in shown


def test_a_killed_evaluation_goes_on_and_asks_nothing_twice(folder: Path) -> None:
    calls = folder / "calls"
    arguments = ("eval", "--system", "bot:answer", "--concurrency", "1", "--json")
    environment = {**os.environ, "ASSAY_HOME": str(folder / ".assay")}
    started = subprocess.Popen(
        [str(ASSAY), *arguments], cwd=folder, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    deadline = time.monotonic() + 60
    while (not calls.exists() or calls.read_text().count("\n") < 4) and time.monotonic() < deadline:
        time.sleep(0.02)
    started.send_signal(signal.SIGKILL)
    started.wait()
    asked = calls.read_text().splitlines()
    assert 4 <= len(asked) < 8
    resumed = assay(folder, *arguments)
    assert resumed["status"] == "done"
    again = calls.read_text().splitlines()
    # The call that the kill cut off is asked again; nothing that came back is.
    assert len(set(again)) == 8
    assert len(again) <= 9
    assert resumed["cases"] == 8


def test_the_user_is_told_before_and_stopped_by_the_budget(folder: Path) -> None:
    plan = assay(folder, "eval", "--plan", "--json")
    assert plan["cases"] == 8
    refused = run(folder, "eval", "--system", "bot:answer", "--budget-usd", "1")
    assert refused.returncode == 2
    assert "cost" in refused.stderr
    (folder / "priced.toml").write_text(
        '[system]\nkind = "callable"\ntarget = "bot:answer"\nname = "priced"\ncost_usd_per_question = 0.001\n'
        'returns = "answers"\n'
    )
    stopped = run(folder, "eval", "--system", "priced.toml", "--budget-usd", "0.0035", "--json")
    assert stopped.returncode == 3, stopped.stderr
    shape = json.loads(stopped.stdout)
    assert shape["status"] == "budget"
    assert shape["cost_usd"] <= 0.0035
    finished = assay(folder, "eval", "--system", "priced.toml", "--budget-usd", "1", "--json")
    assert finished["run_id"] == shape["run_id"]
    assert finished["status"] == "done"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("eval", "--cases", "nowhere"), "no set of cases nowhere"),
        (("eval", "--system", "bot:answr"), "Did you mean answer?"),
        (("eval", "--metrics", "token_f2"), "Did you mean token_f1?"),
        (("eval", "--system", "http://127.0.0.1:9/v1", "--limit", "2"), "127.0.0.1:9"),
        (("runs", "show", "ffff"), "no run ffff"),
        (("cases", "import", "jsonl", "broken.jsonl"), "broken.jsonl:2"),
        (("judge", "check", "--labels", "nowhere.jsonl"), "nowhere.jsonl"),
    ],
)
def test_mistakes_are_said_in_a_line_with_what_to_do(folder: Path, arguments: tuple[str, ...], said: str) -> None:
    (folder / "broken.jsonl").write_text('{"id": "a", "question": "Why?"}\n{"id": "b"}\n')
    done = run(folder, *arguments)
    assert done.returncode in (1, 2, 3)
    assert said in done.stderr
    assert "hint:" in done.stderr
    assert "Traceback" not in done.stderr


def test_scores_go_to_compare(folder: Path) -> None:
    runs = assay(folder, "runs", "--json")["runs"]
    own = [found["run_id"] for found in runs if found["system"].startswith("assay") and found["status"] == "done"][:2]
    for name, run_id in zip(("a.jsonl", "b.jsonl"), own, strict=True):
        lines = run(folder, "runs", "export", run_id, "--metric", "token_f1")
        (folder / name).write_text(lines.stdout)
    compared = assay(folder, "compare", "a.jsonl", "b.jsonl", "--json")
    assert compared["n"] == 8


def test_another_cut_is_measured_beside_the_one_at_hand(folder: Path) -> None:
    before = assay(folder, "eval", "--limit", "2", "--json")
    cut = assay(folder, "eval", "--set", "documents.size=64", "--limit", "2", "--json")
    assert cut["system"] != before["system"]
    assert cut["paid_calls"] > 0
    (recut,) = (folder / ".assay" / "cuts").iterdir()
    assert (recut / "assay.db").is_file()
    again = assay(folder, "eval", "--limit", "2", "--json")
    assert again["run_id"] == before["run_id"] or again["paid_calls"] == 0  # what was ingested is as it was
    same = run(folder, "eval", "--set", "documents.size=200", "--limit", "2", "--json")
    assert same.returncode == 0, same.stderr
