"""What is said of a decision agrees with its numbers."""

import random
from dataclasses import replace

import pytest

from assay.decisions.course import course_lines, figure_lines
from assay.decisions.figures import points
from assay.decisions.fold import CANDIDATE, INCUMBENT, Fold
from assay.decisions.hypothesis import Hypothesis, Margins, Named
from assay.decisions.outcome import outcome_shape
from assay.decisions.rules import read_verdict, rule_for
from assay.stats.verdict import Verdict


def folded(
    gain: float, *, rule: str = "exact-horizon", clusters: int | None = None, n: int = 400, seed: int = 1
) -> tuple[Hypothesis, Fold]:
    looks = () if clusters is None else tuple(clusters * k // 4 for k in (1, 2, 3, 4))
    hypothesis = Hypothesis(
        set_name="s",
        season=1,
        set_digest="d",
        order_digest="o",
        items=n,
        clusters=clusters,
        metric="exact_match",
        incumbent=Named("old", "1"),
        candidate=Named("new", "2"),
        scorers=(),
        objective="better",
        rule=rule,  # type: ignore[arg-type]
        alpha=0.05,
        beta=0.05,
        margins=Margins(),
        horizon=80 if rule == "exact-horizon" else None,
        looks=looks,
    )
    labels = None if clusters is None else [f"c{i * clusters // n}" for i in range(n)]
    fold = Fold(rule_for(hypothesis), items=n, clusters=labels, looks=looks)
    rng = random.Random(seed)
    for ordinal in range(n):
        ability = rng.random()
        fold.add(INCUMBENT, ordinal, float((ability < 0.6) != (rng.random() < 0.08)))
        fold.add(CANDIDATE, ordinal, float((ability < 0.6 + gain) != (rng.random() < 0.08)))
    fold.finish()
    return hypothesis, fold


@pytest.mark.parametrize("gain", [-0.2, -0.05, 0.0, 0.05, 0.2])
@pytest.mark.parametrize(("rule", "clusters"), [("exact-horizon", None), ("betting", None), ("cluster-looks", 40)])
def test_verdict_interval_and_sentence_say_the_same(gain: float, rule: str, clusters: int | None) -> None:
    hypothesis, fold = folded(gain, rule=rule, clusters=clusters)
    shape = outcome_shape(hypothesis, fold, None)
    low, high = shape["difference"]["low"], shape["difference"]["high"]
    assert shape["verdict"] == str(read_verdict(low, high, hypothesis.margins, "better"))
    assert low <= shape["difference"]["value"] <= high
    assert (shape["verdict"] == "PROMOTE") == (low > 0) == shape["promotable"]
    assert shape["wins"] + shape["losses"] + shape["ties"] == shape["n"]
    words = {
        "PROMOTE": "is better",
        "WORSE": "is worse",
        "NOT_BETTER": "does not gain",
        "UNDECIDED": "Undecided",
        "NOT_WORSE": "not worse",
    }
    assert words[shape["verdict"]] in shape["sentence"]
    assert figure_lines(shape)
    for line in course_lines(shape, width=60, ascii_only=True):
        assert line.isascii()
        assert len(line) <= 60


def test_what_is_left_open_says_why_nothing_more_was_asked() -> None:
    hypothesis, fold = folded(0.06, n=200)
    shape = outcome_shape(hypothesis, fold, None)
    assert (shape["verdict"], shape["stopped"]) == ("UNDECIDED", "questions")
    assert (
        "All questions are asked, and neither a gain nor that it gains less than 5 points is shown."
        in shape["sentence"]
    )
    spent = outcome_shape(*folded(0.06, n=400), None)
    assert (spent["verdict"], spent["stopped"]) == ("UNDECIDED", "horizon")
    assert "have differed 80 times, the horizon declared, and neither" in spent["sentence"]
    broke = outcome_shape(hypothesis, fold, None, by_budget=True)
    assert (broke["verdict"], broke["promotable"], broke["stopped"]) == ("UNDECIDED", False, "budget")
    assert "The budget stopped it" in broke["sentence"]
    better, won = folded(0.3)
    assert outcome_shape(better, won, None)["stopped"] == "decided"
    cut_off = outcome_shape(better, won, None, by_budget=True)
    assert (cut_off["verdict"], cut_off["promotable"]) == ("UNDECIDED", False)


def test_ties_alone_do_not_show_that_a_clustered_candidate_is_not_worse() -> None:
    hypothesis, _ = folded(0.0, rule="cluster-looks", clusters=40)
    hypothesis = replace(hypothesis, objective="not_worse")
    labels = [f"c{i * 40 // 400}" for i in range(400)]
    fold = Fold(rule_for(hypothesis), items=400, clusters=labels, looks=hypothesis.looks)
    for ordinal in range(100):
        fold.add(INCUMBENT, ordinal, 1.0)
        fold.add(CANDIDATE, ordinal, 1.0)
    low, high = fold.rule.limits()
    assert low < -hypothesis.margins.margin
    assert high > 0.01


def test_clustered_not_worse_errs_no_more_often_than_stated() -> None:
    wrong, worlds = 0, 60
    for seed in range(worlds):
        hypothesis, _ = folded(0.0, rule="cluster-looks", clusters=40)
        hypothesis = replace(hypothesis, objective="not_worse")
        labels = [f"c{i * 100 // 200}" for i in range(200)]
        hypothesis = replace(hypothesis, items=200, clusters=100, looks=(25, 50, 75, 100))
        fold = Fold(rule_for(hypothesis), items=200, clusters=labels, looks=hypothesis.looks)
        rng = random.Random(seed)
        for ordinal in range(200):
            fold.add(INCUMBENT, ordinal, 1.0)
            fold.add(CANDIDATE, ordinal, float(rng.random() >= hypothesis.margins.margin))
        fold.finish()
        wrong += outcome_shape(hypothesis, fold, None)["quality"] in ("NOT_WORSE", "PROMOTE")
    assert wrong <= 60 * 0.05 + 3 * (60 * 0.05 * 0.95) ** 0.5


def test_undecided_says_how_many_more() -> None:
    hypothesis, fold = folded(0.03, n=120, seed=3)
    shape = outcome_shape(hypothesis, fold, None)
    assert shape["verdict"] == "UNDECIDED"
    assert shape["needed"] > 0


def test_constant_scores_decide_nothing_wrongly() -> None:
    for value in (0.0, 1.0):
        hypothesis, fold = folded(0.0, n=60)
        fold = Fold(rule_for(hypothesis), items=60)
        for ordinal in range(60):
            fold.add(INCUMBENT, ordinal, value)
            fold.add(CANDIDATE, ordinal, value)
        fold.finish()
        assert outcome_shape(hypothesis, fold, None)["verdict"] not in ("PROMOTE", "WORSE")


@pytest.mark.parametrize(
    ("value", "said"),
    [
        (0.0, "0.0"),
        (0.05, "+5.0"),
        (-0.0004, "-0.04"),
        (1e-300, "just above 0"),
        (-1e-12, "just below 0"),
        (None, "no limit"),
    ],
)
def test_points_never_round_a_limit_to_zero(value: float | None, said: str) -> None:
    assert points(value) == said


@pytest.mark.parametrize(
    ("low", "high", "objective", "expected"),
    [
        (0.001, 0.1, "better", Verdict.PROMOTE),
        (-0.1, -0.001, "better", Verdict.WORSE),
        (-0.1, 0.04, "better", Verdict.NOT_BETTER),
        (-0.01, 0.2, "better", Verdict.NOT_WORSE),
        (-0.01, 0.04, "better", Verdict.NOT_BETTER),
        (-0.01, 0.04, "not_worse", Verdict.NOT_WORSE),
        (-0.01, -0.001, "not_worse", Verdict.NOT_WORSE),
        (-0.1, 0.2, "better", Verdict.UNDECIDED),
        (0.0, 0.2, "better", Verdict.NOT_WORSE),
    ],
)
def test_a_verdict_is_read_from_the_interval(low: float, high: float, objective: str, expected: Verdict) -> None:
    assert read_verdict(low, high, Margins(), objective) is expected  # type: ignore[arg-type]
