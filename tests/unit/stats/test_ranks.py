"""Rank correlations equal SciPy's, and their intervals say what resampling whole clusters says."""

import numpy as np
import pytest
import scipy.stats
from hypothesis import given
from hypothesis import strategies as st

from assay.stats.ranks import kendall_tau, rank_agreement, spearman_rho

ROWS = st.integers(2, 8).flatmap(
    lambda n: st.tuples(*(st.lists(st.integers(0, 4), min_size=n, max_size=n) for _ in range(2)))
)


@given(ROWS)
def test_correlations_equal_scipys(rows: tuple[list[float], list[float]]) -> None:
    first, second = rows
    if len(set(first)) == 1 or len(set(second)) == 1:
        assert kendall_tau(first, second) == spearman_rho(first, second) == 0
        return
    assert kendall_tau(first, second) == pytest.approx(scipy.stats.kendalltau(first, second).statistic)
    assert spearman_rho(first, second) == pytest.approx(scipy.stats.spearmanr(first, second).statistic)


def _scores(rng: np.random.Generator, means: np.ndarray, *, clusters: int, size: int = 5) -> np.ndarray:
    """Cases of shape (clusters * size, configurations); cases of a cluster share most of what they vary by."""
    shared = np.repeat(rng.normal(0, 0.3, (clusters, len(means))), size, axis=0)
    return means + shared + rng.normal(0, 0.1, (clusters * size, len(means)))


def test_a_set_that_measures_the_same_agrees_and_one_that_measures_the_opposite_does_not() -> None:
    rng = np.random.default_rng(1)
    means = np.array([0.1, 0.3, 0.5, 0.7, 0.9])
    labels = np.repeat(np.arange(40), 5)
    second = _scores(rng, means, clusters=40)
    same = rank_agreement(_scores(rng, means, clusters=40), second, clusters_first=labels, clusters_second=labels + 40)
    assert same.kendall.value == same.spearman.value == 1
    assert same.kendall.low > 0.5
    assert same.same_best > 0.9
    assert (same.regret.value, same.regret.low) == (0, 0)
    assert same.ceiling > 0.9
    opposite = rank_agreement(
        _scores(rng, -means, clusters=40), second, clusters_first=labels, clusters_second=labels + 40
    )
    assert opposite.kendall.high < -0.5
    assert opposite.same_best < 0.1
    assert opposite.regret.value == pytest.approx(0.8, abs=0.15)


def test_cases_of_one_cluster_are_drawn_together_and_shared_clusters_with_both_sets() -> None:
    rng = np.random.default_rng(2)
    means = np.linspace(0, 0.3, 5)
    scores = _scores(rng, means, clusters=20)
    labels = np.repeat(np.arange(20), 5)
    # The same cases on both sides under the same names: every draw ranks both alike.
    joint = rank_agreement(scores, scores, clusters_first=labels, clusters_second=labels)
    assert joint.kendall.low == 1
    apart = rank_agreement(scores, scores, clusters_first=labels, clusters_second=labels + 100)
    assert apart.kendall.low < 0.9
    alone = rank_agreement(scores, scores, clusters_first=np.arange(100), clusters_second=np.arange(100) + 1000)
    assert apart.kendall.low < alone.kendall.low  # ignoring clusters makes it look surer than it is
    assert apart.kendall.n == 20


def test_a_draw_takes_as_many_clusters_as_there_are() -> None:
    # Two clusters: in the first set one prefers configuration 0 strongly, the other configuration 1 a little.
    first = np.array([[1.0, 0.0, 0.0], [0.4, 0.5, 0.0]])
    second = np.array([[1.0, 0.0, 0.0], [1.0, 0.0, 0.0]])
    found = rank_agreement(first, second, clusters_first=["a", "b"], clusters_second=["a", "b"])
    assert found.same_best == pytest.approx(0.75, abs=0.03)  # all but the draws that take the second cluster twice


def test_the_interval_covers_the_true_ranking_and_the_ceiling_what_a_faultless_set_reaches() -> None:
    rng = np.random.default_rng(3)
    means = np.linspace(0, 0.5, 6)
    labels = np.repeat(np.arange(30), 5)
    covered, reached, ceilings = 0, [], []
    for _ in range(40):
        first, second = (_scores(rng, means, clusters=30) for _ in range(2))
        found = rank_agreement(first, second, clusters_first=labels, clusters_second=labels + 30, draws=300)
        covered += found.kendall.high == 1  # both measure the same: the true correlation is 1
        reached.append(found.kendall.value)
        ceilings.append(found.ceiling)
    assert covered >= 37
    assert np.mean(ceilings) == pytest.approx(np.mean(reached), abs=0.1)


@pytest.mark.parametrize("shape", [(5, 2), (0, 4), (5,)])
def test_what_cannot_be_ranked_is_refused(shape: tuple[int, ...]) -> None:
    scores = np.zeros(shape)
    with pytest.raises(ValueError, match="configurations"):
        rank_agreement(scores, scores, clusters_first=range(len(scores)), clusters_second=range(len(scores)))
