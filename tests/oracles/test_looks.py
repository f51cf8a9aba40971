"""Clusters at a few looks: how often it errs and finds on articles, where tests that take questions one by one err.

The clusters are XQuAD's articles in number and size; the questions of one share an effect. Differences of retrieval
settings on XQuAD have a correlation within articles of 0 to .024; .02 and .05 are simulated, and .3 for the null.
"""

from math import sqrt

import numpy as np
import pytest

from assay.stats.clusters import ClusterSums
from assay.stats.flips import look_flips
from assay.stats.looks import ClusterLooks
from assay.stats.signflip import sign_flip_p
from assay.stats.verdict import Verdict
from evidence_streams import (
    ARTICLES,
    article_effects,
    ever_past_horizon,
    ever_promoted,
    ever_significant,
    one_by_one,
    promoted_at_looks,
)

LOOKS = (8, 16, 24)


@pytest.mark.parametrize(("spread", "disagreement"), [(0.063, 0.2), (0.1, 0.2), (0.5, 0.5)])
def test_whole_clusters_at_looks_err_rarely_and_single_questions_do_not(spread: float, disagreement: float) -> None:
    rng = np.random.default_rng(21)
    runs = 2_000
    sums, sizes, wins, losses = article_effects(rng, runs, ARTICLES, spread=spread, disagreement=disagreement)
    at = promoted_at_looks(sums, sizes, LOOKS)
    assert (at < 3).mean() <= 0.05 + 3 * sqrt(0.05 * 0.95 / runs)
    single = one_by_one(rng, sizes, wins, losses)
    horizon = round(float(sizes[0].sum()) * disagreement)
    assert ever_significant(single).mean() > 0.28
    if spread >= 0.1:
        assert ever_past_horizon(single, horizon=horizon).mean() > 0.075
    if spread >= 0.5:
        assert ever_past_horizon(single, horizon=horizon).mean() > 0.2
        assert ever_promoted(single).mean() > 0.15
        assert ever_significant(single, least=single.shape[1]).mean() > 0.25


@pytest.mark.parametrize("spread", [0.063, 0.1])
def test_ten_points_on_24_articles_are_found(spread: float) -> None:
    rng = np.random.default_rng(22)
    sums, sizes, _, _ = article_effects(rng, 1_000, ARTICLES, difference=0.1, spread=spread)
    at = promoted_at_looks(sums, sizes, LOOKS)
    assert (at < 3).mean() >= 0.9
    assert (at < 2).mean() >= 0.65  # most of them before the last look
    # Betting on the means of so few clusters finds nothing.
    assert ever_promoted(sums / sizes).mean() == 0


def test_one_look_is_the_sign_flip_test() -> None:
    rng = np.random.default_rng(23)
    for _ in range(40):
        sums, sizes = rng.integers(-6, 9, 9).astype(float), np.full(9, 8.0)  # eighths have no rounding
        test = ClusterLooks(0.025, clusters=9, looks=1, beta=0.025)
        for total, size in zip(sums, sizes, strict=True):
            test.update(total, size)
        decided = sign_flip_p(np.repeat(sums / sizes, 8), clusters=np.repeat(np.arange(9), 8)) <= 0.05
        assert (test.verdict is not Verdict.UNDECIDED) == decided


def test_each_pattern_is_struck_at_most_once_and_alpha_is_the_share_struck() -> None:
    # If every pattern of signs were the observed one in turn, just alpha of them would be refuted: all 2**10.
    rng = np.random.default_rng(24)
    deviations, sizes = rng.normal(0, 1, 10), rng.integers(5, 40, 10).astype(float)
    spent = [0.05 * look / 10 for look in (5, 7, 10)]
    signs = 1.0 - 2.0 * ((np.arange(1024)[:, None] >> np.arange(10)) & 1)
    refuted = [
        look_flips(ClusterSums(row * deviations, sizes), (5, 7, 10), planned=10, draws=1, seed=0).refutes(0.0, 1, spent)
        for row in signs
    ]
    assert sum(refuted) == int(0.05 * 1024)


@pytest.mark.parametrize("truth", [0.0, 0.05, 0.10])
def test_the_estimate_is_adjusted_and_the_interval_covers(truth: float) -> None:
    rng = np.random.default_rng(25)
    runs = 80
    sums, sizes, _, _ = article_effects(rng, runs, ARTICLES, difference=truth, spread=0.063)
    values, covered, raws = [], [], []
    for total, size in zip(sums, sizes, strict=True):
        test = ClusterLooks(0.05, clusters=24, draws=300)
        for unit in zip(total, size, strict=True):
            test.update(*unit)
        found = test.evidence()
        values.append(found.value)
        raws.append(found.raw)
        covered.append((found.low <= truth, truth <= found.high))
    assert abs(np.mean(values) - truth) <= 0.01 + 0.005  # one standard error is half a point
    below, above = np.mean(covered, axis=0)
    assert min(below, above) >= 0.95 - 3 * sqrt(0.05 * 0.95 / runs)
    # Median unbiased, within three standard errors of 80 runs.
    assert abs(np.median(values) - truth) <= 0.015
