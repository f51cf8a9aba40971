"""Review decisions are kept one by one, can be taken back, and make a new version of the set."""

import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest

from assay.errors import BadInput, NotFound
from assay.evals.case import Case, Evidence
from assay.evals.cases import CaseStore
from assay.evals.review import ReviewQueue
from assay.ledger.database import Database, open_database, sqlite_url

CASES = [Case(f"q{n}", f"Question {n}?", (f"answer {n}",), (Evidence("d.md", f"answer {n}"),)) for n in range(5)]


@pytest.fixture
def queue(database: Database) -> ReviewQueue:
    CaseStore(database).save("mine", CASES, "generated")
    return ReviewQueue(database, "mine")


def _ids(cases: list[Case]) -> list[str]:
    return [case.id for case in cases]


def test_cases_come_in_order_and_skipped_ones_last_the_longest_skipped_first(queue: ReviewQueue) -> None:
    for case in CASES[:3]:
        item = queue.next()
        assert item is not None
        assert item.case == case
        queue.decide(case.digest, "skipped")
    for case in CASES[3:]:
        queue.decide(case.digest, "accepted")
    item = queue.next()
    assert item is not None
    assert (item.case.id, item.is_skipped, item.state) == ("q0", True, "to_review")
    queue.decide(item.case.digest, "skipped")
    item = queue.next()
    assert item is not None
    assert item.case.id == "q1"
    for case in CASES[:3]:
        queue.decide(case.digest, "rejected")
    assert queue.next() is None


def test_decisions_are_counted_replaced_and_taken_back(queue: ReviewQueue, database: Database) -> None:
    fixed = replace(CASES[1], question="Better?")
    queue.decide(CASES[0].digest, "accepted")
    queue.decide(CASES[1].digest, "fixed", fixed, "was unclear")
    queue.decide(CASES[2].digest, "rejected", note="nonsense")
    progress = queue.progress()
    assert (progress.to_review, progress.accepted, progress.fixed, progress.rejected, progress.total) == (2, 1, 1, 1, 5)
    queue.decide(CASES[2].digest, "accepted")
    assert queue.item(CASES[2].digest).state == "accepted"
    again = ReviewQueue(database, "mine")  # as another process sees it
    assert again.item(CASES[1].digest).fixed == fixed
    assert again.item(CASES[1].digest).note == "was unclear"
    undone = again.undo()
    assert undone is not None
    assert (undone.case.id, undone.state, undone.note) == ("q2", "rejected", "nonsense")
    for _ in range(3):
        assert queue.undo() is not None
    assert queue.undo() is None
    assert queue.progress().to_review == 5


def test_finishing_saves_what_was_accepted_and_fixed_and_the_review_goes_on(
    queue: ReviewQueue, database: Database
) -> None:
    with pytest.raises(BadInput, match="No case was accepted"):
        queue.finish()
    queue.decide(CASES[3].digest, "fixed", replace(CASES[3], answers=("right",)))
    queue.decide(CASES[0].digest, "accepted")
    queue.decide(CASES[1].digest, "rejected")
    digest = queue.finish()
    saved = CaseStore(database).load("mine")
    assert _ids(saved) == ["q0", "q3"]
    assert saved[1].answers == ("right",)
    assert all(case.tags == ("reviewed",) for case in saved)
    again = ReviewQueue(database, "mine")
    assert again.digest == queue.digest != digest
    item = again.next()
    assert item is not None
    assert item.case.id == "q2"
    again.decide(item.case.digest, "accepted")
    again.finish()
    assert _ids(CaseStore(database).load("mine")) == ["q0", "q2", "q3"]
    again.finish("other")
    assert ReviewQueue(database, "other").progress() == again.progress()
    assert ReviewQueue(database, digest).progress().accepted == 2  # tagged by a person already


def test_what_makes_no_sense_is_refused(queue: ReviewQueue, database: Database) -> None:
    with pytest.raises(NotFound):
        ReviewQueue(database, "nothing")
    with pytest.raises(NotFound):
        queue.decide("0" * 64, "accepted")
    with pytest.raises(BadInput, match="no decision"):
        queue.decide(CASES[0].digest, "liked")  # type: ignore[arg-type]
    with pytest.raises(BadInput, match="as it should be"):
        queue.decide(CASES[0].digest, "fixed")
    with pytest.raises(BadInput, match="instead of"):
        queue.decide(CASES[0].digest, "fixed", replace(CASES[0], id="other"))
    with pytest.raises(BadInput, match="empty"):
        queue.decide(CASES[0].digest, "fixed", replace(CASES[0], question=" "))
    assert queue.progress().to_review == 5


def test_the_last_decision_is_the_last_whatever_the_clock_says(
    queue: ReviewQueue, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = iter(range(1_000, 0, -1))
    monkeypatch.setattr("assay.evals.review.time.time_ns", lambda: next(clock))
    for decision in ("accepted", "rejected", "accepted", "rejected"):
        queue.decide(CASES[0].digest, decision)
    assert queue.item(CASES[0].digest).state == "rejected"
    undone = queue.undo()
    assert undone is not None
    assert undone.state == "accepted"


_CHILD = """
import sys
from assay.evals.review import ReviewQueue
from assay.ledger.database import open_database
queue = ReviewQueue(open_database(sys.argv[1]), "mine")
while (item := queue.next()) is not None:
    queue.decide(item.case.digest, "accepted")
    print(item.case.id, flush=True)
"""


def test_kill_loses_no_decision(tmp_path: Path) -> None:
    url = sqlite_url(tmp_path / "assay.db")
    database = open_database(url)
    many = [Case(f"q{n}", f"Question {n}?") for n in range(3_000)]
    CaseStore(database).save("mine", many, "generated")
    child = subprocess.Popen([sys.executable, "-c", _CHILD, url], stdout=subprocess.PIPE, text=True)
    assert child.stdout is not None
    told = [child.stdout.readline().strip()]
    time.sleep(0.3)
    os.kill(child.pid, signal.SIGKILL)
    told += child.stdout.read().split()
    child.wait()
    queue = ReviewQueue(database, "mine")
    kept = {item.case.id for item in queue.items("accepted")}
    assert set(told) <= kept
    assert 0 < len(kept) < len(many)
    database.close()
