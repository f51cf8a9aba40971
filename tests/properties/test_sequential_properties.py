"""What must hold on any stream: verdict and interval agree, a verdict stays, a resumed test is the same test."""

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from assay.stats.sequential import SequentialBinary
from assay.stats.verdict import Verdict
from binary_streams import end_of, streams

GOES_ON = {"go_on_after": [Verdict.NOT_WORSE, Verdict.NOT_BETTER]}
TRUTHS = [(0.0, 0.16), (0.05, 0.16), (0.1, 0.2), (-0.05, 0.16), (-0.1, 0.3), (0.02, 0.05), (0.3, 0.4), (0.0, 0.02)]


def disagreements(test, evidence):
    """Every way in which verdict and interval contradict each other; none, or the test lies."""
    rule, shown = test.rule, test.shown
    claims = {
        "above 0": (evidence.low > 0, Verdict.PROMOTE in shown),
        "below 0": (evidence.high < 0, Verdict.WORSE in shown),
        "p-value": (evidence.p_value <= rule.alpha, Verdict.PROMOTE in shown),
        "order": (True, evidence.low <= evidence.value <= evidence.high),
    }
    if rule.margin is not None:
        claims["margin"] = evidence.low > -rule.margin, bool(shown & {Verdict.NOT_WORSE, Verdict.PROMOTE})
    if rule.smallest is not None:
        claims["smallest"] = evidence.high < rule.smallest, bool(shown & {Verdict.NOT_BETTER, Verdict.WORSE})
    if test.verdict is not Verdict.UNDECIDED:
        claims["verdict"] = True, test.verdict in shown
    else:
        claims["verdict"] = False, bool(shown)
    return {name: claim for name, claim in claims.items() if claim[0] != claim[1]}


@pytest.mark.parametrize(
    ("runs", "options"),
    [
        (60, {"horizon": 130, "items": 800}),
        (40, {"horizon": 60, "alpha": 0.01}),
        (40, {"horizon": 40, "items": 250, "smallest": 0.05}),
        (50, {"horizon": 40, "items": 250, "margin": 0.04, "smallest": 0.06, "beta": 0.1}),
        (60, {"horizon": 60, "items": 250, "margin": 0.04, "smallest": 0.06, **GOES_ON}),
    ],
    ids=["full", "no-items", "futility", "margins", "going-on"],
)
def test_verdict_and_interval_never_disagree(runs, options):
    """2,000 streams at their end, every fourth also before it; and the limits miss the truth no more than stated."""
    misses = []
    for seed, (difference, disagreement) in enumerate(TRUTHS):
        rng = np.random.default_rng([seed, options["horizon"]])
        for number, row in enumerate(streams(rng, runs, 1_000, difference=difference, disagreement=disagreement)):
            if number % 4 == 0:
                before = end_of(SequentialBinary(**options), row[: rng.integers(1, 300)])
                assert disagreements(before, before.evidence()) == {}
            test = end_of(SequentialBinary(**options), row)
            evidence = test.evidence()
            assert disagreements(test, evidence) == {}
            misses.append((evidence.low > difference, evidence.high < difference))
    wrong_low, wrong_high = np.mean(misses, axis=0)
    assert wrong_low <= options.get("alpha", 0.05)
    assert wrong_high <= max(options.get("alpha", 0.05), options.get("beta", 0.05))


ANY_TEST = st.builds(
    SequentialBinary,
    alpha=st.sampled_from([0.05, 0.2, 0.4]),
    horizon=st.sampled_from([1, 2, 7, 20]),
    items=st.none() | st.sampled_from([1, 5, 30]),
    smallest=st.none() | st.sampled_from([0.1, 0.4]),
    margin=st.none() | st.sampled_from([0.1, 0.4]),
    beta=st.sampled_from([0.05, 0.4]),
    go_on_after=st.sets(st.sampled_from([Verdict.NOT_BETTER, Verdict.NOT_WORSE])),
)
RESULTS = st.lists(st.sampled_from([-1, 0, 1]), max_size=60)
STRONGER = {(Verdict.NOT_WORSE, Verdict.PROMOTE), (Verdict.NOT_BETTER, Verdict.WORSE)}


@settings(max_examples=150, deadline=None)
@given(ANY_TEST, RESULTS)
def test_a_verdict_stays_for_ever_and_nothing_raises(test, results):
    for d in results:
        before, over = test.verdict, test.over
        after = test.update(d)
        assert after is test.verdict
        if over:
            assert after is before
        assert before in {Verdict.UNDECIDED, after} or (before, after) in STRONGER
        assert not (after is not Verdict.UNDECIDED and not test.over and after not in test.rule.go_on_after)
    assert disagreements(test, test.evidence()) == {}
    assert test.wins + test.losses + test.ties == test.n


@settings(max_examples=60, deadline=None)
@given(ANY_TEST, RESULTS, RESULTS)
def test_a_killed_test_resumes_where_it_was(test, before, after):
    for d in before:
        test.update(d)
    resumed = SequentialBinary.from_state(json.loads(json.dumps(test.state())))
    for d in after:
        assert resumed.update(d) is test.update(d)
    assert resumed.evidence() == test.evidence()
    assert resumed.state() == test.state()


MIRROR = {
    Verdict.PROMOTE: Verdict.WORSE,
    Verdict.WORSE: Verdict.PROMOTE,
    Verdict.NOT_WORSE: Verdict.NOT_BETTER,
    Verdict.NOT_BETTER: Verdict.NOT_WORSE,
    Verdict.UNDECIDED: Verdict.UNDECIDED,
}


@settings(max_examples=60, deadline=None)
@given(st.sampled_from([None, 0.2, 0.4]), RESULTS)
def test_swapping_the_two_systems_mirrors_everything(margin, results):
    options = {"alpha": 0.2, "beta": 0.2, "horizon": 15, "items": 40, "smallest": margin, "margin": margin}
    ours, theirs = SequentialBinary(**options), SequentialBinary(**options)
    for d in results:
        ours.update(d)
        theirs.update(-d)
    assert {MIRROR[verdict] for verdict in ours.shown} == theirs.shown
    here, there = ours.evidence(), theirs.evidence()
    assert (here.low, here.high, here.value) == pytest.approx((-there.high, -there.low, -there.value), abs=1e-9)
