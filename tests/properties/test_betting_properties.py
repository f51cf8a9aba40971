"""Whatever the differences: verdict and interval agree at every look, sides mirror, and a test resumes where it was."""

import json

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from assay.stats.betting import BettingTest
from assay.stats.finite import FiniteSetTest
from assay.stats.verdict import Verdict
from assay.stats.wealth import furthest_refuted

UP, DOWN = {Verdict.PROMOTE, Verdict.NOT_WORSE}, {Verdict.WORSE, Verdict.NOT_BETTER}
VALUES = st.one_of(st.sampled_from([-1.0, 0.0, 1.0]), st.floats(-1, 1, allow_nan=False))
GO_ON = st.sets(st.sampled_from([Verdict.NOT_WORSE, Verdict.NOT_BETTER]))


def agrees(test, low, high):
    """The interval says what was shown, and nothing else."""
    shown = test.shown
    assert (low > 0) == (Verdict.PROMOTE in shown)
    assert (high < 0) == (Verdict.WORSE in shown)
    if test.margin is not None:
        assert (low > -test.margin) == bool(shown & UP)
    if test.smallest is not None:
        assert (high < test.smallest) == bool(shown & DOWN)
    assert (test.verdict is Verdict.UNDECIDED) == (not shown)


def stream(rng):
    """Graded or right-or-wrong differences of some mean, at most 250."""
    mean, n = rng.choice([-0.1, -0.03, 0.0, 0.03, 0.1]), int(rng.integers(20, 200))
    if rng.random() < 0.5:
        return rng.normal(mean, rng.choice([0.05, 0.25, 0.5]), n).clip(-1, 1)
    return rng.choice([1.0, -1.0, 0.0], n, p=[0.1 + mean / 2, 0.1 - mean / 2, 0.8])


def test_verdict_and_interval_never_disagree_on_2000_streams() -> None:
    rng = np.random.default_rng(31)
    stops = dict.fromkeys(Verdict, 0)
    for _ in range(2_000):
        margin, smallest = (None if rng.random() < 0.5 else 0.05 for _ in "ab")
        test = BettingTest(margin=margin, smallest=smallest)
        for difference in stream(rng):
            test.update(difference)
            if test.over:
                break
        stops[test.verdict] += 1
        low, high = test.limits()
        agrees(test, low, high)
        # The inversion alone says the same: the claims did not have to correct it.
        if low < high and sum(stops.values()) % 4 == 0:
            values = np.array(test.differences)
            assert abs(furthest_refuted(values + 1, 0.05, width=2) - 1 - low) < 1e-9
            assert abs(1 - furthest_refuted(1 - values, 0.05, width=2) - high) < 1e-9
    assert min(stops.values()) > 50  # every verdict was met


@given(st.lists(VALUES, max_size=60), st.booleans(), st.booleans(), GO_ON, st.booleans())
def test_agreement_at_every_look(differences, with_margin, with_smallest, go_on_after, finite) -> None:
    options = {
        "alpha": 0.2,
        "beta": 0.1,
        "margin": 0.2 if with_margin else None,
        "smallest": 0.3 if with_smallest else None,
        "go_on_after": go_on_after,
    }
    test = FiniteSetTest(len(differences) + 20, **options) if finite else BettingTest(**options)
    agrees(test, *test.limits())
    before = (-1.0, 1.0)
    for i, difference in enumerate(differences):
        was, over = test.verdict, test.over
        verdict = test.update(difference)
        if over:
            assert verdict is was
        elif was is not Verdict.UNDECIDED:
            assert verdict in {was, {Verdict.NOT_WORSE: Verdict.PROMOTE, Verdict.NOT_BETTER: Verdict.WORSE}.get(was)}
        if i % 20 == 0:
            low, high = test.limits()
            # A running intersection: limits only close in, until both sides contradict each other.
            assert low == high or (low >= before[0] - 1e-9 and high <= before[1] + 1e-9)
            before = (low, high)
    evidence = test.evidence(draws=8)
    agrees(test, evidence.low, evidence.high)
    assert test.verdict is evidence.verdict
    assert evidence.low <= evidence.value <= evidence.high


@given(st.lists(VALUES, max_size=80))
def test_the_sides_mirror(differences) -> None:
    ours, theirs = BettingTest(), BettingTest()
    mirror = {Verdict.PROMOTE: Verdict.WORSE, Verdict.WORSE: Verdict.PROMOTE, Verdict.UNDECIDED: Verdict.UNDECIDED}
    for difference in differences:
        assert mirror[ours.update(difference)] is theirs.update(-difference)
    low, high = ours.limits()
    assert np.allclose(theirs.limits(), (-high, -low), atol=1e-9)


@settings(max_examples=40)
@given(st.lists(VALUES, max_size=50), st.integers(0, 50), GO_ON, st.booleans())
def test_a_test_resumes_where_it_was(differences, at, go_on_after, finite) -> None:
    options = {"margin": 0.1, "smallest": 0.2, "go_on_after": go_on_after}
    test = FiniteSetTest(50, **options) if finite else BettingTest(0.1, low=-2, high=1.5, **options)
    for difference in differences[:at]:
        test.update(difference)
    resumed = type(test).from_state(json.loads(json.dumps(test.state())))
    for difference in differences[at:]:
        if not test.over:
            assert resumed.update(difference) is test.update(difference)
    assert resumed.state() == test.state()
    assert resumed.evidence(draws=8) == test.evidence(draws=8)


@given(st.lists(st.sampled_from([-1.0, 1.0, 0.0, 1 / 3, -1 / 3]), min_size=1, max_size=12))
def test_the_whole_set_has_the_last_word(differences) -> None:
    test = FiniteSetTest(len(differences), alpha=1e-12, beta=1e-12)
    for difference in differences:
        if not test.over:
            test.update(difference)
    mean = sum(differences) / len(differences)
    expected = Verdict.NOT_BETTER if abs(mean) < 1e-9 else Verdict.PROMOTE if mean > 0 else Verdict.WORSE
    assert test.verdict is expected
    if test.complete:
        evidence = test.evidence(draws=8)
        assert evidence.low == evidence.high == evidence.raw
