"""An audit says whether two sets rank configurations alike, and what is wrong in a set by itself."""

import json

import numpy as np
import pytest

from assay.errors import BadInput
from assay.evals.audit import ScoreTable, audit, table_of
from assay.evals.case import Case, Evidence
from assay.evals.columns import Columns, Row
from assay.evals.gold import Texts
from assay.evals.set_audit import audit_set

NAMES = ("a", "b", "c", "d", "e")


def _table(means: list[float], *, seed: int, cases: int = 120) -> ScoreTable:
    rng = np.random.default_rng(seed)
    ids = [f"s{seed}-{n}" for n in range(cases)]
    scores = {name: {case: float(rng.random() < mean) for case in ids} for name, mean in zip(NAMES, means, strict=True)}
    return ScoreTable(scores, {case: f"doc{n % 30}" for n, case in enumerate(ids)})


def test_rankings_that_agree_and_rankings_that_do_not_are_told_apart() -> None:
    human = _table([0.9, 0.7, 0.5, 0.3, 0.1], seed=1)
    same = audit(_table([0.8, 0.6, 0.4, 0.2, 0.05], seed=2), human, metric="evidence_recall@5")
    assert same.configurations == NAMES
    assert same.kendall.value == 1
    assert same.sentence.startswith("The set ranks these 5 configurations much as people's questions do")
    assert "2508.11758" in same.sentence
    assert same.regret.value == 0
    flat = audit(_table([0.5] * 5, seed=3), human)
    assert "is not shown" in flat.sentence
    against = audit(_table([0.1, 0.3, 0.5, 0.7, 0.9], seed=4), human)
    assert "against people's questions" in against.sentence
    assert against.regret.value == pytest.approx(0.8, abs=0.15)
    json.dumps(same.as_json(), allow_nan=False)


def test_only_cases_every_configuration_has_are_used_and_the_rest_is_counted() -> None:
    human, synthetic = _table([0.9, 0.7, 0.5, 0.3, 0.1], seed=1), _table([0.9, 0.7, 0.5, 0.3, 0.1], seed=2)
    del human.scores["c"]["s1-7"]  # type: ignore[attr-defined]
    found = audit(synthetic, human)
    assert (found.human_cases, found.synthetic_cases, found.left_out) == (119, 120, 1)


def test_fewer_than_four_configurations_cannot_be_ranked() -> None:
    human = _table([0.9, 0.7, 0.5, 0.3, 0.1], seed=1)
    few = ScoreTable({name: human.scores[name] for name in "abc"}, human.clusters)
    with pytest.raises(BadInput, match="3 configurations"):
        audit(few, human)
    apart = ScoreTable({name: {f"{name}-only": 1.0} for name in NAMES}, {})
    with pytest.raises(BadInput, match="share 0 scored cases of the synthetic set"):
        audit(apart, human)


def test_runs_become_a_table_and_what_failed_counts_as_zero() -> None:
    cases = [Case("q1", "One?", cluster="d"), Case("q2", "Two?")]
    columns = Columns([Row(0, "q1", {"mrr": 0.5}, cluster="d"), Row(1, "q2", {"mrr": None})])
    table = table_of({"fused": columns}, "mrr", cases)
    assert table.scores == {"fused": {"q1": 0.5, "q2": 0.0}}
    assert table.clusters == {"q1": "d", "q2": ""}
    with pytest.raises(BadInput, match="was not scored with map"):
        table_of({"fused": columns}, "map", cases)


TEXT = "The harbour of Lund was opened in 1932 by the mayor, Anna Berg. About 4,300 people work there in shifts."


def test_what_is_wrong_in_a_set_is_counted_and_named() -> None:
    quote = Evidence("lund.md", "The harbour of Lund was opened in 1932 by the mayor, Anna Berg.")
    cases = [
        Case("good", "When did ships first dock at Lund?", ("1932",), (quote,)),
        Case("again", "When did ships first dock at  Lund?", ("1932",), (quote,)),
        Case("vague", "When was this opened?", ("1932",), (quote,)),
        Case("copied", "Who was it that the harbour of Lund was opened in 1932 by?", ("Anna Berg",), (quote,)),
        Case("told", "Was the harbour of Lund opened by Anna Berg?", ("Anna Berg",), (quote,)),
        Case("prose", "Lund.", ("1932",), (quote,)),
        Case("lost", "Where is the harbour of Malmö?", ("Malmö",), (Evidence("lund.md", "Malmö lies elsewhere."),)),
        Case("wrong", "Who built Lund's harbour?", ("Karl Johansson",), (quote,)),
        Case("bare", "Who paid for Lund's harbour?"),
        Case("none", "Who closed Lund's harbour?", answerable=False),
    ]
    found = audit_set(cases, corpus=Texts({"lund.md": TEXT}))
    named = dict(found.faults)
    assert (found.cases, found.answerable, found.repeated, found.not_found, found.leaking) == (10, 9, 1, 1, 1)
    assert (found.without_answer, found.without_evidence, found.malformed) == (1, 1, 1)
    assert (found.answer_in_question, found.answer_not_in_evidence) == (2, 1)
    assert named["again"] == "asks what good asks"
    assert named["copied"].startswith("copies: the harbour of lund was opened in 1932 by")
    assert "this" in named["vague"]
    assert "none" not in named
    assert "good" not in named
    assert found.known_share is not None
    assert any("XQuAD" in sentence for sentence in found.sentences)
    json.dumps(found.as_json(), allow_nan=False)
    with pytest.raises(BadInput):
        audit_set([])
