"""Two runs case by case: pairs only, nothing dropped silently, and no verdict but from the interval."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from assay.evals.columns import Row
from assay.evals.diff import diff
from assay.stats import paired_interval


def rows(scores, *, errors=(), name="m", cluster=lambda _case: "", start=0):
    return [
        Row(start + n, case, {name: value}, error="x" if case in errors else "", cluster=cluster(case))
        for n, (case, value) in enumerate(scores.items())
    ]


def test_gained_lost_and_same_are_counted_and_the_largest_change_comes_first():
    a = {"q1": 0.0, "q2": 1.0, "q3": 0.5, "q4": 0.5}
    b = {"q1": 0.4, "q2": 0.0, "q3": 0.5, "q4": 0.7}
    found = diff(rows(a), rows(b))
    metric = found.metrics["m"]
    assert (metric.gained, metric.lost, metric.same, metric.n) == (2, 1, 1, 4)
    assert [(case.case_id, case.kind) for case in found.cases] == [("q2", "lost"), ("q1", "gained"), ("q4", "gained")]
    assert found.cases[0].scores == {"m": (1.0, 0.0)}
    assert found.cases[0].change == -1
    assert found.counts["same"] == 1
    assert sum(found.counts.values()) == found.paired == 4


def test_the_difference_is_the_paired_interval_and_says_which_way():
    a = {f"q{n}": float(n % 2) for n in range(60)}
    b = dict.fromkeys(a, 1.0)
    found = diff(rows(a), rows(b)).metrics["m"]
    expected = paired_interval(list(a.values()), list(b.values()))
    assert (found.difference.low, found.difference.high) == (expected.low, expected.high)
    assert found.verdict == "higher"
    assert diff(rows(b), rows(a)).metrics["m"].verdict == "lower"
    assert diff(rows(a), rows(a)).metrics["m"].verdict == "undecided"


def test_clusters_widen_the_difference():
    a = {f"q{n}": 0.0 for n in range(400)}
    b = {f"q{n}": float(n // 10 % 4 == 0) for n in range(400)}
    alone = diff(rows(a), rows(b)).metrics["m"].difference
    together = (
        diff(*(rows(run, cluster=lambda case: f"d{int(case[1:]) // 10}") for run in (a, b))).metrics["m"].difference
    )
    assert together.half_width > 2 * alone.half_width


def test_a_long_list_is_cut_and_says_how_many_changed():
    a = {f"q{n}": 0.0 for n in range(9)}
    found = diff(rows(a), rows(dict.fromkeys(a, 1.0)), most_cases=4)
    assert (len(found.cases), found.changed) == (4, 9)


def test_cases_pair_by_id_whatever_their_place():
    a, b = {"q1": 1.0, "q2": 0.0}, {"q2": 0.0, "q1": 1.0}
    found = diff(rows(a), rows(b, start=7))
    assert found.counts["same"] == 2
    changed = diff(rows(a), rows({"q2": 1.0, "q1": 1.0}, start=7)).cases[0]
    assert (changed.case_id, changed.ordinals) == ("q2", (1, 7))


def test_cases_of_one_run_alone_are_counted_and_named():
    found = diff(rows({"q1": 1.0, "q2": 1.0}), rows({"q2": 1.0, "q3": 1.0, "q4": 0.0}))
    assert (found.paired, found.only_a, found.only_b, found.named) == (1, 1, 2, ("q1", "q3", "q4"))
    assert "different cases: 1 only in A, 2 only in B" in found.notes[0]


def test_runs_without_a_common_case_have_no_metric():
    found = diff(rows({"q1": 1.0}), rows({"q2": 1.0}))
    assert (found.paired, found.metrics, found.cases) == (0, {}, ())


def test_newly_failing_and_no_longer_failing_are_named_so():
    a, b = {"q1": 0.0, "q2": 0.0, "q3": 1.0}, {"q1": 0.0, "q2": 0.5, "q3": 1.0}
    found = diff(rows(a, errors=("q2",)), rows(b, errors=("q1", "q3")))
    kinds = {case.case_id: case.kind for case in found.cases}
    assert kinds == {"q1": "newly failing", "q2": "no longer failing", "q3": "newly failing"}
    assert found.cases[0].case_id == "q3"


def test_what_the_judge_left_open_counts_against_and_for_b():
    a = {f"q{n}": 1.0 for n in range(40)}
    b = a | {f"q{n}": None for n in range(10)}
    found = diff(rows(a), rows(b)).metrics["m"]
    assert (found.unscored, found.same, found.n) == (10, 30, 40)
    assert found.difference.value == 0
    against = paired_interval([1.0] * 40, [0.0] * 10 + [1.0] * 30)
    assert found.difference.low == against.low
    assert found.verdict == "undecided"
    cases = diff(rows(a), rows(b)).cases
    assert {case.kind for case in cases} == {"unscored"}
    assert cases[0].scores["m"] == (1.0, None)


def test_metrics_of_one_run_alone_are_said_to_be_left_out():
    a = [Row(0, "q1", {"m": 1.0, "old": 1.0})]
    b = [Row(0, "q1", {"m": 1.0, "new": 1.0})]
    found = diff(a, b)
    assert list(found.metrics) == ["m"]
    assert "Only A has old: not compared." in found.notes
    assert "Only B has new: not compared." in found.notes


def test_a_metric_that_applies_in_one_run_alone_is_counted():
    a = [Row(0, "q1", {"m": 1.0}), Row(1, "q2", {"m": 1.0})]
    b = [Row(0, "q1", {"m": 1.0}), Row(1, "q2", {})]
    found = diff(a, b)
    assert (found.metrics["m"].n, found.metrics["m"].only_a) == (1, 1)
    assert any("one run alone" in note for note in found.notes)


def test_several_metrics_come_with_a_warning_about_chance():
    a = [Row(n, f"q{n}", {"m": 1.0, "o": 0.5}) for n in range(5)]
    found = diff(a, a)
    assert any("one in 20 still looks changed" in note for note in found.notes)


def test_a_case_that_gains_one_metric_and_loses_another_is_mixed():
    (case,) = diff([Row(0, "q", {"m": 1.0, "o": 0.2})], [Row(0, "q", {"m": 0.9, "o": 0.7})]).cases
    assert (case.kind, case.change) == ("mixed", pytest.approx(0.5))


scores = st.dictionaries(
    st.sampled_from([f"q{n}" for n in range(8)]), st.one_of(st.none(), st.sampled_from([0.0, 0.25, 1.0])), min_size=1
)


@given(scores, scores, st.sets(st.sampled_from(["q0", "q1", "q2"])))
def test_swapping_the_runs_mirrors_everything(a, b, errors):
    forth, back = diff(rows(a, errors=errors), rows(b)), diff(rows(b), rows(a, errors=errors))
    assert (forth.paired, forth.only_a, forth.only_b) == (back.paired, back.only_b, back.only_a)
    mirror = {
        "gained": "lost",
        "lost": "gained",
        "newly failing": "no longer failing",
        "no longer failing": "newly failing",
    }
    assert {mirror.get(kind, kind): count for kind, count in forth.counts.items()} == back.counts
    for name, metric in forth.metrics.items():
        other = back.metrics[name]
        assert (metric.gained, metric.lost, metric.unscored) == (other.lost, other.gained, other.unscored)
        assert metric.difference.value == pytest.approx(-other.difference.value)
        assert (metric.difference.low, metric.difference.high) == pytest.approx(
            (-other.difference.high, -other.difference.low)
        )
        assert metric.gained + metric.lost + metric.same + metric.unscored == metric.n
    json.dumps(forth.as_json(), allow_nan=False)
