"""How many more cases: the textbook number where cases stand alone, more in clusters, and no nonsense."""

from math import inf

import numpy as np
import pytest

from assay.decisions.compare import Scored, compare
from assay.decisions.needed import further_cases
from assay.decisions.sentence import outlook
from assay.stats.interval import Interval
from assay.stats.mean import t_interval
from assay.stats.power import sample_size


def test_it_is_the_sample_size_of_the_variance_behind_the_interval():
    differences = np.random.default_rng(1).normal(0.02, 0.4, 2_000)
    interval = t_interval(differences)
    expected = sample_size(0.02, variance=float(differences.var(ddof=1)), alpha=0.05) - 2_000
    assert further_cases(interval, 2_000, effect=0.02) == pytest.approx(expected, rel=0.01)
    assert further_cases(interval, 2_000, effect=-0.02) == further_cases(interval, 2_000, effect=0.02)


def test_clusters_ask_for_more():
    rng = np.random.default_rng(2)
    shared = np.repeat(rng.normal(0.04, 0.3, 60), 10)
    scores = np.clip(0.5 + shared + rng.normal(0, 0.1, 600), 0, 1)

    def needed(clusters):
        first = [Scored(f"q{i}", 0.5, clusters(i)) for i in range(600)]
        return compare(first, [row._replace(score=float(s)) for row, s in zip(first, scores, strict=True)])

    together, alone = needed(lambda i: f"d{i // 10}"), needed(lambda i: None)
    assert together.verdict == "UNDECIDED"
    assert together.needed > 100
    assert f"takes about {together.needed:,} more" in outlook(together)
    assert (alone.verdict, alone.needed) == ("BETTER", 0)


@pytest.mark.parametrize(
    ("low", "high", "method", "n", "effect"),
    [
        (-1, 1, "none", 5, 0.5),
        (-inf, 1, "t", 5, 0.5),
        (0.5, 0.5, "t", 5, 0.5),
        (-1, 1, "t", 1, 0.5),
        (-1, 1, "t", 50, 0.0),
        (-1, 1, "t", 50, 1e-9),
        (-1e99, 1e99, "t", 50, 1e-99),
    ],
)
def test_where_nothing_can_be_told_nothing_is(low, high, method, n, effect):
    assert further_cases(Interval(0.5, low, high, method, n), n, effect=effect) is None
