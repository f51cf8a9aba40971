"""The terminal review: keys are decisions, lines over a pipe are keys, and nothing shown drives the terminal."""

import io
from collections.abc import Callable, Iterator

import pytest
from rich.console import Console

from assay.app.cli.review import review_cases
from assay.evals.case import Case, Evidence
from assay.evals.cases import CaseStore
from assay.evals.gold import Texts
from assay.evals.review import ReviewQueue
from assay.ledger.database import Database

TEXT = "Before it. The harbour was opened in 1932 by Anna Berg. After it."
CASES = [
    Case("q1", "When was the harbour opened?", ("1932",), (Evidence("d.md", "The harbour was opened in 1932"),)),
    Case("q2", "Who closed\x1b[2J it?", answerable=False, tags=("kind:unanswerable",)),
    Case("q3", "Where is it?", ("Lund",), (Evidence("gone.md", "In Lund."),)),
]


@pytest.fixture
def queue(sqlite_database: Database) -> ReviewQueue:
    CaseStore(sqlite_database).save("mine", CASES, "generated")
    return ReviewQueue(sqlite_database, "mine")


def _typed(texts: list[str]) -> Callable[[], str]:
    left: Iterator[str] = iter(texts)

    def read() -> str:
        for text in left:
            return text
        raise EOFError

    return read


def _review(queue: ReviewQueue, keys: list[str], lines: list[str] | None = None) -> str:
    screen = Console(file=io.StringIO(), width=100, color_system=None)
    review_cases(
        queue,
        screen=screen,
        corpus=Texts({"d.md": TEXT}),
        read_key=_typed(keys),
        read_line=_typed(lines or []),
    )
    assert isinstance(screen.file, io.StringIO)
    return screen.file.getvalue()


def test_every_key_is_a_decision_and_evidence_is_shown_in_its_document(queue: ReviewQueue) -> None:
    shown = _review(queue, ["a", "x", "s", "r", "r"])
    assert "Before it. »The harbour was opened in 1932« by Anna Berg. After it." in shown
    assert "\x1b" not in shown
    assert "Who closed�[2J it?" in shown
    assert "declining is right" in shown
    assert "no document is named gone.md" in shown
    assert [item.state for item in queue.items()] == ["accepted", "rejected", "rejected"]


def test_a_fix_asks_for_question_and_answers_and_refuses_nonsense(queue: ReviewQueue) -> None:
    _review(queue, ["f", "f", "q"], ["When did it open?", "1932 | in 1932", "", ""])
    fixed = queue.item(CASES[0].digest).fixed
    assert fixed is not None
    assert (fixed.question, fixed.answers) == ("When did it open?", ("1932", "in 1932"))
    kept = queue.item(CASES[1].digest).fixed  # empty lines keep what was there, and it has no answers to ask for
    assert kept is not None
    assert kept.question == CASES[1].question


def test_undo_shows_the_case_again_and_quitting_keeps_the_rest(queue: ReviewQueue) -> None:
    shown = _review(queue, ["u", "r", "u", "a", "q"])
    assert "nothing to take back" in shown
    assert shown.count("When was the harbour opened?") == 2
    assert [item.state for item in queue.items()] == ["accepted", "to_review", "to_review"]


def test_lines_over_a_pipe_are_keys_and_their_end_stops(queue: ReviewQueue, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO("accept\n\nf\nWho shut it?\n"))
    progress = review_cases(queue, screen=Console(file=io.StringIO(), color_system=None))
    assert (progress.accepted, progress.fixed, progress.to_review) == (1, 1, 1)
