"""Families of known truth: equal arms are called different at most at alpha, and all intervals hold together."""

import numpy as np
import pytest

from assay.decisions.many import compare_many
from assay.decisions.results import Scored

RUNS = 120


def rows(scores, clusters=None):
    return [
        Scored(f"q{i:04d}", float(score), None if clusters is None else f"d{clusters[i]}")
        for i, score in enumerate(scores)
    ]


def family(rng, *, n, arms, lose, gain, clusters=None):
    """Right-or-wrong arms around one incumbent: a right case is lost at `lose`/.7, a wrong one won so that the mean
    improvement is `gain`; within a cluster the same draws decide."""
    units = n if clusters is None else int(clusters.max()) + 1
    place = np.arange(n) if clusters is None else clusters
    right = (rng.random(n) < 0.7).astype(float)
    made = []
    for _ in range(arms):
        draw = rng.random(units)[place]
        made.append(np.where(right == 1, draw >= lose / 0.7, draw < (lose + gain) / 0.3).astype(float))
    return rows(right, clusters), [(f"arm {k}", rows(scores, clusters)) for k, scores in enumerate(made)]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("n", "arms", "lose", "gain", "size"),
    [
        (200, 8, 0.08, 0.0, None),  # equal arms, enough that differ: max-T alone
        (60, 4, 0.05, 0.0, None),  # few cases
        (120, 4, 0.0, 0.03, None),  # only wins, and few: where limits of max-T alone fall short
        (240, 4, 0.08, 0.0, 8),  # whole clusters
    ],
)
def test_family_wise_error_and_joint_coverage(n, arms, lose, gain, size):
    rng = np.random.default_rng(5)
    clusters = None if size is None else np.arange(n) // size
    wrong = held = 0
    for _ in range(RUNS):
        first, others = family(rng, n=n, arms=arms, lose=lose, gain=gain, clusters=clusters)
        found = [arm.comparison for arm in compare_many(("base", first), others).arms]
        wrong += any(one.verdict == "WORSE" or (gain == 0 and one.verdict == "BETTER") for one in found)
        held += all(one.difference.low <= gain <= one.difference.high for one in found)
    allowed = 0.05 + 3 * (0.05 * 0.95 / RUNS) ** 0.5
    assert wrong / RUNS <= allowed
    assert held / RUNS >= 1 - allowed
