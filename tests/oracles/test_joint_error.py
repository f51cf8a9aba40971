"""The joint verdict errs no more often than its weakest part, also where quality stopped the questions early.

In each world one part sits exactly on its boundary and all others are far inside: the candidate must not be promoted
more often than alpha says.
"""

import numpy as np
import pytest

from assay.decisions.compare import Scored, compare
from assay.decisions.hypothesis import Margins
from assay.decisions.joint import joint
from assay.decisions.rules import read_verdict
from assay.stats.sequential import SequentialBinary
from assay.stats.verdict import Verdict

ITEMS, ALPHA, WORLDS = 400, 0.05, 120
MARGINS = Margins(cost_ratio=1.2, latency_ratio=1.5)


def promoted(rng: np.random.Generator, *, gain: float, cost: float, latency: float) -> bool:
    ability = rng.random(ITEMS)
    incumbent = (ability < 0.6) ^ (rng.random(ITEMS) < 0.08)
    candidate = (ability < 0.6 + gain) ^ (rng.random(ITEMS) < 0.08)
    test = SequentialBinary(ALPHA, 100, items=ITEMS, smallest=0.05)
    n = 0
    while n < ITEMS and not (test.over and n >= 100):
        if not test.over:
            test.update(int(candidate[n]) - int(incumbent[n]))
        n += 1
    # Long answers cost more and take longer, in both systems: costs and latencies go together, question by question.
    length = rng.lognormal(0, 0.5, n)
    costs = [length * rng.lognormal(0, 0.2, n), cost * length * rng.lognormal(0, 0.2, n)]
    times = [length * rng.lognormal(0, 0.3, n), latency * length * rng.lognormal(0, 0.3, n)]
    sides = [
        [Scored(str(i), float(right[i]), None, float(paid[i]), float(1000 * took[i])) for i in range(n)]
        for right, paid, took in zip((incumbent, candidate), costs, times, strict=True)
    ]
    beside = compare(*sides, alpha=2 * ALPHA)
    evidence = test.evidence()
    quality = read_verdict(evidence.low, evidence.high, MARGINS, "better")
    found = joint(quality, cost=beside.cost, latency=beside.latency, margins=MARGINS, objective="better")
    return found.promotable and found.verdict is Verdict.PROMOTE


@pytest.mark.parametrize(
    "boundary",
    [
        {"gain": 0.0, "cost": 0.8, "latency": 0.8},
        {"gain": 0.15, "cost": 1.2, "latency": 0.8},
        {"gain": 0.15, "cost": 0.8, "latency": 1.5},
    ],
    ids=["quality", "cost", "latency"],
)
def test_one_part_on_its_boundary_is_not_promoted_more_often_than_stated(boundary: dict[str, float]) -> None:
    rng = np.random.default_rng(17)
    rate = np.mean([promoted(rng, **boundary) for _ in range(WORLDS)])
    assert rate <= ALPHA + 3 * np.sqrt(ALPHA * (1 - ALPHA) / WORLDS)


def test_all_parts_good_is_promoted() -> None:
    rng = np.random.default_rng(18)
    assert np.mean([promoted(rng, gain=0.15, cost=0.8, latency=0.8) for _ in range(40)]) > 0.9


def test_two_parts_at_their_boundary_err_less_still() -> None:
    rng = np.random.default_rng(19)
    rate = np.mean([promoted(rng, gain=0.0, cost=1.2, latency=1.5) for _ in range(WORLDS)])
    assert rate <= 0.03
