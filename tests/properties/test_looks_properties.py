"""Whatever the clusters: verdict and interval agree at every look, and a test resumes where it was."""

import json

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from assay.stats.looks import ClusterLooks
from assay.stats.verdict import Verdict

UP, DOWN = {Verdict.PROMOTE, Verdict.NOT_WORSE}, {Verdict.WORSE, Verdict.NOT_BETTER}


def agrees(test):
    """The interval says what was shown, and nothing else."""
    evidence, shown = test.evidence(), test.shown
    assert (evidence.low > 0) == (Verdict.PROMOTE in shown)
    assert (evidence.high < 0) == (Verdict.WORSE in shown)
    if test.margin is not None:
        assert (evidence.low > -test.margin) == bool(shown & UP)
    if test.smallest is not None:
        assert (evidence.high < test.smallest) == bool(shown & DOWN)
    assert test.verdict is evidence.verdict
    assert -1 <= evidence.low <= evidence.value <= evidence.high <= 1
    assert (evidence.p_value < test.alpha) == (Verdict.PROMOTE in shown)


def clusters(rng, count):
    mean = rng.choice([-0.3, -0.1, 0.0, 0.1, 0.3])
    sizes = rng.integers(1, 30, count)
    chances = np.clip(0.2 + np.array([1, -1])[:, None] * (mean + 0.1 * rng.standard_normal(count)) / 2, 0, 0.5)
    wins = rng.binomial(sizes, chances[0])
    losses = rng.binomial(sizes - wins, chances[1])
    return [(float(w - lost), float(n)) for w, lost, n in zip(wins, losses, sizes, strict=True)]


def test_verdict_and_interval_agree_at_every_look() -> None:
    rng = np.random.default_rng(41)
    met = set()
    for run in range(150):
        count = int(rng.integers(6, 30))
        margin, smallest = (None if rng.random() < 0.5 else 0.1 for _ in "ab")
        go_on_after = [Verdict.NOT_BETTER, Verdict.NOT_WORSE] if rng.random() < 0.5 else []
        looks = int(rng.integers(1, 5))
        test = ClusterLooks(
            clusters=count,
            looks=looks,
            margin=margin,
            smallest=smallest,
            go_on_after=go_on_after,
            draws=200,
            seed=run,
        )
        for unit in clusters(rng, count):
            was, limits = test.verdict, test.limits()
            verdict = test.update(*unit)
            if test.n not in test.looks:
                assert verdict is was
                assert test.limits() == limits
            elif test.n and test.limits()[0] < test.limits()[1]:
                assert limits[0] <= test.limits()[0] < test.limits()[1] <= limits[1]
            agrees(test)
        assert test.over
        met.add(test.verdict)
    assert met == set(Verdict)


@settings(max_examples=25)
@given(st.integers(0, 1_000), st.integers(0, 20))
def test_a_test_resumes_where_it_was(seed, at) -> None:
    rng = np.random.default_rng(seed)
    test = ClusterLooks(0.1, clusters=16, looks=(7, 12, 16), smallest=0.1, beta=0.2, draws=100, seed=seed)
    units = clusters(rng, 16)
    for unit in units[:at]:
        test.update(*unit)
    resumed = ClusterLooks.from_state(json.loads(json.dumps(test.state())))
    for unit in units[at:]:
        assert resumed.update(*unit) is test.update(*unit)
    assert resumed.state() == test.state()
    assert resumed.evidence() == test.evidence()


@settings(max_examples=20)
@given(st.lists(st.integers(-5, 5), min_size=10, max_size=10))
def test_the_sides_mirror(sums) -> None:
    ours, theirs = ClusterLooks(clusters=10, looks=2), ClusterLooks(clusters=10, looks=2)
    mirror = {Verdict.PROMOTE: Verdict.WORSE, Verdict.WORSE: Verdict.PROMOTE, Verdict.UNDECIDED: Verdict.UNDECIDED}
    for total in sums:
        assert mirror[ours.update(total, 5)] is theirs.update(-total, 5)
    low, high = ours.limits()
    assert np.allclose(theirs.limits(), (-high, -low), atol=1e-9)
