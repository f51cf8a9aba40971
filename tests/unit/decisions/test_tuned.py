"""What was tuned on which questions is remembered, and kept out of what certifies it."""

from dataclasses import replace

import pytest

from assay.decisions.split import label_of
from assay.decisions.tuned import TunedOn
from assay.errors import BadInput
from assay.evals.case import Case
from assay.ledger.database import Database

CASES = [Case(f"q{i}", f"What is {i}?", cluster=f"c{i // 2}") for i in range(10)]


def test_a_candidate_is_kept_from_the_clusters_it_was_tuned_on(database: Database) -> None:
    tuned = TunedOn(database)
    assert tuned.untouched(["prompt"], "s", CASES) == CASES
    for _ in range(2):
        tuned.record(["prompt", "subject"], "s", CASES[:1])
    assert tuned.clusters(["prompt"], "s", CASES) == {"c0"}
    assert tuned.untouched(["other", "subject"], "s", CASES) == CASES[2:]
    assert tuned.untouched(["other"], "s", CASES) == CASES
    assert tuned.untouched([], "s", CASES) == CASES


def test_the_same_question_is_known_under_any_name_and_its_cluster_by_the_set(database: Database) -> None:
    tuned = TunedOn(database)
    tuned.record(["prompt"], "s", CASES[:2])
    elsewhere = [replace(case, id=f"x{case.id}", cluster="", tags=("reviewed",)) for case in CASES]
    assert tuned.clusters(["prompt"], "t", elsewhere) == {"=xq0", "=xq1"}
    edited = [replace(case, question="What else?") for case in CASES]
    assert tuned.clusters(["prompt"], "s", edited) == {label_of(CASES[0])}
    assert tuned.clusters(["prompt"], "t", edited) == set()


def test_a_candidate_that_was_tuned_on_everything_cannot_be_decided_on(database: Database) -> None:
    tuned = TunedOn(database)
    tuned.record(["prompt"], "s", CASES)
    with pytest.raises(BadInput, match="tuned on every case of s"):
        tuned.untouched(["prompt"], "s", CASES)
    assert tuned.untouched(["prompt"], "s", []) == []
