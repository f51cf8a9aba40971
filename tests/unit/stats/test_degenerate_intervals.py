"""Where the data say little, the interval says so: one case, all ties, no spread, one cluster, clusters of one."""

from math import inf

import numpy as np
import pytest

from assay.stats import (
    bonett_price,
    clopper_pearson,
    clustered_t,
    mean_interval,
    newcombe10,
    paired_interval,
    t_interval,
    wilson,
)


def test_nothing_counted_is_the_whole_scale():
    for interval in (wilson(0, 0), clopper_pearson(0, 0), mean_interval([])):
        assert (interval.low, interval.high, interval.method) == (0, 1, "none")
    assert (newcombe10(0, 0, 0, 0).low, bonett_price(0, 0, 0).high) == (-1, 1)


def test_impossible_counts_are_refused():
    for wrong in (
        lambda: wilson(3, 2),
        lambda: wilson(-1, 2),
        lambda: newcombe10(1, -1, 0, 0),
        lambda: bonett_price(2, 2, 3),
    ):
        with pytest.raises(ValueError, match="count"):
            wrong()


@pytest.mark.parametrize("alpha", [0.0, 1.0, -0.1, float("nan")])
def test_alpha_must_be_a_probability(alpha):
    with pytest.raises(ValueError, match="alpha"):
        wilson(1, 2, alpha=alpha)
    with pytest.raises(ValueError, match="alpha"):
        paired_interval([0.1, 0.2, 0.4], [0.2, 0.1, 0.9], alpha=alpha)


def test_one_value_has_infinite_limits():
    assert (t_interval([3.0]).low, t_interval([3.0]).high) == (-inf, inf)
    assert t_interval([]).method == "none"
    assert clustered_t([1.0, 2.0], ["a", "a"]).method == "none"


def test_one_case_gets_no_interval_but_the_ends_of_the_scale():
    for first, second in ((0, 1), (1, 1), (0.5, 0.7)):
        interval = paired_interval([first], [second])
        assert (interval.low, interval.high, interval.method) == (-1, 1, "none")
    unknown_scale = paired_interval([3], [5])
    assert (unknown_scale.value, unknown_scale.low, unknown_scale.high) == (2, -inf, inf)


def test_one_cluster_gets_no_interval():
    rng = np.random.default_rng(0)
    interval = paired_interval(rng.random(50) < 0.5, rng.random(50) < 0.9, clusters=["doc"] * 50)
    assert (interval.low, interval.high, interval.method, interval.n) == (-1, 1, "none", 1)


def test_five_clusters_are_too_few_for_any_sign_flip():
    interval = paired_interval([0.0] * 50, [1.0] * 50, clusters=np.arange(50) // 10)
    assert (interval.low, interval.high, interval.method) == (-1, 1, "none")
    assert "too few" in interval.reason


def test_six_clusters_that_all_win_are_enough():
    interval = paired_interval([0.0] * 60, [1.0] * 60, clusters=np.arange(60) // 10)
    assert interval.low > 0


@pytest.mark.parametrize("n", [2, 20, 99, 500])
def test_all_ties_have_width(n):
    right_or_wrong = np.arange(n) % 2
    for scores in (right_or_wrong, np.linspace(0.1, 0.9, n)):
        interval = paired_interval(scores, scores)
        assert interval.value == 0
        assert interval.low < 0 < interval.high
        assert interval.high > 1 / n  # one case in n that changes would not have been seen for sure


def test_twenty_ties_are_about_eight_points_wide():
    interval = paired_interval([1] * 10 + [0] * 10, [1] * 10 + [0] * 10)
    assert 0.05 < interval.high < 0.2


def test_all_tied_at_one_value_of_an_unknown_scale_gets_no_interval():
    assert paired_interval([5, 5, 5], [5, 5, 5]).high == inf


def test_equal_changes_do_not_make_a_certainty():
    """Zero variance is not zero doubt: twenty cases better by exactly .1 each."""
    interval = paired_interval([0.5] * 20, [0.6] * 20)
    assert 0 < interval.low < 0.1
    assert interval.high > 0.1


def test_a_handful_of_wins_is_no_direction():
    for wins in range(1, 6):
        scores = [0] * wins + [1] * 30
        interval = paired_interval(scores, [1] * (wins + 30))
        assert interval.low <= 0 < interval.high
    assert paired_interval([0] * 8 + [1] * 30, [1] * 38).low > 0


def test_clusters_of_one_are_no_clusters():
    rng = np.random.default_rng(1)
    first, second = rng.random(200), rng.random(200)
    assert paired_interval(first, second, clusters=list(range(200))) == paired_interval(first, second)


def test_cluster_labels_may_be_anything_hashable():
    first, second = [0, 1] * 20, [1, 1] * 20
    by_name = paired_interval(first, second, clusters=[f"d{i % 8}" for i in range(40)])
    by_number = paired_interval(first, second, clusters=[i % 8 for i in range(40)])
    by_array = paired_interval(first, second, clusters=np.arange(40) % 8)
    assert by_name == by_number
    assert (by_array.low, by_array.high) == pytest.approx((by_name.low, by_name.high))


def test_scores_that_are_not_numbers_or_pairs_are_refused():
    with pytest.raises(ValueError, match="pairs"):
        paired_interval([1], [1, 2])
    with pytest.raises(ValueError, match="pairs"):
        paired_interval([], [])
    with pytest.raises(ValueError, match="finite"):
        paired_interval([1, float("nan")], [1, 2])
    with pytest.raises(ValueError, match="clusters"):
        paired_interval([1, 2], [1, 2], clusters=["a"])
    with pytest.raises(ValueError, match="one-dimensional"):
        paired_interval([[1], [2]], [[1], [2]])


def test_rounding_dust_is_a_tie():
    first = np.full(30, 0.1 + 0.2)
    assert paired_interval(first, np.full(30, 0.3)).value == 0


@pytest.mark.parametrize(
    ("first", "second", "clusters", "method"),
    [
        ([0, 1] * 20, [1, 1] * 20, None, "newcombe-10"),
        ([0, 1] * 200, [1, 1] * 200, None, "t"),
        ([0, 1] * 200, [0, 1] * 195 + [1, 1] * 5, None, "newcombe-10"),
        (np.linspace(0, 0.8, 40), np.linspace(0.1, 1, 40), None, "adjusted-t"),
        (np.linspace(0, 0.8, 400), np.linspace(0.1, 1, 400), None, "t"),
        (np.linspace(0, 0.8, 400), np.linspace(0.1, 1, 400), np.arange(400) // 4, "clustered-t"),
        (np.linspace(0, 0.8, 400), np.linspace(0.1, 1, 400), np.arange(400) // 16, "cluster-sign-flip"),
        (np.linspace(0, 0.8, 400), np.linspace(0.1, 1, 400), np.arange(400) // 40, "cluster-sign-flip+adjusted-t"),
        ([0.5] * 400, [0.5] * 398 + [0.7] * 2, np.arange(400) // 4, "clustered-adjusted-t"),
    ],
)
def test_the_rule_says_what_it_chose_and_why(first, second, clusters, method):
    interval = paired_interval(first, second, clusters=clusters)
    assert interval.method == method
    assert interval.reason


def test_thirty_clusters_worth_eight_are_few():
    """The size of clusters counts, not their number: one cluster with a third of all cases."""
    sizes = [60] + [4] * 35
    labels = np.repeat(np.arange(36), sizes)
    rng = np.random.default_rng(2)
    interval = paired_interval(rng.random(200), rng.random(200), clusters=labels)
    assert interval.method == "cluster-sign-flip"


def test_mean_interval_of_one_system():
    few, right = mean_interval([True] * 9 + [False]), mean_interval([True] * 27 + [False] * 3)
    assert (few.method, right.method) == ("clopper-pearson", "wilson")
    assert (few.low, few.high) == (clopper_pearson(9, 10).low, clopper_pearson(9, 10).high)
    assert (right.low, right.high) == (wilson(27, 30).low, wilson(27, 30).high)
    assert mean_interval([0.5, 0.7] * 10).method == "clopper-pearson"
    assert mean_interval([0.5, 0.7] * 20).method == "wilson"
    assert mean_interval([1.0] * 180 + [0.7] * 20).method == "wilson"
    assert mean_interval([0.5, 0.7] * 100).method == "t"
    perfect = mean_interval([1.0] * 40, clusters=np.arange(40) // 10)
    assert perfect.low < 0.5
    assert perfect.high == 1
    assert mean_interval([1.0, 0.0], clusters=["a", "a"]).method == "none"
    with pytest.raises(ValueError, match="between 0 and 1"):
        mean_interval([2.0])


def test_a_cluster_of_cases_widens_the_score():
    scores = np.repeat([1, 0, 1, 1, 0, 1, 1, 1, 0, 1], 20)
    alone, together = mean_interval(scores), mean_interval(scores, clusters=np.arange(200) // 20)
    assert together.half_width > 2 * alone.half_width
