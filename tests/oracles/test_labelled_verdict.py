"""A judge that flatters the candidate promotes a tie; people's labels joined with it do not, and find real gains.

The judge turns a share of the candidate's wrong answers into right ones. The sequential test on its scores stops when
it stops; 100 labels then go by Neyman to the strata of its differences, and the joined verdict is read.
"""

import numpy as np
import pytest

from assay.decisions.hypothesis import Margins
from assay.decisions.labels import FLOOR, PILOT_SPREADS, joined
from assay.decisions.rules import read_verdict
from assay.stats.ppi import Stratum, neyman, ppi_difference
from assay.stats.sequential import SequentialBinary
from assay.stats.verdict import Verdict

ITEMS, LABELS, ALPHA = 600, 100, 0.05
MARGINS = Margins()


def world(rng: np.random.Generator, *, gain: float, flattery: float) -> tuple[Verdict, Verdict]:
    """(the judge's verdict, the labelled one) where the candidate's true gain is `gain`."""
    ability = rng.random(ITEMS)
    incumbent = (ability < 0.7) ^ (rng.random(ITEMS) < 0.08)
    candidate = (ability < 0.7 + gain) ^ (rng.random(ITEMS) < 0.08)
    seen = candidate | (rng.random(ITEMS) < flattery)
    judged = seen.astype(int) - incumbent.astype(int)
    truth = candidate.astype(int) - incumbent.astype(int)
    test = SequentialBinary(ALPHA, 120, items=ITEMS, smallest=0.05)
    n = 0
    while n < ITEMS and not test.over:
        test.update(int(judged[n]))
        n += 1
    pools = {sign: np.flatnonzero(judged[:n] == sign) for sign in (-1, 0, 1)}
    weights = [len(pool) / n for pool in pools.values()]
    counts = neyman(weights, list(PILOT_SPREADS.values()), LABELS, FLOOR, sizes=[len(pool) for pool in pools.values()])
    strata = [
        Stratum(len(pool), tuple(truth[rng.choice(pool, size=count, replace=False)].tolist()))
        for pool, count in zip(pools.values(), counts, strict=True)
    ]
    interval = ppi_difference(strata, alpha=2 * ALPHA)
    labels = read_verdict(interval.low, interval.high, MARGINS, "better")
    return test.verdict, joined(test.verdict, labels)


@pytest.mark.parametrize(("flattery", "judge_errs"), [(0.0, False), (0.1, True), (0.2, True), (0.3, True)])
def test_a_flattering_judge_is_caught(flattery: float, judge_errs: bool) -> None:
    rng = np.random.default_rng(int(100 * flattery) + 5)
    worlds = 250
    found = [world(rng, gain=0.0, flattery=flattery) for _ in range(worlds)]
    by_judge = np.mean([judge is Verdict.PROMOTE for judge, _ in found])
    by_labels = np.mean([both is Verdict.PROMOTE for _, both in found])
    assert (by_judge > 0.15) == judge_errs
    assert by_labels <= ALPHA + 3 * np.sqrt(ALPHA * (1 - ALPHA) / worlds)


def test_a_real_gain_is_still_found() -> None:
    rng = np.random.default_rng(8)
    found = [world(rng, gain=0.15, flattery=0.0)[1] for _ in range(120)]
    assert np.mean([verdict is Verdict.PROMOTE for verdict in found]) > 0.6


def test_labels_never_promote_what_the_judge_did_not() -> None:
    for judge in Verdict:
        assert (joined(judge, Verdict.PROMOTE) is Verdict.PROMOTE) == (judge is Verdict.PROMOTE)
        for labels in (Verdict.WORSE, Verdict.NOT_BETTER, Verdict.NOT_WORSE, Verdict.UNDECIDED):
            assert joined(judge, labels) is labels
