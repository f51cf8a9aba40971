"""The comparison: verdicts, odd input named and counted, cost and latency beside the score."""

import math

import numpy as np
import pytest

from assay.decisions.compare import Scored, compare, comparison_shape
from assay.decisions.sentence import outlook, sentence, side_effects
from assay.errors import BadInput
from assay.stats import newcombe10


def results(scores, **columns):
    """Results of cases q0, q1, ... with columns cluster, cost_usd, latency_ms."""
    names = ("cluster", "cost_usd", "latency_ms")
    extra = [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)] or [{}] * len(scores)
    assert all(name in names for name in columns)
    return [Scored(f"q{i}", score, **extra[i]) for i, score in enumerate(scores)]


def test_better_worse_and_undecided():
    low, high = results([0, 1] * 50), results([1, 1] * 40 + [0, 1] * 10)
    assert compare(low, high).verdict == "BETTER"
    assert compare(high, low).verdict == "WORSE"
    assert compare(low, low).verdict == "UNDECIDED"


def test_the_numbers_are_the_methods():
    comparison = compare(results([1, 1, 0, 0] * 10), results([1, 1, 1, 0] * 10))
    expected = newcombe10(20, 10, 0, 10)
    assert (comparison.difference.low, comparison.difference.high) == (expected.low, expected.high)
    assert (comparison.wins, comparison.losses, comparison.ties, comparison.n) == (10, 0, 30, 40)
    assert (comparison.incumbent_mean, comparison.candidate_mean) == (0.5, 0.75)


def test_pairs_are_made_by_case_not_by_line():
    first = results(np.linspace(0, 1, 50).tolist())
    assert compare(first, first[::-1]).ties == 50


def test_lower_is_better_turns_the_verdict_and_keeps_above_zero_good():
    errors, fewer = results([3.0, 5.0] * 30), results([1.0, 2.0] * 30)
    assert compare(errors, fewer).verdict == "WORSE"
    comparison = compare(errors, fewer, lower_is_better=True)
    assert comparison.verdict == "BETTER"
    assert comparison.difference.low > 0
    assert comparison.wins == 60
    assert "better than A by 2.50" in sentence(comparison)


def test_unpaired_cases_are_counted_and_named():
    first = [*results([0.5] * 10), Scored("old", 1.0)]
    second = [*results([0.6] * 10), *(Scored(f"new{i}", 1.0) for i in range(9))]
    comparison = compare(first, second)
    assert comparison.n == 10
    assert (comparison.unpaired.incumbent, comparison.unpaired.candidate) == (1, 9)
    assert "1 case only in A, 9 cases only in B (old, new0, new1, new2, new3, ...)" in comparison.notes[0]
    assert comparison.difference.value == pytest.approx(0.1)


def test_no_pair_at_all_is_refused_with_both_names():
    with pytest.raises(BadInput, match=r"'a'.*'b'") as caught:
        compare([Scored("a", 1.0)], [Scored("b", 1.0)])
    assert "case" in caught.value.hint
    with pytest.raises(BadInput, match="nothing"):
        compare([], [Scored("b", 1.0)])


def test_repeats_are_averaged_first_and_said():
    first = results([0.0, 1.0] * 20)
    second = [Scored(row.case, value) for row in first for value in (0.0, 1.0, 1.0, 0.0)]
    comparison = compare(first, second)
    assert comparison.n == 40
    assert comparison.candidate_mean == 0.5
    assert comparison.notes == ("Repeated in B: 40 cases, averaged before pairing.",)


@pytest.mark.parametrize("failure", [None, math.nan, math.inf, -math.inf])
def test_a_failed_case_scores_worst_and_stays(failure):
    comparison = compare(results([0.5] * 10), results([0.5] * 9 + [failure]))
    assert comparison.n == 10
    assert comparison.losses == 1
    assert comparison.difference.value == pytest.approx(-0.05)
    assert comparison.notes == ("Failed, so no score: 1 result of B, counted as 0, the worst.",)


def test_a_failed_case_is_no_gift_where_lower_is_better():
    comparison = compare(results([0.5] * 10), results([0.5] * 9 + [None]), lower_is_better=True)
    assert comparison.losses == 1
    assert "counted as 1, the worst" in comparison.notes[0]


def test_a_failed_case_on_an_unknown_scale_is_refused():
    with pytest.raises(BadInput, match="'q1' in B has no score") as caught:
        compare(results([3, 4]), results([4, None]))
    assert "scale" in caught.value.hint


def test_nothing_but_failures_is_refused():
    with pytest.raises(BadInput, match="No score"):
        compare(results([None] * 3), results([math.nan] * 3))


def test_one_side_of_failures_is_worse():
    comparison = compare(results([1] * 20), results([None] * 20))
    assert comparison.verdict == "WORSE"


def test_a_score_beyond_all_measure_is_refused():
    with pytest.raises(BadInput, match="1e100"):
        compare(results([1e200]), results([0.0]))


@pytest.mark.parametrize("alpha", [0, 1, math.nan])
def test_alpha_that_is_no_level_is_refused(alpha):
    with pytest.raises(BadInput, match="alpha"):
        compare(results([1]), results([1]), alpha=alpha)


def test_one_case_decides_nothing():
    comparison = compare(results([0]), results([1]))
    assert comparison.verdict == "UNDECIDED"
    assert (comparison.difference.low, comparison.difference.high) == (-1, 1)
    assert comparison.detectable is None
    assert "no interval" in sentence(comparison)
    shape = comparison_shape(compare(results([7]), results([9])))
    assert (shape["difference"]["low"], shape["difference"]["high"]) == (None, None)


def test_five_wins_and_no_loss_are_undecided_with_a_limit_at_zero():
    comparison = compare(results([0] * 5 + [1] * 30), results([1] * 35))
    assert comparison.difference.low == 0
    assert comparison.verdict == "UNDECIDED"
    assert "too few to show a direction" in comparison.difference.reason


def test_all_ties_are_undecided_with_width():
    comparison = compare(results([0, 1] * 10), results([0, 1] * 10))
    assert comparison.verdict == "UNDECIDED"
    assert comparison.difference.high > 0.03
    assert comparison.ties == 20
    assert "the same as A" in sentence(comparison)
    assert "4 times in 5" in outlook(comparison)


def test_clusters_stay_whole():
    labels = [f"d{i // 10}" for i in range(300)]
    base = [0.5] * 300
    changed = [0.9 if (i // 10) % 3 else 0.1 for i in range(300)]
    together = compare(results(base, cluster=labels), results(changed, cluster=labels))
    alone = compare(results(base), results(changed))
    assert (together.clusters, alone.clusters) == (30, None)
    assert together.difference.half_width > 2 * alone.difference.half_width
    assert "in 30 clusters" in sentence(together)


def test_clusters_of_one_are_said_to_be_none():
    labels = [f"d{i}" for i in range(40)]
    first, second = [0, 1] * 20, [1] * 40
    clustered = compare(results(first, cluster=labels), results(second, cluster=labels))
    assert clustered.clusters == 40
    assert clustered.difference == compare(results(first), results(second)).difference
    assert clustered.notes == ("Every cluster holds one case, which is the same as no clusters.",)


def test_a_cluster_may_be_named_in_one_file_only():
    labels = [f"d{i // 4}" for i in range(40)]
    first, second = results([0, 1] * 20, cluster=labels), results([1] * 40)
    assert compare(first, second).clusters == compare(second, first).clusters == 10


def test_a_cluster_that_disagrees_is_refused_by_name():
    with pytest.raises(BadInput, match=r"'q1'.*'x'.*'y'"):
        compare(results([0, 1], cluster=["x", "x"]), results([0, 1], cluster=["x", "y"]))


def test_a_case_without_a_cluster_is_its_own():
    comparison = compare(
        results([0, 1] * 10, cluster=["d"] * 10 + [None] * 10), results([1] * 20, cluster=["d"] * 10 + [None] * 10)
    )
    assert comparison.clusters == 11
    assert comparison.notes == ("Without a cluster: 10 cases, each counted as its own.",)


def test_cost_and_latency_beside_the_score():
    rng = np.random.default_rng(1)
    cost, latency = rng.lognormal(-6, 0.3, 200), rng.lognormal(6, 0.4, 200)
    first = results([1] * 200, cost_usd=cost.tolist(), latency_ms=latency.tolist())
    second = results([1] * 200, cost_usd=(cost * 0.5).tolist(), latency_ms=(latency * 2).tolist())
    comparison = compare(first, second)
    shape = comparison_shape(comparison)
    assert shape["cost"]["incumbent_usd"] == pytest.approx(cost.sum())
    assert shape["cost"]["candidate_usd"] == pytest.approx(cost.sum() / 2)
    assert shape["cost"]["ratio"] == pytest.approx({"value": 0.5, "low": 0.5, "high": 0.5, "method": "bootstrap"})
    assert shape["latency"]["incumbent_p95_ms"] == np.sort(latency)[189]
    assert shape["latency"]["ratio"]["value"] == pytest.approx(2)
    assert shape["latency"]["difference_ms"]["low"] > 0
    assert (
        side_effects(comparison) == "Beside it: cost down 50% (-50% to -50%) and p95 latency up 100% (+100% to +100%)."
    )


def test_too_few_cases_give_the_amounts_without_an_interval():
    comparison = compare(results([1] * 99, cost_usd=[0.1] * 99), results([1] * 99, cost_usd=[0.2] * 99))
    assert comparison.cost.candidate == pytest.approx(19.8)
    assert comparison.cost.ratio is None
    labels = [f"d{i // 10}" for i in range(200)]
    clustered = results([1] * 200, cost_usd=[0.1] * 200, latency_ms=[5.0] * 200, cluster=labels)
    comparison = compare(clustered, clustered)
    assert (comparison.cost.ratio, comparison.latency.ratio) == (None, None)
    assert side_effects(comparison) == ""


def test_only_cases_priced_and_timed_on_both_sides_count():
    first = results([1] * 4, cost_usd=[1.0, 2.0, None, 4.0], latency_ms=[10.0, None, 30.0, 40.0])
    second = results([1] * 4, cost_usd=[1.0, None, 3.0, 4.0], latency_ms=[None, 20.0, 31.0, 41.0])
    comparison = compare(first, second)
    assert (comparison.cost.incumbent, comparison.cost.candidate, comparison.cost.pairs) == (5, 5, 2)
    assert (comparison.latency.incumbent, comparison.latency.candidate, comparison.latency.pairs) == (40, 41, 2)
    nothing = compare(first[:1], [Scored("q0", 1.0)])
    assert (nothing.cost, nothing.latency) == (None, None)


def test_a_free_incumbent_has_no_ratio():
    shape = comparison_shape(
        compare(results([1] * 150, cost_usd=[0.0] * 150), results([1] * 150, cost_usd=[0.1] * 150))
    )
    assert shape["cost"]["incumbent_usd"] == 0
    assert shape["cost"]["ratio"] is None


def test_repeats_keep_every_latency_and_average_the_cost():
    first = results([1] * 3, cost_usd=[1.0] * 3, latency_ms=[10.0] * 3)
    second = [Scored("q0", 1.0, None, cost, late) for cost, late in ((1.0, 10.0), (3.0, 90.0))] + first[1:]
    comparison = compare(first, second)
    assert comparison.cost.candidate == 4
    assert comparison.latency.candidate == 90


def test_a_limit_near_zero_never_reads_as_zero():
    rng = np.random.default_rng(1)
    first = rng.uniform(0.2, 0.5, 400)
    change = rng.normal(0, 0.1, 400)
    change += 1e-5 - change.mean() + 1.9659 * change.std(ddof=1) / 20
    comparison = compare(results(first.tolist()), results((first + change).tolist()))
    assert comparison.verdict == "BETTER"
    assert 0 < comparison.difference.low < 1e-4
    near = sentence(comparison).split("interval ")[1].split(" to ")[0]
    assert float(near) > 0


def test_words_of_a_worse_and_of_an_own_scale():
    worse = sentence(compare(results([1] * 40), results([0, 1] * 20)))
    assert worse.startswith("B is worse than A by 50.0 points (95% interval ")
    assert "-" not in worse
    own = sentence(compare(results([3.0, 4.0] * 60), results([3.5, 5.0] * 60), alpha=0.1))
    assert own.startswith("B is better than A by 0.75")
    assert "points" not in own
    assert "90% interval" in own


def test_what_only_one_side_recorded_is_said():
    scores = [0, 1] * 10
    priced = results(scores, cost_usd=[0.01] * 20)
    assert compare(results(scores), priced).notes == ("Only B has cost_usd, so it is not compared.",)
    assert compare(priced, results(scores)).notes == ("Only A has cost_usd, so it is not compared.",)
    assert compare(priced, priced).notes == ()
    timed = results(scores, latency_ms=[10.0] * 20)
    assert compare(results(scores), timed).notes == ("Only B has latency_ms, so it is not compared.",)
