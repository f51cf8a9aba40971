"""What can be seen, against the published table and against simulation."""

import numpy as np
import pytest

from assay.stats import detectable, paired_interval, sample_size
from assay.stats.power import cases_needed, detectable_effect, detectable_from


@pytest.mark.parametrize(
    ("n", "disc", "points"), [(50, 0.10, 11), (100, 0.16, 10), (200, 0.16, 7.0), (1000, 0.25, 3.9)]
)
def test_detectable_effects_of_the_usual_table(n, disc, points):
    """2.49·√(disc/n): 80% power, one-sided 5%."""
    assert 100 * detectable_effect(n, variance=disc, two_sided=False) == pytest.approx(points, abs=0.35)


def test_cases_and_effect_are_inverse():
    n = cases_needed(0.05, variance=0.16)
    assert detectable_effect(n, variance=0.16) <= 0.05 < detectable_effect(n - 1, variance=0.16)
    assert detectable_effect(0, variance=0.16) == float("inf")
    with pytest.raises(ValueError, match="effect"):
        cases_needed(0, variance=0.1)


def test_power_above_and_below_a_half():
    assert cases_needed(1, variance=1, power=0.5) == 4
    assert cases_needed(1, variance=1, power=0.2) == 2


def test_an_effect_of_the_detectable_size_shows_four_times_in_five():
    rng = np.random.default_rng(1)

    def drawn(effect):
        return paired_interval(np.full(150, 0.4), 0.4 + (effect + rng.normal(0, 0.1, 150)).clip(-0.4, 0.6))

    effect = np.median([detectable_from(drawn(0.0)) for _ in range(50)])
    assert np.mean([drawn(effect).low > 0 for _ in range(1_000)]) == pytest.approx(0.8, abs=0.05)


@pytest.mark.parametrize(
    ("n", "expected"), [(50, (11, 14, 18)), (100, (8, 10, 12)), (200, (5.6, 7.0, 8.8)), (1_000, (2.5, 3.1, 3.9))]
)
def test_what_a_number_of_questions_can_see_in_points(n, expected):
    found = [100 * detectable(n, disc=disc, two_sided=False) for disc in (0.10, 0.16, 0.25)]
    assert found == pytest.approx(expected, abs=0.5 if n <= 100 else 0.06)


def test_pairing_needs_501_questions_where_disagreement_is_known():
    assert sample_size(0.05, variance=0.1587 + 0.001, two_sided=True) == pytest.approx(501, abs=2)
    assert sample_size(0.05, disc=0.162) == sample_size(0.05, variance=0.162 - 0.0025)


def test_planning_refuses_what_cannot_be():
    for settings in ({}, {"variance": 0.1, "disc": 0.1}):
        with pytest.raises(ValueError, match="give either"):
            sample_size(0.05, **settings)
        with pytest.raises(ValueError, match="give either"):
            detectable(100, **settings)
    with pytest.raises(ValueError, match="cannot be"):
        sample_size(0.2, disc=0.1)
    with pytest.raises(ValueError, match="share above 1"):
        detectable(100, disc=1.5)
