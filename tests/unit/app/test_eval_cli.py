"""What `assay eval`, `runs` and `cases` say to a user: failures count in every score, nothing is left out unsaid."""

import json
import os
import subprocess
import sys

import pytest

from assay.app.cli.eval import standing_of
from assay.errors import BadInput, Garbled, Upstream
from assay.evals.progress import Progress
from assay.evals.systems.callables import CallableSystem
from assay.evals.systems.probe import settled

BOT = """
def half(question):
    if int(question.split()[-1]) % 2:
        raise ValueError("no idea")
    return "1142"

def late(question) -> dict:
    if question.endswith(" 0"):
        raise ValueError("not this one")
    return {"text": "1142"}
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("evalcli")
    (folder / "bot.py").write_text(BOT)
    cases = [{"id": f"q{i}", "question": f"Number {i}", "answers": ["1142"], "cluster": "a.md"} for i in range(8)]
    (folder / "q.jsonl").write_text("\n".join(map(json.dumps, cases)))
    (folder / "q.csv").write_text("question,ref,comment\nWho?,me,x\n")
    return folder


def run(folder, *arguments):
    return subprocess.run(
        [sys.executable, "-m", "assay.app.cli.main", *arguments],
        cwd=folder,
        env={**os.environ, "NO_COLOR": "1", "COLUMNS": "60", "ASSAY_HOME": str(folder / ".assay")},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )


def test_the_list_of_runs_counts_failures_and_shows_what_was_asked_for(folder):
    done = run(folder, "eval", "--cases", "q.jsonl", "--system", "bot:half", "--metrics", "token_f1", "--json")
    board = json.loads(done.stdout)
    assert list(board["metrics"]) == ["token_f1"]
    assert board["metrics"]["token_f1"]["value"] == 0.5
    assert "All 8 cases are of one cluster (a.md)" in done.stderr
    (listed,) = json.loads(run(folder, "runs", "--json").stdout)["runs"]
    assert listed["means"]["token_f1"] == 0.5
    assert "token_f1 0.500" in run(folder, "runs").stdout
    shown = run(folder, "runs", "show", board["run_id"]).stdout
    assert "token_f1  0.500" in shown
    assert "chrf" not in shown
    both = run(folder, "runs", "diff", board["run_id"], board["run_id"])
    assert (both.returncode, "Both are run" in both.stderr) == (2, True)


def test_the_first_question_decides_nothing_but_its_own_case(folder):
    done = run(folder, "eval", "--cases", "q.jsonl", "--limit", "3", "--system", "bot:late", "--metrics",
               "exact_match,aurc", "--json")  # fmt: skip
    board = json.loads(done.stdout)
    assert (done.returncode, board["failed"], board["cases"]) == (0, 1, 3)
    assert board["metrics"]["exact_match"]["value"] == pytest.approx(2 / 3)
    assert "No aurc: the answers have no confidence." in board["notes"]
    names = [one["name"] for one in json.loads(run(folder, "cases", "list", "--json").stdout)["sets"]]
    assert not any("first" in name for name in names)
    missing = run(folder, "eval", "--cases", "nothing")
    assert "first" not in missing.stderr


async def test_a_system_that_fails_on_the_first_questions_is_broken_and_asked_once_each():
    asked = []

    def search(question):
        asked.append(question)
        if question != "c":
            raise ValueError(question)
        return ["a passage"]

    found = await settled(CallableSystem(search), ["a", "b", "c", "d"])
    assert found.kind == "retriever"
    with pytest.raises(Upstream, match="a"):
        await found("a")
    assert (await found("c")).passages
    assert asked == ["a", "b", "c"]
    asked.clear()
    with pytest.raises(Upstream, match="ValueError: x"):
        await settled(CallableSystem(search), ["x", "y", "z", "c"])
    assert asked == ["x", "y", "z"]
    with pytest.raises(Garbled):
        await settled(CallableSystem(lambda _question: 7), ["x"])


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["eval", "--cases", "q.jsonl", "--report", "nowhere/x.html"], "nowhere is not there"),
        (["eval", "--cases", "q.csv"], "assay cases import csv q.csv"),
        (["eval", "--cases", "q.jsonl", "--system", "bot:half", "--metrics", "recall@5"], "no case names any"),
        (["cases", "import", "csv", "q.csv", "--name", "../x"], "could be a path"),
        (["cases", "import", "csv", "q.csv", "--field", "answers=nobody"], "no field 'nobody'"),
    ],
)
def test_a_mistake_is_said_before_anything_is_asked(folder, arguments, said):
    done = run(folder, *arguments)
    assert done.returncode == 2, done.stderr
    assert said in done.stderr


def test_an_import_says_what_it_leaves_out_and_its_hint_can_be_pasted(folder):
    done = run(folder, "cases", "import", "csv", "q.csv", "--name", "gold set with a name that is long")
    assert "1 case in gold" in done.stdout
    assert "assay eval --cases 'gold set with a name that is long'" in done.stdout
    assert "Left out" in done.stderr
    assert "ref, comment" in done.stderr
    assert "No case has a reference answer" in done.stderr
    assert "gold set with a name that is long" in run(folder, "cases", "list").stdout
    mapped = run(folder, "cases", "import", "csv", "q.csv", "--field", "answers=ref", "--json")
    shape = json.loads(mapped.stdout)
    assert (shape["answers"], shape["left_out"]) == (1, ["comment"])


def test_the_bar_shows_what_was_asked_for_and_only_where_there_is_room():
    means = {"exact_match": 0.5, "token_f1": 0.25}
    progress = Progress("r", 5, 9, 2, means, 0.0, 0, 5, 0, 1.0, None, resumed=False)
    assert standing_of(progress, ["token_f1"], room=60) == "token_f1 0.250  2 failed  $0"
    assert standing_of(progress, None, room=20) == "2 failed  $0"
    assert standing_of(progress, None, room=8) == ""


def test_a_report_that_could_not_be_written_is_refused(tmp_path):
    from assay.app.report.page import check_writable

    check_writable(tmp_path / "x.html")
    with pytest.raises(BadInput):
        check_writable(tmp_path / "no" / "x.html")
