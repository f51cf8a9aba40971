"""Measuring in a line of Python, with and without an event loop, and what is left behind."""

import asyncio
import json
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from assay.decisions.results import read_results
from assay.errors import BadInput, BadSetting, TimedOut
from assay.evals.case import Case, Evidence
from assay.evals.notebook import measure, run_blocking, system_of
from assay.evals.output import Output
from assay.evals.scorer import Score
from assay.evals.systems.callables import CallableSystem
from assay.evals.systems.spec import Common
from assay.models.scripted import ScriptedChat

CASES = [Case(f"q{i}", f"How long, {i}?", ("thirty days",), (Evidence("a.md", "thirty days"),)) for i in range(30)]
DOCUMENTS = {"docs/a.md": "Items can be returned within thirty days."}


def answer(question: str) -> str:
    return "thirty days"


def test_a_function_is_measured_with_error_bars():
    board = measure(answer, CASES)
    assert (board["token_f1"].value, board["token_f1"].n) == (1.0, 30)
    assert 0.8 < board["token_f1"].low < 1
    assert "token_f1" in board
    assert "faithfulness" not in board
    assert board.scores("exact_match") == {case.id: 1.0 for case in CASES}
    assert (board.run.status, board.run.paid_calls, board.failures) == ("done", 30, {})
    with pytest.raises(KeyError, match=r"no metric .f1.; there are: .*token_f1"):
        board["f1"]


async def test_it_works_inside_a_running_loop():
    assert measure(answer, CASES[:3], metrics="token_f1")["token_f1"].value == 1.0
    with pytest.raises(TimedOut):
        run_blocking(failing())


async def failing():
    await asyncio.sleep(0)
    raise TimedOut("late")


def test_nothing_is_left_behind_without_a_home():
    before = set(Path(tempfile.gettempdir()).glob("assay-measure-*"))
    measure(answer, CASES[:2])
    assert set(Path(tempfile.gettempdir()).glob("assay-measure-*")) - before == set()


def test_with_a_home_a_versioned_system_is_not_asked_twice(tmp_path):
    asked = []

    def counted(question: str) -> str:
        asked.append(question)
        return "thirty days"

    def once():
        return measure(CallableSystem(counted, options=Common(version="1")), CASES[:5], home=tmp_path / "kept")

    first, second = once(), once()
    assert (len(asked), first.run.paid_calls, second.run.paid_calls, second.run.cached_calls) == (5, 5, 0, 5)
    assert second["token_f1"].value == 1.0
    assert first.run.id != second.run.id


def test_failures_stay_in_the_denominator_and_are_told():
    def fails_once(question: str) -> str:
        if "0?" in question:
            raise RuntimeError("<b>no</b> index")
        return "thirty days"

    board = measure(fails_once, CASES[:10])
    assert (board["token_f1"].value, board["token_f1"].n, board["token_f1"].failed) == (0.9, 10, 1)
    assert board.scores("token_f1")["q0"] == 0.0
    assert "test_notebook.py" in board.failures["q0"]
    assert "First failure, case q0: crashed" in str(board)
    html = board._repr_html_()
    assert "<b>no</b>" not in html
    assert "&lt;b&gt;no&lt;/b&gt;" in html


def test_the_text_shows_value_interval_and_bill_and_never_an_unknown_price():
    text = str(measure(answer, CASES[:4], metrics=["token_f1"]))
    assert "token_f1  1.000  [0." in text
    assert "4 calls (4 unpriced), 0 from the cache" in text
    assert "$" not in text


def search(question):
    return [{"document": "a.md", "text": "Items can be returned within thirty days."}, "something else"]


def test_a_retriever_needs_no_word_about_it_and_gets_no_answer_metrics():
    asked = []

    def counted(question):
        asked.append(question)
        return search(question)

    board = measure(counted, CASES[:6], documents=DOCUMENTS)
    assert board["recall@5"].value == 1.0
    assert "token_f1" not in board
    assert board.run.spec.kind == "retriever"
    assert (len(asked), board.run.paid_calls) == (6, 6)


def test_evidence_that_is_not_in_the_documents_is_refused_before_any_question():
    with pytest.raises(BadInput, match="q9"):
        measure(answer, [Case("q9", "?", evidence=(Evidence("a.md", "sixty days"),))], documents=DOCUMENTS)


def test_cases_may_be_a_file_or_dicts_and_wrong_ones_are_named(tmp_path):
    path = tmp_path / "cases.jsonl"
    path.write_text("\n".join(json.dumps(case.as_json()) for case in CASES[:3]))
    assert measure(answer, path)["token_f1"].n == 3
    assert measure(answer, [{"id": "1", "question": "?", "answers": ["thirty days"]}])["token_f1"].n == 1
    for wrong, said in (
        ([], "no cases"),
        (["why?"], "Case 1 is a str"),
        ([{"id": "1"}], 'no "question"'),
        ([CASES[0], CASES[0]], "repeats the id"),
    ):
        with pytest.raises(BadInput, match=said):
            measure(answer, wrong)


class Short:
    metrics = ("short",)
    digest = "short-1"
    judge = None

    async def score(self, case, output: Output, gold):
        return {"short": Score(float(len(output.text) < 20))}


def test_metrics_may_be_names_and_scorers_of_ones_own():
    board = measure(answer, CASES[:3], metrics=["token_f1", Short()])
    assert list(board) == ["token_f1", "short"]
    assert board["short"].value == 1.0
    with pytest.raises(BadSetting, match="no metric 'token_f2'") as caught:
        measure(answer, CASES[:3], metrics=["token_f2"])
    assert "token_f1" in caught.value.hint


def test_judged_metrics_ask_for_a_judge_and_use_it():
    with pytest.raises(BadSetting, match="needs a model: judge"):
        measure(answer, CASES[:2], metrics=["rubric"])
    judge = ScriptedChat(lambda request: '{"reason": "fine", "level": 1}')
    board = measure(answer, CASES[:2], metrics=["rubric"], judge=judge)
    assert board["rubric"].n == 2
    assert judge.requests


def test_replicas_are_averaged_within_the_case():
    replies = iter(["thirty days", "wrong"] * 4)
    board = measure(
        lambda question: {"text": next(replies)}, CASES[:4], metrics="exact_match", replicas=2, concurrency=1
    )
    assert (board["exact_match"].value, board["exact_match"].n) == (0.5, 4)


def test_scores_written_are_what_compare_reads(tmp_path):
    cases = [Case(f"q{i}", f"{i}?", ("thirty days",), cluster=f"c{i % 3}") for i in range(6)]
    board = measure(lambda q: {"text": "thirty days", "cost_usd": 0.5}, cases)
    board.write(tmp_path / "a.jsonl", "token_f1")
    found = read_results(tmp_path / "a.jsonl")
    assert [(row.case, row.score, row.cluster, row.cost_usd) for row in found][:2] == [
        ("q0", 1.0, "c0", 0.5),
        ("q1", 1.0, "c1", 0.5),
    ]
    assert all(row.latency_ms > 0 for row in found)


def test_what_cannot_be_measured_is_said(tmp_path):
    (tmp_path / "assay.toml").write_text("[index]\nk = 5\n")
    with pytest.raises(BadSetting, match="need a workspace"):
        system_of(tmp_path / "assay.toml")
    with pytest.raises(BadSetting, match="int cannot be measured"):
        system_of(7)
    with pytest.raises(BadSetting, match="made already"):
        system_of(CallableSystem(answer), {"k": 1})


def test_the_public_names_load_nothing_until_they_are_named():
    program = """
import json, sys
import assay.evals
before = sorted(n for n in sys.modules if n.startswith("assay"))
from assay.evals import Case, System
light = "numpy" in sys.modules or "sqlalchemy" in sys.modules
for name in assay.evals.__all__:
    assert getattr(assay.evals, name).__name__ == name, name
print(json.dumps([before, light]))
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == [["assay", "assay.evals"], False]
