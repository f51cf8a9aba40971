"""The drift detector's false alarms and delays (acceptance A11), beside a rolling mean that cries wolf."""

import json

import numpy as np
import pytest

from assay.stats.drift import STAKES, DriftDetector

FLOOR, RUN_LENGTH = 0.83, 10_000.0


def first_alarms(scores: np.ndarray, floor: float = FLOOR, *, bet_above: bool = False) -> np.ndarray:
    """At which score each stream (row) alarms, 0 for never: the detector for all rows at once."""
    stakes = np.array([stake for stake in STAKES if stake < 1 / (1 - floor)])
    wealth = np.zeros((len(scores), len(stakes)))
    found = np.zeros(len(scores), dtype=int)
    for step in range(scores.shape[1]):
        below = floor - scores[:, step, None]
        wealth = np.minimum((1 + stakes * (-below if bet_above else below)) * (wealth + 1), 1e12)
        found = np.where((found == 0) & (wealth.mean(axis=1) >= RUN_LENGTH), step + 1, found)
    return found


def streams(rate: float, *, runs: int, length: int, seed: int) -> np.ndarray:
    return (np.random.default_rng(seed).random((runs, length)) < rate).astype(float)


def test_the_array_version_is_the_detector() -> None:
    scores = streams(0.7, runs=20, length=400, seed=1)
    found = first_alarms(scores)
    for row, expected in zip(scores, found, strict=True):
        detector = DriftDetector(FLOOR)
        alarms = [n for n, score in enumerate(row, 1) if detector.update(score)]
        assert (alarms[0] if alarms else 0) == expected


def test_in_control_it_seldom_alarms_in_ten_thousand_scores() -> None:
    assert np.mean(first_alarms(streams(0.85, runs=300, length=10_000, seed=2)) > 0) <= 0.10


def test_at_the_floor_the_mean_time_between_false_alarms_is_at_least_the_run_length() -> None:
    found = first_alarms(streams(FLOOR, runs=200, length=20_000, seed=3))
    # Censored at 20,000: the mean of the first alarms is larger still.
    assert np.where(found == 0, 20_000, found).mean() >= 0.95 * RUN_LENGTH


@pytest.mark.parametrize(("after", "median"), [(0.75, 260), (0.70, 140), (0.60, 60)])
def test_a_drop_is_seen_soon(after: float, median: float) -> None:
    found = first_alarms(streams(after, runs=300, length=2_000, seed=4))
    assert (found > 0).all()
    assert np.median(found) <= median


def test_a_rolling_mean_cries_wolf_in_the_same_harness() -> None:
    scores = streams(0.85, runs=200, length=1_000, seed=5)
    sums = np.cumsum(scores, axis=1)
    rolling = (sums[:, 100:] - sums[:, :-100]) / 100
    assert np.mean((rolling < 0.85 - 2 * np.sqrt(0.85 * 0.15 / 100)).any(axis=1)) > 0.5


def test_betting_the_wrong_way_breaks_the_check() -> None:
    assert np.mean(first_alarms(streams(0.85, runs=100, length=3_000, seed=6), bet_above=True) > 0) > 0.5


def test_its_state_goes_on_elsewhere() -> None:
    scores = streams(0.7, runs=1, length=200, seed=7)[0]
    whole, part = DriftDetector(FLOOR), DriftDetector(FLOOR)
    for n, score in enumerate(scores):
        whole.update(score)
        part = DriftDetector.from_state(json.loads(json.dumps(part.state())))
        part.update(score)
        assert part.state() == whole.state(), n


@pytest.mark.parametrize("wrong", [-0.1, 1.1, float("nan")])
def test_scores_off_the_scale_are_refused(wrong: float) -> None:
    with pytest.raises(ValueError, match="between 0 and 1"):
        DriftDetector(FLOOR).update(wrong)


@pytest.mark.parametrize("state", [{}, {"floor": 0.8, "run_length": 10, "n": 1, "alarm": False, "wealth": [1.0]}])
def test_what_is_no_state_is_refused(state: dict[str, object]) -> None:
    with pytest.raises(ValueError, match="not the state"):
        DriftDetector.from_state(state)


@pytest.mark.parametrize(("floor", "length"), [(0.0, 100.0), (1.0, 100.0), (0.8, 1.0)])
def test_settings_that_make_no_sense_are_refused(floor: float, length: float) -> None:
    with pytest.raises(ValueError, match=r"floor|run length"):
        DriftDetector(floor, run_length=length)
