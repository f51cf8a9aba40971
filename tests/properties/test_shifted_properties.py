"""Evidence against a margin: fair at the margin, rising with it, and the limits are where it is just enough."""

from itertools import product
from math import exp, inf, log, nextafter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from assay.stats.shifted import log_e_shifted, lower_limit

COUNTS = st.integers(0, 400)
SHIFTS = st.floats(-0.9, 0.9)


@pytest.mark.parametrize("shift", [-0.4, 0.0, 0.03, 0.5])
@pytest.mark.parametrize("disagreement", [0.6, 1.0])
def test_evidence_has_mean_one_where_the_truth_is_the_margin(shift, disagreement):
    shares = {1: (disagreement - shift) / 2, -1: (disagreement + shift) / 2, 0: 1 - disagreement}
    mean = 0.0
    for stream in product((-1, 0, 1), repeat=6):
        chance = 1.0
        for d in stream:
            chance *= shares[d]
        counts = stream.count(1), stream.count(-1), stream.count(0)
        mean += chance * exp(log_e_shifted(*counts, shift=shift))
    assert mean == pytest.approx(1, abs=1e-12)


@given(COUNTS, COUNTS, COUNTS, SHIFTS, SHIFTS)
def test_evidence_rises_with_the_margin_and_with_wins_and_falls_with_losses(wins, losses, ties, one, other):
    low, high = sorted((one, other))
    here = log_e_shifted(wins, losses, ties, shift=low)
    assert here <= log_e_shifted(wins, losses, ties, shift=high) + 1e-9
    assert here < log_e_shifted(wins + 1, losses, ties, shift=low) + 1e-12
    assert here > log_e_shifted(wins, losses + 1, ties, shift=low)


@settings(max_examples=50)
@given(COUNTS, COUNTS, COUNTS, st.floats(0.001, 0.5))
def test_the_limit_is_where_the_evidence_is_just_enough(wins, losses, ties, alpha):
    low = lower_limit(wins, losses, ties, alpha=alpha)
    assert -1 <= low < 1
    assert low <= ((wins - losses) / (wins + losses + ties) if wins + losses + ties else 0)
    if low > -1 + 1e-9:
        assert log_e_shifted(wins, losses, ties, shift=nextafter(-low, inf)) >= log(1 / alpha) - 1e-9
        assert log_e_shifted(wins, losses, ties, shift=-low - 1e-9) < log(1 / alpha)


def test_limits_tighten_with_the_evidence():
    limits = [lower_limit(wins, 0, 10 * wins, alpha=0.05) for wins in range(0, 60, 5)]
    assert limits == sorted(limits)
    assert lower_limit(0, 0, 0, alpha=0.05) == -1
