"""Whatever the results: verdict and interval agree, the sides mirror, order is nothing, and the shape is plain JSON."""

import json
import math

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from assay.decisions.compare import Scored, compare, comparison_shape
from assay.decisions.figures import figure
from assay.decisions.many import compare_many, family_shape
from assay.decisions.many_picture import family_html, family_svg
from assay.decisions.picture import comparison_html, forest_svg
from assay.decisions.sentence import outlook, sentence, side_effects
from assay.decisions.terminal import (
    ASCII,
    UNICODE,
    bar_line,
    family_effect_lines,
    family_forest_lines,
    family_table_lines,
    forest_lines,
    table_lines,
)
from assay.errors import BadInput

SCORES = {
    "right or wrong": lambda rng, n: rng.integers(0, 2, n).astype(float),
    "graded": lambda rng, n: rng.random(n),
    "thirds": lambda rng, n: rng.integers(0, 4, n) / 3,
    "mostly right": lambda rng, n: (rng.random(n) < 0.98).astype(float),
    "signed": lambda rng, n: rng.normal(0, 20, n),
    "vast": lambda rng, n: rng.normal(0, 1e95, n),
    "minute": lambda rng, n: rng.random(n) * 1e-90,
    "one value": lambda rng, n: np.full(n, 5.0),
}


@st.composite
def two_sides(draw):
    """Two result lists that share cases, perhaps with clusters, failures, repeats and cases of one side only."""
    # Hypothesis chooses the kinds, a seeded generator the numbers: thousands of draws a case would take minutes.
    rng = np.random.default_rng(draw(st.integers(0, 10_000)))
    scores, n = SCORES[draw(st.sampled_from(sorted(SCORES)))], draw(st.integers(1, 130))
    clusters = [None] * n
    if draw(st.booleans()):
        count = draw(st.integers(1, n))
        clusters = [None if rng.random() < 0.1 else f"d{rng.integers(count)}" for _ in range(n)]
    shift, failing, repeating, names = draw(st.tuples(*[st.booleans()] * 4))
    sides = []
    for side in "AB":
        values = scores(rng, n)
        if shift and side == "B":
            values = np.maximum(values, scores(rng, n))
        rows = [
            Scored(
                f"q{i}",
                None if failing and rng.random() < 0.1 else float(values[i]),
                clusters[i],
                float(rng.random()) if rng.random() < 0.9 else None,
                float(rng.lognormal(5, 1)) if rng.random() < 0.9 else None,
            )
            for i in range(n)
        ]
        if repeating:
            rows += [row._replace(score=float(scores(rng, 1)[0])) for row in rows if rng.random() < 0.3]
        if names:
            rows.append(Scored(draw(st.text(max_size=8)), float(values[0])))
        sides.append([rows[i] for i in rng.permutation(len(rows))])
    return sides


def compared(sides, **options):
    """The comparison, or None where the input is refused."""
    try:
        return compare(*sides, **options)
    except BadInput:
        return None


@given(two_sides(), st.booleans(), st.sampled_from([0.05, 0.01, 0.2]))
@settings(max_examples=250, deadline=None)
def test_verdict_interval_counts_and_words_agree(sides, lower_is_better, alpha):
    comparison = compared(sides, lower_is_better=lower_is_better, alpha=alpha)
    if comparison is None:
        return
    low, value, high = comparison.difference.low, comparison.difference.value, comparison.difference.high
    tiny = 1e-9 * max(1.0, abs(value))
    assert low <= value + tiny
    assert value <= high + tiny
    expected = "BETTER" if low > 0 else "WORSE" if high < 0 else "UNDECIDED"
    assert comparison.verdict == expected
    assert comparison.wins + comparison.losses + comparison.ties == comparison.n
    means = comparison.candidate_mean - comparison.incumbent_mean
    assert math.isclose(
        -means if lower_is_better else means,
        value,
        rel_tol=1e-6,
        abs_tol=1e-9 * max(1.0, abs(comparison.incumbent_mean)),
    )
    word = {"BETTER": "B is better", "WORSE": "B is worse", "UNDECIDED": "Undecided"}[expected]
    assert sentence(comparison).startswith(word)
    if comparison.n == 1 or comparison.clusters == 1:
        assert comparison.verdict == "UNDECIDED"


@given(two_sides())
@settings(max_examples=100, deadline=None)
def test_swapping_the_sides_mirrors_the_interval(sides):
    forth, back = compared(sides), compared(sides[::-1])
    if forth is None:
        assert back is None
        return
    mirror = {"BETTER": "WORSE", "WORSE": "BETTER", "UNDECIDED": "UNDECIDED"}
    assert back.verdict == mirror[forth.verdict]
    assert math.isclose(back.difference.low, -forth.difference.high, rel_tol=1e-6, abs_tol=1e-9)
    assert back.difference.method == forth.difference.method
    assert (back.wins, back.losses) == (forth.losses, forth.wins)


@given(two_sides(), st.randoms())
@settings(max_examples=60, deadline=None)
def test_the_order_of_lines_is_nothing(sides, random):
    shuffled = [random.sample(list(side), len(side)) for side in sides]
    first, second = compared(sides), compared(shuffled)
    if first is None:
        assert second is None
        return
    assert first.verdict == second.verdict
    assert math.isclose(first.difference.low, second.difference.low, rel_tol=1e-6, abs_tol=1e-9)
    assert (first.wins, first.losses, first.ties) == (second.wins, second.losses, second.ties)


@given(two_sides(), st.integers(20, 200), st.booleans())
@settings(max_examples=100, deadline=None)
def test_every_picture_can_be_drawn_and_stays_in_its_width(sides, width, lower_is_better):
    comparison = compared(sides, lower_is_better=lower_is_better)
    if comparison is None:
        return
    shape = json.loads(json.dumps(comparison_shape(comparison), allow_nan=False))
    assert shape["verdict"] == comparison.verdict
    for glyphs in (UNICODE, ASCII):
        assert all(len(line) <= width for line in table_lines(comparison, width=width))
        lines = forest_lines(comparison, width=width, glyphs=glyphs)
        assert all(len(line) <= width for line in lines)
        assert glyphs.point in lines[1]
        assert len(bar_line(comparison, width=width, glyphs=glyphs)) == width
    page = comparison_html(comparison, incumbent="<a>", candidate="b&")
    svg = forest_svg(comparison)
    for text in (page, svg):
        assert "nan" not in text.lower().replace("nano", "")
        assert "<a>" not in text.removeprefix("<a")
        assert "inf%" not in text
    outlook(comparison), side_effects(comparison)


@given(two_sides())
@settings(max_examples=100, deadline=None)
def test_no_limit_is_written_as_the_zero_it_is_not(sides):
    comparison = compared(sides)
    if comparison is None:
        return
    for limit in (comparison.difference.low, comparison.difference.high):
        if math.isfinite(limit) and abs(limit) > 1e-9:
            assert float(figure(comparison, limit)) != 0


@given(st.lists(two_sides(), min_size=1, max_size=3), st.booleans(), st.sampled_from([0.05, 0.2]), st.integers(20, 200))
@settings(max_examples=80, deadline=None)
def test_of_many_verdict_interval_and_p_agree_and_order_is_nothing(worlds, lower_is_better, alpha, width):
    sides = [side for pair in worlds for side in pair]
    first, *others = [(f"file {i}", [row._replace(cluster=None) for row in side]) for i, side in enumerate(sides)]
    try:
        family = compare_many(first, others, alpha=alpha, lower_is_better=lower_is_better)
    except BadInput:
        return
    for arm in family.arms:
        low, value, high = (getattr(arm.comparison.difference, name) for name in ("low", "value", "high"))
        assert low <= value + 1e-9 * abs(value)
        assert value <= high + 1e-9 * abs(value)
        assert arm.comparison.verdict == ("BETTER" if low > 0 else "WORSE" if high < 0 else "UNDECIDED")
        assert (arm.p_adjusted <= alpha) == (arm.comparison.verdict != "UNDECIDED")
    back = compare_many(first, others[::-1], alpha=alpha, lower_is_better=lower_is_better)
    assert back.arms[::-1] == family.arms
    assert (back.top, set(back.notes)) == (family.top, set(family.notes))
    json.dumps(family_shape(family), allow_nan=False)
    for glyphs in (UNICODE, ASCII):
        lines = family_forest_lines(family, width=width, glyphs=glyphs)
        lines += family_table_lines(family, width=width) + family_effect_lines(family, width=width)
        assert all(len(line) <= width for line in lines)
    for text in (family_html(family), family_svg(family)):
        assert "inf%" not in text
        assert "nan%" not in text
