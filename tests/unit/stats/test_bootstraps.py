"""The bootstrap's fast paths against its plain one, against formulas, and on what has no answer."""

import numpy as np
import pytest

from assay.stats.bootstrap import (
    bootstrap,
    bootstrap_mean,
    bootstrap_means,
    bootstrap_quantile_change,
    bootstrap_ratio,
    quantile,
)


def test_the_mean_agrees_with_the_plain_bootstrap_and_with_t():
    values = np.random.default_rng(1).normal(2, 1, 300)
    fast, plain = bootstrap_mean(values), bootstrap(np.mean, values)
    half = 1.96 * values.std(ddof=1) / np.sqrt(300)
    for interval in (fast, plain):
        assert interval.value == pytest.approx(values.mean())
        assert (interval.low, interval.high) == pytest.approx((values.mean() - half, values.mean() + half), abs=0.015)


@pytest.mark.parametrize("cases", [1, 300, 5_000])
def test_means_of_columns_have_the_intervals_of_each_alone(cases):
    columns = np.random.default_rng(9).random((cases, 3))
    for column, together in zip(columns.T, bootstrap_means(columns, draws=200), strict=True):
        alone = bootstrap_mean(column, draws=200)
        assert (together.n, together.method) == (alone.n, alone.method)
        expected = (alone.value, alone.low, alone.high)
        assert (together.value, together.low, together.high) == pytest.approx(expected, abs=1e-12)


def test_means_of_no_cases_are_refused():
    with pytest.raises(ValueError, match="at least one"):
        bootstrap_means(np.empty((0, 2)))
    assert bootstrap_means(np.empty((4, 0))) == []


def test_blocks_of_many_cases_give_the_width_of_single_cases():
    rng = np.random.default_rng(2)
    before = rng.lognormal(0, 1, 20_000)
    after = before * rng.lognormal(0, 0.3, 20_000)
    blocked = bootstrap_ratio(after, before)
    residual = (after - blocked.value * before) / before.mean()
    assert blocked.half_width == pytest.approx(1.96 * residual.std() / np.sqrt(20_000), rel=0.08)


def test_whole_clusters_are_resampled():
    values, clusters = np.repeat(np.random.default_rng(3).normal(size=60), 20), np.arange(1_200) // 20
    alone, together = bootstrap_mean(values), bootstrap_mean(values, clusters=clusters)
    assert together.half_width == pytest.approx(alone.half_width * np.sqrt(20), rel=0.15)
    assert together.half_width == pytest.approx(bootstrap(np.mean, values, clusters=clusters).half_width, rel=0.1)
    assert together.method == "cluster-bootstrap"


def test_the_quantile_agrees_with_the_plain_bootstrap():
    rng = np.random.default_rng(4)
    before = rng.lognormal(5, 0.5, 400)
    after = before * rng.lognormal(0.1, 0.2, 400)
    units = np.arange(400)
    change = bootstrap_quantile_change(before, after, units_first=units, units_second=units, draws=3_000)
    plain = bootstrap(lambda a, b: quantile(b, 0.95) / quantile(a, 0.95), before, after, draws=3_000)
    assert (change.first, change.second) == (quantile(before, 0.95), quantile(after, 0.95))
    assert change.ratio.value == plain.value
    assert (change.ratio.low, change.ratio.high) == pytest.approx((plain.low, plain.high), abs=0.02)


def test_the_tail_is_looked_at_as_far_as_it_must():
    """One unit holds the highest tenth of all values: draws without it need values far below the usual tail."""
    values = np.arange(1_000.0)
    units = np.where(values >= 900, 0, np.arange(1_000))
    change = bootstrap_quantile_change(values, np.zeros(1_000), units_first=units, units_second=units)
    assert change.difference.value == -949
    assert change.difference.high > -900
    assert change.difference.low < -950


def test_a_quantile_is_a_value_that_was_seen():
    assert quantile([1, 2, 3, 4], 0.5) == 2
    assert quantile([7], 0.95) == 7
    assert quantile(list(range(1, 101)), 0.95) == 95
    assert quantile(list(range(1, 21)), 0.95) == 19


def test_a_latency_of_zero_has_no_ratio():
    change = bootstrap_quantile_change([0.0] * 5, [1.0] * 5, units_first=list("abcde"), units_second=list("abcde"))
    assert change.ratio is None
    assert change.difference.value == 1


def test_what_has_no_answer_is_refused():
    with pytest.raises(ValueError, match="zero"):
        bootstrap_ratio([1, 2], [0, 0])
    with pytest.raises(ValueError, match="one length"):
        bootstrap_ratio([1], [1, 2])
    with pytest.raises(ValueError, match="one length"):
        bootstrap(np.mean)
    with pytest.raises(ValueError, match="both sides"):
        bootstrap_quantile_change([], [1], units_first=[], units_second=[0])
    with pytest.raises(ValueError, match="alpha"):
        bootstrap_mean([1, 2, 3], alpha=2)


def test_the_same_data_give_the_same_limits():
    values = np.random.default_rng(5).normal(size=5_000)
    assert bootstrap_mean(values) == bootstrap_mean(values)
    assert bootstrap_mean(values) != bootstrap_mean(values, seed=1)
