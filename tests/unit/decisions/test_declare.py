"""Which rule a try declares, and on which metric, follows from the questions and never from a result."""

from dataclasses import replace
from typing import Any

import pytest

from assay.decisions.chances import assumptions, chances
from assay.decisions.declare import declared, metric_for
from assay.decisions.forecast import Forecast
from assay.decisions.hypothesis import Hypothesis
from assay.decisions.joint import unshowable
from assay.decisions.order import ordered
from assay.decisions.settings import DecisionSettings
from assay.errors import BadSetting
from assay.evals.case import Case, Evidence
from assay.evals.run_spec import RunSpec

OPTIONS = DecisionSettings()


def cases(n: int, *, clusters: int = 0) -> list[Case]:
    return [
        Case(id=f"q{i}", question=f"What is {i}?", answers=(str(i),), cluster=f"c{i % clusters}" if clusters else "")
        for i in range(n)
    ]


def hypothesis(
    n: int,
    *,
    clusters: int = 0,
    metric: str = "exact_match",
    options: DecisionSettings = OPTIONS,
    replicas: int = 1,
) -> Hypothesis:
    specs = [
        RunSpec(name, name, "answerer", "d", "s", n, replicas, ({"metrics": [metric], "digest": "x", "judge": None},))
        for name in ("serving", "changed")
    ]
    ordering = ordered(cases(n, clusters=clusters), seed="s")
    return declared(
        options, set_name="s", season=1, set_digest="d", ordering=ordering, metric=metric, specs=specs, alpha=0.05
    )


def test_right_or_wrong_questions_that_stand_alone_get_the_exact_horizon() -> None:
    found = hypothesis(800)
    assert (found.rule, found.clusters, found.looks) == ("exact-horizon", None, ())
    assert found.horizon == 160


def test_graded_scores_and_not_worse_are_bets() -> None:
    assert hypothesis(800, metric="token_f1").rule == "betting"
    assert hypothesis(800, options=DecisionSettings(objective="not_worse")).rule == "betting"
    assert hypothesis(800, replicas=3).rule == "betting", "the mean of three answers is a share"


@pytest.mark.parametrize(("clusters", "looks"), [(24, (6, 12, 18, 24)), (168, (42, 84, 126, 168)), (3, (1, 2, 3))])
def test_clusters_get_looks_declared_at_equal_steps(clusters: int, looks: tuple[int, ...]) -> None:
    found = hypothesis(clusters * 5, clusters=clusters)
    assert (found.rule, found.clusters, found.looks) == ("cluster-looks", clusters, looks)


def test_thousands_of_clusters_are_bets_on_their_means() -> None:
    assert hypothesis(5000, clusters=2500).rule == "betting"


def test_the_metric_is_one_the_cases_can_be_scored_by() -> None:
    assert metric_for(OPTIONS, cases(3)) == "answer_contained"
    found = [Case(id="1", question="q", evidence=(Evidence("a.md", "text"),))]
    assert metric_for(OPTIONS, found) == "evidence_recall@5"
    assert metric_for(DecisionSettings(metric="rubric"), found) == "rubric"
    with pytest.raises(BadSetting, match="neither answers nor evidence"):
        metric_for(OPTIONS, [Case(id="1", question="q")])


def test_chances_of_the_exact_horizon_are_those_of_the_published_table() -> None:
    none, five, _ten = chances(replace(hypothesis(800), horizon=128))
    assert none.promote <= 0.05
    assert five.promote == pytest.approx(0.91, abs=0.03)
    assert five.expected_items == pytest.approx(340, rel=0.05)
    less = chances(replace(hypothesis(800), horizon=128, alpha=0.025))[1]
    assert less.promote == pytest.approx(0.86, abs=0.03)


@pytest.mark.parametrize("found", [hypothesis(400, metric="token_f1"), hypothesis(500, clusters=100)])
def test_a_larger_gain_is_promoted_more_often_and_sooner(found: Hypothesis) -> None:
    none, five, ten = chances(found)
    assert none.promote <= 0.06
    assert none.promote < five.promote < ten.promote
    assert ten.expected_items < five.expected_items <= found.items
    assert "spread" in assumptions(found)


@pytest.mark.parametrize(
    ("n", "clusters", "stated", "said"),
    [
        (400, 0, {}, ""),
        (60, 0, {}, ""),
        (60, 0, {"latency_ratio": 1.2}, "60 questions (at least 100 are needed)"),
        (400, 20, {"cost_ratio": 1.0}, "20 clusters (at least 30 are needed)"),
        (400, 20, {"objective": "not_worse"}, "being not worse alone never promotes it"),
        (400, 40, {"cost_ratio": 1.0, "latency_ratio": 1.0, "objective": "not_worse"}, ""),
    ],
)
def test_margins_that_can_never_be_met_are_said_before_the_run(
    n: int, clusters: int, stated: dict[str, Any], said: str
) -> None:
    found = hypothesis(n, clusters=clusters, options=DecisionSettings(**stated))
    assert said in unshowable(found)
    assert bool(unshowable(found)) == bool(said)
    told = Forecast(found, (), (), None, None)
    assert any(line.startswith("warning ") for line in told.lines()) == bool(said)
    assert told.as_json()["warning"] == unshowable(found)
