"""The exact law of the stop, against every stream there is, against simulation, and the published table of power."""

from itertools import product

import numpy as np
import pytest

from assay.stats.horizon import calibrate
from assay.stats.planning import forecast, horizon_for, questions_expected
from assay.stats.rule import BinaryRule
from assay.stats.sequential import SequentialBinary
from assay.stats.stagewise import unbiased
from assay.stats.trinomial import mean_first, stop_law
from assay.stats.verdict import Verdict
from binary_streams import end_of, streams

# Levels at which every rule fires within a handful of questions, so that all streams can be enumerated.
EAGER = {"alpha": 0.2, "horizon": 6, "items": 8, "beta": 0.25, "a": 5.0}
RULES = {
    "boundaries alone": EAGER,
    "futility": {**EAGER, "smallest": 0.3},
    "margin": {**EAGER, "margin": 0.3},
    "both": {**EAGER, "smallest": 0.3, "margin": 0.3},
    "going on": {**EAGER, "smallest": 0.3, "margin": 0.3, "go_on_after": {Verdict.NOT_WORSE, Verdict.NOT_BETTER}},
    "horizon of one": {**EAGER, "horizon": 1},
}
TRUTHS = [(0.0, 0.4), (0.3, 0.5), (-0.3, 0.5), (0.2, 0.9), (0.35, 0.35), (-0.6, 1.0)]


def ends(options):
    """Every stream of 8 questions: its end, as (wins, losses, ties) of the whole stream and the test at its stop."""
    found = []
    for stream in product((-1, 0, 1), repeat=options["items"]):
        test = SequentialBinary(**options)
        for d in stream:
            test.update(d)
        found.append(((stream.count(1), stream.count(-1), stream.count(0)), test))
    return found


def what_ended(test):
    """The verdict that stopped the test, which is not the one it gives where an earlier one did not stop it."""
    ending = [verdict for verdict in test.shown if verdict not in test.rule.go_on_after]
    return test.verdict if test.verdict in ending else min(ending, default=Verdict.UNDECIDED)


def known(found, read):
    """`read` of the test at the end of each stream, worked out once per state."""
    states = [str(test.state()) for _, test in found]
    results = {state: read(test) for state, (_, test) in dict(zip(states, found, strict=True)).items()}
    return np.array([results[state] for state in states])


def chances(found, difference, disagreement):
    """The chance of each enumerated stream."""
    counts = np.array([counts for counts, _ in found])
    shares = np.array([(disagreement + difference) / 2, (disagreement - difference) / 2, 1 - disagreement])
    return np.prod(shares**counts, axis=1)


@pytest.fixture(scope="module", params=list(RULES), ids=list(RULES))
def enumerated(request):
    options = RULES[request.param]
    return options, ends(options)


def test_the_law_equals_the_enumeration_of_all_streams(enumerated):
    options, found = enumerated
    rule = found[0][1].rule
    for difference, disagreement in TRUTHS:
        law = stop_law(rule, difference=difference, disagreement=disagreement, items=rule.items)
        expected = {verdict: np.zeros(rule.items + 1) for verdict in Verdict}
        for chance, (_, test) in zip(chances(found, difference, disagreement), found, strict=True):
            expected[what_ended(test)][test.n] += chance
        for verdict in Verdict:
            assert law.chance[verdict] == pytest.approx(expected[verdict], abs=1e-12)
    if options == RULES["both"]:
        assert {test.verdict for _, test in found} == set(Verdict)


def test_the_estimate_is_unbiased_whatever_the_truth(enumerated):
    """Over all streams, exactly; the plain mean at the stop is not."""
    _, found = enumerated
    values = known(found, lambda test: test.evidence().value)
    raws = np.array([(test.wins - test.losses) / test.n for _, test in found])
    for difference, disagreement in TRUTHS:
        weights = chances(found, difference, disagreement)
        assert weights @ values == pytest.approx(difference, abs=1e-10)
    assert abs(chances(found, 0.3, 0.5) @ raws - 0.3) > 0.01


def test_limits_hold_at_their_levels_over_all_streams(enumerated):
    """Exact chances that a limit is wrong, over a grid of truths; verdicts are wrong no more often."""
    options, found = enumerated
    limits = known(found, lambda test: (test.evidence().low, test.evidence().high))
    for disagreement in (0.1, 0.3, 0.5, 0.7, 0.9, 1.0):
        for difference in np.linspace(-disagreement, disagreement, 13):
            weights = chances(found, difference, disagreement)
            above, below = limits[:, 0] > difference + 1e-12, limits[:, 1] < difference - 1e-12
            assert weights @ above <= options["alpha"] + 1e-12
            assert weights @ below <= max(options["alpha"], options["beta"]) + 1e-12


@pytest.mark.parametrize(
    ("options", "difference", "disagreement"),
    [
        ({"smallest": 0.05, "items": 300, "horizon": 60}, 0.0, 0.2),
        ({"smallest": 0.05, "margin": 0.08, "items": 300, "horizon": 60}, 0.03, 0.2),
        ({"items": 200, "horizon": 60}, 0.06, 0.2),
    ],
)
def test_the_law_agrees_with_simulated_tests(options, difference, disagreement):
    runs = 800
    stream = streams(np.random.default_rng(3), runs, 300, difference=difference, disagreement=disagreement)
    found = [end_of(SequentialBinary(**options), row) for row in stream]
    plan = SequentialBinary(**options).plan(difference, disagreement)
    for verdict, chance in plan.chances().items():
        share = np.mean([test.verdict is verdict for test in found])
        assert share == pytest.approx(chance, abs=3.5 * np.sqrt(max(chance * (1 - chance), 1e-4) / runs))
    spread = np.std([test.n for test in found])
    assert np.mean([test.n for test in found]) == pytest.approx(plan.items, abs=3.5 * spread / np.sqrt(runs))


@pytest.mark.parametrize("horizon", [13, 130])
def test_the_unbiased_estimate_equals_its_closed_form_where_only_the_boundaries_stop(horizon):
    boundary, rule = calibrate(horizon, 0.05, 5.0), BinaryRule(horizon=horizon, items=400)
    for m in range(9, horizon + 1, 11):
        promoted = m, boundary.wins[m], False
        ended = m, min(boundary.wins[m], boundary.wins[m - 1]) - 2, True
        for differ, wins, end in (promoted, ended):
            if wins > differ or (not end and wins > boundary.wins[differ - 1]) or (end and differ == horizon):
                continue  # no test stops here
            counts = (400, wins, differ - wins)
            assert mean_first(rule, *counts) == pytest.approx(unbiased(boundary, *counts, ended=end), abs=1e-9)


# Power and expected questions of statistics.md, section 2.2: N = 800 or 200, horizon = N times the disagreement.
TABLE = [
    (800, 0.10, 0.03, 0.74, 468), (800, 0.10, 0.05, 0.99, 236), (800, 0.10, 0.08, 1.00, 112),
    (800, 0.16, 0.03, 0.52, 563), (800, 0.16, 0.05, 0.91, 340), (800, 0.16, 0.08, 1.00, 155),
    (800, 0.16, 0.10, 1.00, 108), (800, 0.16, 0.15, 1.00, 60),
    (800, 0.25, 0.03, 0.35, 630), (800, 0.25, 0.05, 0.70, 467), (800, 0.25, 0.08, 0.99, 230),
    (800, 0.25, 0.10, 1.00, 150), (800, 0.25, 0.15, 1.00, 76),
    (200, 0.10, 0.03, 0.30, 163), (200, 0.10, 0.05, 0.61, 140), (200, 0.10, 0.08, 0.97, 91),
    (200, 0.16, 0.03, 0.20, 170), (200, 0.16, 0.05, 0.44, 152), (200, 0.16, 0.08, 0.82, 112),
    (200, 0.16, 0.10, 0.95, 87), (200, 0.16, 0.15, 1.00, 47),
    (200, 0.25, 0.03, 0.15, 177), (200, 0.25, 0.05, 0.31, 162), (200, 0.25, 0.08, 0.61, 136),
    (200, 0.25, 0.10, 0.79, 112), (200, 0.25, 0.15, 0.99, 66),
]  # fmt: skip


@pytest.mark.parametrize(("items", "disagreement", "difference", "power", "questions"), TABLE)
def test_power_and_expected_questions_of_the_published_table(items, disagreement, difference, power, questions):
    rule = BinaryRule(horizon=horizon_for(items, disagreement))
    found = forecast(rule, difference=difference, disagreement=disagreement, items=items)
    assert found.power == pytest.approx(power, abs=0.03)
    assert found.items == pytest.approx(questions, rel=0.05)


@pytest.mark.parametrize(
    ("alpha", "power", "questions"), [(0.05, 0.91, 343), (0.025, 0.86, 411), (0.05 / 30, 0.58, 604)]
)
def test_a_smaller_alpha_costs_power(alpha, power, questions):
    found = forecast(BinaryRule(alpha=alpha), difference=0.05, disagreement=0.162, items=800)
    assert found.power == pytest.approx(power, abs=0.01)
    assert found.items == pytest.approx(questions, rel=0.01)


def test_the_last_look_adds_power_and_no_error():
    for disagreement in (0.02, 0.05, 0.08, 0.16, 0.3):
        with_it = forecast(BinaryRule(items=800), difference=0.0, disagreement=disagreement)
        assert with_it.power <= 0.05
    few = forecast(BinaryRule(items=800), difference=0.03, disagreement=0.08).power
    assert few > forecast(BinaryRule(), difference=0.03, disagreement=0.08, items=800).power + 0.01


@pytest.mark.parametrize(("distance", "disagreement"), [(0.02, 0.03), (0.05, 0.15), (0.1, 0.4)])
def test_margins_are_wrongly_claimed_no_more_often_than_stated(distance, disagreement):
    """Exact, where the truth lies on the margin itself."""
    rule = BinaryRule(horizon=160, items=800, margin=distance, smallest=distance)
    not_worse = forecast(rule, difference=-distance, disagreement=disagreement).chances()[Verdict.NOT_WORSE]
    not_better = forecast(rule, difference=distance, disagreement=disagreement).chances()[Verdict.NOT_BETTER]
    assert 0.005 < not_worse <= 0.05
    assert not_better == pytest.approx(not_worse, abs=0.01)


def test_a_hopeless_candidate_is_dropped_early():
    rule = BinaryRule(items=800, smallest=0.05)
    ten, five = (forecast(rule, difference=d, disagreement=0.16) for d in (-0.10, -0.05))
    assert ten.quantile(0.5) <= 72
    assert five.quantile(0.5) <= 135
    assert ten.chances(72)[Verdict.NOT_BETTER] + ten.chances(72)[Verdict.WORSE] >= 0.5


def test_the_rule_of_thumb_is_near_the_forecast():
    assert questions_expected(0.05, 0.162) == pytest.approx(384, abs=3)
    assert questions_expected(0.05, 0.05) < questions_expected(0.05, 0.3)
    assert questions_expected(0.0, 0.2) == float("inf")
