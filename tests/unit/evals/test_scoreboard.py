"""The scoreboard: nothing dropped, averaged within the case first, bounds where the judge failed, and what it cost."""

import json
import tracemalloc
from math import inf, nan

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from assay.evals.case import Case, Evidence
from assay.evals.columns import Columns, Row, rows_of
from assay.evals.output import Output
from assay.evals.result import Result
from assay.evals.scoreboard import headline, scoreboard
from assay.evals.scorer import Score
from assay.stats import clopper_pearson, mean_interval, wilson

FAILED = Score(None, "the judge wrote prose")


def row(ordinal, scores, **more):
    return Row(ordinal, f"c{ordinal}", scores, **more)


def metric(rows, name="m", **options):
    return scoreboard(rows, **options).metrics[name]


def test_a_rate_has_wilsons_interval_and_says_why():
    found = metric([row(n, {"m": float(n < 30)}) for n in range(40)])
    expected = wilson(30, 40)
    assert (found.value, found.low, found.high) == (0.75, expected.low, expected.high)
    assert (found.n, found.failed, found.method, found.clusters) == (40, 0, "wilson", 40)
    assert "40 right-or-wrong scores" in found.reason


def test_few_cases_are_exact():
    found = metric([row(n, {"m": float(n < 9)}) for n in range(10)])
    assert (found.low, found.high) == (clopper_pearson(9, 10).low, clopper_pearson(9, 10).high)
    assert found.method == "clopper-pearson"
    assert "too few" in found.reason


def test_cases_of_one_cluster_are_not_independent():
    alone = [row(n, {"m": float(n // 10 % 2)}) for n in range(100)]
    together = [row(n, {"m": float(n // 10 % 2)}, cluster=f"d{n // 10}") for n in range(100)]
    narrow, wide = metric(alone), metric(together)
    assert (wide.clusters, wide.n) == (10, 100)
    assert wide.method.startswith("clustered")
    assert wide.high - wide.low > 2 * (narrow.high - narrow.low)


def test_a_case_without_a_cluster_has_its_own():
    rows = [row(n, {"m": 1.0}, cluster="" if n < 30 else "d") for n in range(40)]
    assert metric(rows).clusters == 31


def test_the_same_question_asked_again_is_averaged_first_and_is_no_new_case():
    rows = [row(n, {"m": float(k == 0 or n < 5)}, replica=k) for n in range(10) for k in range(4)]
    found = scoreboard(rows)
    assert found.metrics["m"].value == pytest.approx((5 * 1 + 5 * 0.25) / 10)
    assert (found.metrics["m"].n, found.cases, found.rows) == (10, 10, 40)
    assert "averaged within each question first" in " ".join(found.notes)
    expected = mean_interval([1.0] * 5 + [0.25] * 5)
    assert (found.metrics["m"].low, found.metrics["m"].high) == (expected.low, expected.high)


def test_a_system_that_failed_scores_0_whatever_the_row_says():
    rows = [row(n, {"m": 1.0}) for n in range(8)] + [
        row(8, {"m": 1.0}, error="timed_out"),
        row(9, {"m": None}, error="x"),
    ]
    found = metric(rows)
    assert (found.value, found.n, found.failed, found.errors, found.unscored) == (0.8, 10, 2, 2, 0)
    assert found.worst == found.best == 0.8


def test_a_judge_that_failed_leaves_bounds_and_stays_in_the_denominator():
    rows = [row(n, {"m": float(n < 6)}) for n in range(8)] + [row(8, {"m": FAILED}), row(9, {"m": None})]
    found = metric(rows)
    assert (found.value, found.worst, found.best, found.judged) == (0.6, 0.6, 0.8, 0.75)
    assert (found.n, found.failed, found.unscored, found.errors) == (10, 2, 2, 0)
    assert (found.low, found.high) == (clopper_pearson(6, 10).low, clopper_pearson(8, 10).high)
    assert "2 not scored by the judge" in found.reason


def test_a_judge_that_failed_once_in_three_leaves_a_third_open():
    rows = [row(0, {"m": 1.0}), row(0, {"m": FAILED}, replica=1), row(0, {"m": 0.0}, replica=2)]
    found = metric(rows)
    assert (found.worst, found.best, found.judged) == pytest.approx((1 / 3, 2 / 3, 0.5))


@pytest.mark.parametrize("value", [nan, inf, -0.01, 1.01, 7])
def test_a_score_that_is_none_is_a_failed_one(value):
    found = metric([row(0, {"m": 1.0}), row(1, {"m": value})])
    assert (found.unscored, found.worst, found.best) == (1, 0.5, 1.0)


def test_a_metric_counts_only_the_cases_it_applies_to():
    rows = [row(n, {"em": 1.0} if n < 7 else {"declined": 0.0}) for n in range(10)]
    found = scoreboard(rows).metrics
    assert (found["em"].n, found["declined"].n) == (7, 3)


def test_a_failure_without_scores_counts_where_cases_of_its_kind_have_scores():
    rows = [row(n, {"em": 1.0}, kind="answerable") for n in range(4)]
    rows += [row(n, {"declined": 1.0}, kind="not") for n in range(4, 8)]
    rows += [
        row(8, {}, error="x", kind="answerable"),
        row(9, {}, error="x", kind="not"),
        row(10, {}, error="x", kind="new"),
    ]
    found = scoreboard(rows).metrics
    assert (found["em"].n, found["em"].value) == (6, pytest.approx(4 / 6))
    assert (found["declined"].n, found["declined"].errors) == (6, 2)


def test_a_failed_replica_without_scores_counts_where_its_case_has_scores():
    rows = [row(0, {"em": 1.0}), row(0, {}, replica=1, error="x"), row(1, {"other": 1.0})]
    found = scoreboard(rows).metrics
    assert (found["em"].n, found["em"].value, found["em"].failed) == (1, 0.5, 1)
    assert (found["other"].n, found["other"].value) == (1, 1.0)


def test_cost_is_of_the_priced_answers_and_the_others_are_counted():
    rows = [row(n, {"m": 1.0}, cost_usd=0.002 if n < 150 else None, latency_ms=float(n)) for n in range(200)]
    found = scoreboard(rows)
    assert (found.cost.priced, found.cost.unpriced) == (150, 50)
    assert found.cost.total == pytest.approx(0.3)
    assert found.cost.mean is not None
    assert found.cost.mean.value == pytest.approx(0.002)
    assert "50 answers have no known price" in " ".join(found.notes)


def test_latency_has_an_interval_from_100_cases_on():
    few, many = (
        scoreboard([row(n, {"m": 1.0}, latency_ms=float(n)) for n in range(count)]).latency for count in (99, 400)
    )
    assert few is not None
    assert many is not None
    assert (few.p95.low, few.p95.high) == (-inf, inf)
    assert many.p95.value == 379
    assert 340 < many.p95.low < 379 < many.p95.high < 399
    assert many.p50.low < 199 < many.p50.high


def test_failures_are_not_timed():
    rows = [row(0, {"m": 1.0}, latency_ms=10.0), row(1, {"m": 0.0}, latency_ms=30_000.0, error="timed_out")]
    latency = scoreboard(rows).latency
    assert latency is not None
    assert (latency.n, latency.p95.value) == (1, 10)


def test_confidence_gives_a_risk_coverage_curve_and_its_area():
    rows = [row(n, {"exact_match": float(n < 80)}, confidence=1 - n / 200) for n in range(120)]
    found = scoreboard(rows)
    area = found.metrics["aurc"]
    assert found.risk is not None
    assert found.risk.risk[79] == 0
    assert found.risk.risk[-1] == pytest.approx(1 / 3)
    assert area.lower_is_better
    assert area.value == pytest.approx(sum((n - 80) / n for n in range(81, 121)) / 120)
    assert area.low <= area.value <= area.high
    backwards = [row(n, {"exact_match": float(n < 80)}, confidence=n / 200) for n in range(120)]
    assert scoreboard(backwards).metrics["aurc"].value > 3 * area.value


def test_without_confidence_there_is_no_area():
    assert "aurc" not in scoreboard([row(n, {"exact_match": 1.0}) for n in range(120)]).metrics


def test_a_failure_is_the_least_sure_of_all_and_wrong():
    rows = [row(n, {"exact_match": 1.0}, confidence=0.5) for n in range(9)] + [row(9, {"exact_match": 0.0}, error="x")]
    area = scoreboard(rows).metrics["aurc"]
    assert area.value == pytest.approx(0.1 / 10)
    assert (area.n, area.failed) == (10, 1)


def test_the_json_is_the_documented_contract():
    rows = [
        row(n, {"exact_match": float(n % 2), "faithfulness": FAILED if n == 3 else 0.5}, tags=(f"t{n % 2}",))
        for n in range(60)
    ]
    shape = json.loads(json.dumps(scoreboard(rows).as_json(), allow_nan=False))
    for found in shape["metrics"].values():
        assert {"value", "low", "high", "n", "failed", "method"} <= set(found)
        assert 0 <= found["low"] <= found["value"] <= found["high"] <= 1
    assert shape["metrics"]["faithfulness"]["failed"] == 1


def test_nothing_gives_an_empty_board():
    found = scoreboard([])
    assert (found.metrics, found.cases, found.latency, found.cost.mean) == ({}, 0, None, None)
    json.dumps(found.as_json(), allow_nan=False)


def test_chosen_metrics_come_in_the_order_asked_for():
    rows = [row(n, {"a": 1.0, "b": 1.0, "c": 1.0}) for n in range(3)]
    assert list(scoreboard(rows, metrics=["c", "none", "a"]).metrics) == ["c", "a"]


def test_of_a_metric_at_several_cuts_one_comes_first():
    names = [
        "precision@1",
        "precision@5",
        "ndcg@5",
        "ndcg@10",
        "recall@3",
        "recall@7",
        "mrr",
        "evidence_recall@5",
        "evidence_recall@2000t",
    ]
    assert headline(names) == [
        "precision@5",
        "ndcg@10",
        "recall@7",
        "mrr",
        "evidence_recall@5",
        "evidence_recall@2000t",
    ]


def test_results_take_cluster_tags_and_kind_from_their_case():
    cases = [Case("a", "?", ("x",), (Evidence("d", "q"),), True, ("t",), "d"), Case("b", "?", answerable=False)]
    results = [
        Result(0, 0, "a", Output("x", confidence=0.7), {"em": Score(1.0)}, cost_usd=0.1, latency_ms=5.0),
        Result(1, 0, "b", None, {}, error="timed_out: late", cost_usd=None),
    ]
    first, second = rows_of(results, cases)
    assert (first.cluster, first.tags, first.confidence, first.cost_usd) == ("d", ("t",), 0.7, 0.1)
    assert (second.error, second.confidence) == ("timed_out: late", None)
    assert first.kind != second.kind


score = st.one_of(st.none(), st.floats(0, 1), st.sampled_from([0.0, 1.0]))
rows_given = st.lists(
    st.tuples(st.integers(0, 12), st.integers(0, 2), score, st.booleans(), st.sampled_from(["", "d1", "d2"])),
    max_size=40,
)


@given(rows_given)
def test_the_bounds_hold_every_completion_of_what_the_judge_left_open(given_rows):
    clusters = {}
    rows = [
        row(case, {"m": value}, replica=k, error="x" if failed else "", cluster=clusters.setdefault(case, cluster))
        for case, k, value, failed, cluster in given_rows
    ]
    if not rows:
        return
    found = metric(rows)
    rng = np.random.default_rng(0)
    for fill in (0.0, 1.0, None):
        filled = [
            row(one.ordinal, {"m": _fill(one, fill, rng)}, replica=one.replica, cluster=one.cluster) for one in rows
        ]
        complete = metric(filled)
        assert found.worst - 1e-12 <= complete.value <= found.best + 1e-12
        assert complete.n == found.n
        if fill is not None:
            assert found.low <= complete.low + 1e-12 or fill == 1.0
            assert complete.high <= found.high + 1e-12 or fill == 0.0


def _fill(one, fill, rng):
    if one.error:
        return 0.0
    value = one.scores["m"]
    if value is not None:
        return value
    return float(rng.random()) if fill is None else fill


@given(rows_given)
def test_the_order_of_the_rows_does_not_matter(given_rows):
    rows = [row(case, {"m": value}, replica=k, error="x" if failed else "") for case, k, value, failed, _ in given_rows]
    if not rows:
        return
    first, second = metric(rows), metric(list(reversed(rows)))
    assert (first.n, first.failed, first.method) == (second.n, second.failed, second.method)
    assert (first.low, first.high) == pytest.approx((second.low, second.high), abs=1e-12)


@pytest.mark.slow
def test_memory_is_under_a_kilobyte_a_case():
    def rows():
        draw = np.random.default_rng(0)
        for n in range(30_000):
            yield Row(
                n,
                f"c{n}",
                {"em": float(draw.random() < 0.7), "f1": draw.random()},
                cluster=f"d{n // 9}",
                tags=("a", "b")[: n % 3],
            )

    tracemalloc.start()
    try:
        found = scoreboard(Columns(rows()))
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 1_000 * 30_000
    assert found.metrics["em"].n == 30_000
    assert found.metrics["f1"].clusters == 3_334


def test_what_was_asked_for_and_is_not_there_is_said_and_nothing_else_is_shown():
    sure = [row(n, {"exact_match": 1.0}, confidence=0.5) for n in range(5)]
    assert list(scoreboard(sure, metrics=["exact_match"]).metrics) == ["exact_match"]
    assert list(scoreboard(sure, metrics=["aurc", "exact_match"]).metrics) == ["aurc", "exact_match"]
    unsure = scoreboard([row(n, {"exact_match": 1.0}) for n in range(5)], metrics=["exact_match", "recall@5", "aurc"])
    assert unsure.notes[1:] == (
        "No aurc: the answers have no confidence.",
        "No recall@5: no case or no answer has what it is computed from.",
    )
