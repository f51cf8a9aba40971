"""Planted variances are found again, in tables with gaps too, and the advice follows from them."""

import numpy as np
import pytest

from assay.stats import advise, clustered_t, variance_components
from assay.stats.variance import difference_variance

PLANTED = (0.02, 0.05, 0.04, 0.03)  # cluster, question, resample, judge


def table(rng, *, clusters=40, per_cluster=(3, 9), resamples=(2, 5), repeats=(2, 4), planted=PLANTED):
    """Rows of (cluster, question, resample, difference); numbers per level are drawn, so the table is unbalanced."""
    cluster, question, resample, value = [], [], [], []
    for c in range(clusters):
        of_cluster = rng.normal(0.05, np.sqrt(planted[0]))
        for q in range(rng.integers(*per_cluster)):
            of_question = of_cluster + rng.normal(0, np.sqrt(planted[1]))
            for r in range(rng.integers(*resamples)):
                of_resample = of_question + rng.normal(0, np.sqrt(planted[2]))
                for _ in range(rng.integers(*repeats)):
                    cluster.append(f"c{c}")
                    question.append(f"c{c}q{q}")
                    resample.append(r)
                    value.append(of_resample + rng.normal(0, np.sqrt(planted[3])))
    return np.array(value), question, cluster, resample


def components(rows):
    value, question, cluster, resample = rows
    return variance_components(value, questions=question, clusters=cluster, resamples=resample)


def test_planted_variances_are_recovered_without_bias():
    rng = np.random.default_rng(0)
    found = np.array(
        [(c.cluster, c.question, c.resample, c.judge) for c in (components(table(rng)) for _ in range(120))]
    )
    error = found.std(axis=0, ddof=1) / np.sqrt(len(found))
    assert (np.abs(found.mean(axis=0) - PLANTED) <= 3.5 * error).all(), found.mean(axis=0)
    assert (error < 0.06 * np.array(PLANTED)).sum() >= 3


def test_a_balanced_table_gives_the_classical_mean_squares():
    rng = np.random.default_rng(1)
    y = rng.normal(0, 1, (12, 4, 3)) + rng.normal(0, 1, (12, 1, 1)) + rng.normal(0, 1, (12, 4, 1))
    question, resample = np.repeat(np.arange(12), 12), np.tile(np.repeat(np.arange(4), 3), 12)
    found = variance_components(y.ravel(), questions=question, resamples=resample)
    within = ((y - y.mean(axis=2, keepdims=True)) ** 2).sum() / (12 * 4 * 2)
    middle = 3 * ((y.mean(axis=2) - y.mean(axis=(1, 2))[:, None]) ** 2).sum() / (12 * 3)
    between = 12 * ((y.mean(axis=(1, 2)) - y.mean()) ** 2).sum() / 11
    assert found.judge == pytest.approx(within)
    assert found.resample == pytest.approx((middle - within) / 3)
    assert found.question == pytest.approx((between - middle) / 12)
    assert np.isnan(found.cluster)
    assert (found.questions, found.resamples, found.judgements) == (12, 4, 3)
    assert found.standard_error() == pytest.approx(np.sqrt(between / 144))


def test_what_the_table_cannot_tell_apart_is_not_reported():
    rng = np.random.default_rng(2)
    plain = variance_components(rng.normal(0, 1, 200), questions=range(200))
    assert np.isnan([plain.cluster, plain.resample, plain.judge]).all()
    assert plain.question == pytest.approx(1, rel=0.3)
    twice = variance_components(rng.normal(0, 1, 200), questions=[i // 2 for i in range(200)], resamples=[0, 1] * 100)
    assert np.isnan(twice.judge)
    assert twice.resample == pytest.approx(1, rel=0.3)
    judged = variance_components(rng.normal(0, 1, 200), questions=[i // 2 for i in range(200)])
    assert np.isnan(judged.resample)
    assert judged.judge == pytest.approx(1, rel=0.3)
    singles = variance_components(rng.normal(0, 1, 50), questions=range(50), clusters=range(50))
    assert singles.cluster + (0 if np.isnan(singles.question) else singles.question) == pytest.approx(1, rel=0.5)


def test_the_predicted_error_is_the_error_between_tables():
    rng = np.random.default_rng(3)
    design = {"clusters": 30, "per_cluster": (5, 6), "resamples": (2, 3), "repeats": (2, 3)}
    results = [components(table(rng, **design)) for _ in range(200)]
    real = np.std([result.mean for result in results], ddof=1)
    assert np.mean([result.standard_error() for result in results]) == pytest.approx(real, rel=0.12)
    rows = table(rng, **design)
    assert components(rows).standard_error() == pytest.approx(
        clustered_t(rows[0], rows[2]).half_width / 2.045, rel=0.02
    )


def test_section_ones_formula():
    assert difference_variance(question=1 / 9, incumbent=0, candidate=0, n=1_000) == pytest.approx(1 / 9_000)
    more = difference_variance(question=0.1, incumbent=0.2, candidate=0.3, n=50, k_incumbent=2, k_candidate=3)
    assert more == pytest.approx((0.1 + 0.1 + 0.1) / 50)
    with pytest.raises(ValueError, match="at least one question"):
        difference_variance(question=0.1, incumbent=0, candidate=0, n=0)


def test_advice_follows_where_the_noise_is():
    rng = np.random.default_rng(4)
    noisy_judge = advise(components(table(rng, planted=(0.0, 0.001, 0.001, 0.5))), answer_cost=10, judge_cost=1)
    assert noisy_judge.purchases[0].what.startswith("judgements")
    noisy_system = advise(components(table(rng, planted=(0.0, 0.001, 0.5, 0.0))), answer_cost=1, judge_cost=0)
    ways = {bought.what: bought for bought in noisy_system.purchases}
    assert ways["resamples of every question"].standard_error < 0.8 * noisy_system.standard_error
    documents = advise(components(table(rng, planted=(0.5, 0.01, 0.01, 0.01))))
    assert documents.purchases[0].what == "questions from new clusters"
    assert documents.words[-1] == "Best buy: questions from new clusters."
    at_hand = next(bought for bought in documents.purchases if "at hand" in bought.what)
    assert at_hand.standard_error > 0.95 * documents.standard_error


def test_figures_in_the_words_are_those_of_the_purchases():
    plain = variance_components([0.0, 1.0] * 50, questions=range(100))
    advice = advise(plain, answer_cost=0.002, judge_cost=0.001, unit="US dollars")
    assert advice.standard_error == pytest.approx(np.std([0.0, 1.0] * 50, ddof=1) / 10)
    assert advice.purchases[0].standard_error == pytest.approx(advice.standard_error / np.sqrt(2))
    assert advice.words == (
        "The standard error is 0.0503.",
        "Twice the questions: 0.0355, for 0.6 more US dollars.",
        "Best buy: questions.",
    )
    assert advise(variance_components([1.0] * 9, questions=range(9))).words[-1].startswith("Nothing to buy")


def test_tables_that_cannot_be_are_refused():
    with pytest.raises(ValueError, match="two questions or more"):
        variance_components([1.0, 2.0], questions=["a", "a"])
    with pytest.raises(ValueError, match="two questions or more"):
        variance_components([], questions=[])
    with pytest.raises(ValueError, match="as many"):
        variance_components([1.0, 2.0], questions=["a"])
    with pytest.raises(ValueError, match="lies in two clusters"):
        variance_components([1.0, 2.0, 3.0], questions=["a", "a", "b"], clusters=["x", "y", "y"])
