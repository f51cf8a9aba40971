"""What must hold of the fixed-size statistics on any data: verdicts and intervals agree, budgets add up."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from assay.stats import Spending, Stratum, certify, max_t, neyman, ppi_difference, ppi_rate, sign_flip
from assay.stats.labelled import LabelledBetting
from assay.stats.verdict import Verdict

WIN_OR_LOSS = st.sampled_from([-1.0, 0.0, 1.0])
VALUES = st.lists(WIN_OR_LOSS | st.floats(-1, 1, allow_nan=False).map(lambda v: round(v, 3)), min_size=1, max_size=40)


@settings(max_examples=150, deadline=None)
@given(VALUES, st.sampled_from(["two-sided", "greater", "less"]), st.sampled_from([0.01, 0.05, 0.2]), st.booleans())
def test_a_sign_flip_rejects_exactly_where_its_interval_excludes_zero(values, alternative, alpha, clustered):
    clusters = [i // 3 for i in range(len(values))] if clustered else None
    found = sign_flip(values, clusters, alternative, alpha=alpha, draws=500)
    assert (found.p <= alpha) == (not found.interval.low <= 0 <= found.interval.high)
    assert found.interval.low <= found.interval.value <= found.interval.high


@settings(max_examples=150, deadline=None)
@given(st.data(), st.integers(1, 5), st.integers(1, 40), st.sampled_from([0.01, 0.05, 0.2]))
def test_max_t_rejects_exactly_where_its_interval_excludes_zero(data, k, n, alpha):
    rows = data.draw(st.lists(st.lists(WIN_OR_LOSS, min_size=n, max_size=n), min_size=k, max_size=k))
    found = max_t(rows, alpha=alpha, draws=400)
    for p, interval in zip(found.p, found.intervals, strict=True):
        assert (p <= alpha) == (not interval.low <= 0 <= interval.high)
        assert interval.low <= interval.value <= interval.high
    order = np.argsort(found.p, kind="stable")
    mirrored = max_t((-np.array(rows)).tolist(), alpha=alpha, draws=400)
    assert mirrored.p == found.p
    assert len(order) == k


@settings(max_examples=150, deadline=None)
@given(
    st.lists(st.tuples(st.floats(0, 1), st.floats(0, 1), st.integers(0, 50)), min_size=1, max_size=5),
    st.integers(0, 100),
    st.integers(0, 12),
)
def test_an_allocation_uses_every_label_it_can(strata, total, floor):
    weights, sds, sizes = zip(*strata, strict=True)
    counts = neyman(weights, sds, total, floor, sizes=sizes)
    room = [size if weight > 0 else 0 for weight, size in zip(weights, sizes, strict=True)]
    assert sum(counts) == min(total, sum(room))
    assert all(0 <= count <= most for count, most in zip(counts, room, strict=True))
    if sum(min(floor, most) for most in room) <= total:
        assert all(count >= min(floor, most) for count, most in zip(counts, room, strict=True))


@settings(max_examples=200, deadline=None)
@given(st.lists(st.sampled_from(["promoted", "kept", "opened"]), max_size=60))
def test_a_budget_never_spends_more_than_it_has(history):
    budget, lost = Spending(), 0.0
    for event in history:
        assert 0 < budget.next <= budget.left <= 0.05 + 1e-15
        if event == "opened":
            after = budget.charge()
        else:
            after = budget.spent(event == "promoted")
            lost += budget.next if event == "kept" else 0.0
        assert after.left <= budget.left + 1e-15
        budget = after
    assert lost + budget.left <= 0.05 + 1e-12


@settings(max_examples=150, deadline=None)
@given(
    st.lists(st.tuples(st.integers(0, 200), st.floats(0, 0.2)), min_size=1, max_size=12),
    st.sampled_from([0.01, 0.05, 0.1]),
)
def test_a_certificate_is_what_its_steps_say(bins, epsilon):
    accepted = np.cumsum([count for count, _ in bins])
    errors = np.cumsum([int(count * share) for count, share in bins])
    result = certify(range(len(bins)), accepted, errors, epsilon)
    passed = [step for step in result.steps if step.passed]
    assert result.threshold == (passed[-1].threshold if passed else None)
    assert all(step.upper <= epsilon + 1e-9 for step in passed)
    tested = [step.passed for step in result.steps if step.passed is not None]
    assert tested == sorted(tested, reverse=True)
    assert tested.count(False) <= 1


@settings(max_examples=100, deadline=None)
@given(
    st.lists(st.tuples(st.integers(0, 30), st.lists(WIN_OR_LOSS, max_size=30)), max_size=4),
    st.lists(st.tuples(st.booleans(), st.floats(0, 1)), max_size=150),
    st.lists(st.floats(0, 1), max_size=50),
)
def test_calibrated_intervals_stay_on_their_scale(strata, rows, rest):
    found = ppi_difference([Stratum(size + len(labels), tuple(labels)) for size, labels in strata])
    assert -1 <= found.low <= found.value <= found.high <= 1
    rate = ppi_rate([y for y, _ in rows], [f for _, f in rows], rest)
    assert 0 <= rate.low <= rate.value <= rate.high <= 1
    assert 0 <= rate.weight <= 1


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10_000), st.floats(-1, 1), st.floats(0, 0.9), st.floats(0, 1))
def test_labels_looked_at_any_time_give_a_verdict_that_is_their_interval(seed, judge_mean, ties, wins):
    rng = np.random.default_rng(seed)
    test = LabelledBetting(judge_mean, 0.1, beta=0.1)
    low, high = -1.0, 1.0
    for d, j in zip(
        rng.choice([-1, 0, 1], 60, p=[(1 - ties) * (1 - wins), ties, (1 - ties) * wins]),
        rng.choice([-1, 0, 1], 60),
        strict=True,
    ):
        verdict = test.update(d, j)
        if test.n % 30 == 0 or verdict is not Verdict.UNDECIDED:
            evidence = test.evidence()
            assert (evidence.low > 0) == (verdict is Verdict.PROMOTE)
            assert (evidence.high < 0) == (verdict is Verdict.WORSE)
            assert (evidence.p_value <= 0.1) >= (verdict is Verdict.PROMOTE)
            assert evidence.low >= low - 1e-9 or evidence.high <= high + 1e-9
            low, high = evidence.low, evidence.high
