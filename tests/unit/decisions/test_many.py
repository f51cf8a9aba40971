"""Many candidates: verdicts for all at once, odd input named, and the best called what it is."""

import math

import numpy as np
import pytest

from assay.decisions.compare import Scored, compare
from assay.decisions.many import compare_many, family_shape
from assay.decisions.sentence import caveat, headline
from assay.decisions.terminal import family_forest_lines, family_table_lines
from assay.errors import BadInput
from assay.stats.permutation import max_t


def named(name, scores, *, clusters=None, start=0):
    return name, [
        Scored(f"q{i:04d}", score, None if clusters is None else f"d{clusters[i]}")
        for i, score in enumerate(scores, start)
    ]


RNG = np.random.default_rng(1)
BASE = (RNG.random(300) < 0.6).astype(float)
GOOD = np.where(RNG.random(300) < 0.5, 1.0, BASE)
BAD = np.where(RNG.random(300) < 0.3, 0.0, BASE)
SAME = np.where(RNG.random(300) < 0.1, RNG.random(300) < 0.6, BASE)
INCUMBENT = named("base", BASE)
OTHERS = [named("good", GOOD), named("bad", BAD), named("same", SAME)]


def test_verdicts_of_all_and_the_best():
    family = compare_many(INCUMBENT, OTHERS)
    assert [arm.comparison.verdict for arm in family.arms] == ["BETTER", "WORSE", "UNDECIDED"]
    assert family.best.name == "good"
    assert headline(family).startswith("good, the best of 3, is better than base by ")
    assert headline(family).endswith("Of 3 candidates: 1 better, 1 worse, 1 undecided.")
    assert "picked as the best of 3" in caveat(family)


def test_the_numbers_are_those_of_max_t():
    family = compare_many(INCUMBENT, OTHERS)
    tested = max_t(np.stack([GOOD, BAD, SAME]) - BASE)
    for arm, p, interval in zip(family.arms[:2], tested.p, tested.intervals, strict=False):
        assert arm.comparison.difference.low == pytest.approx(interval.low, abs=2e-3)
        assert arm.p_adjusted == pytest.approx(p, abs=2e-3)
    alone, among = compare(INCUMBENT[1], OTHERS[0][1]), family.arms[0].comparison
    assert among.difference.half_width > alone.difference.half_width
    reach = (tested.critical + 0.8416) / tested.critical
    assert among.detectable == pytest.approx(among.difference.half_width * reach, rel=0.01)


def test_none_is_best_where_none_scores_above_the_incumbent():
    family = compare_many(INCUMBENT, [named("bad", BAD), named("twin", BASE)])
    assert family.best is None
    shape = family_shape(family)
    assert (shape["best"], shape["verdict"], shape["caveat"]) == (None, "UNDECIDED", "")
    assert headline(family).startswith("Undecided: twin, the closest of 2, scores the same as base")
    worst = compare_many(INCUMBENT, [named("bad", BAD), named("zero", np.zeros(300))])
    assert headline(worst).startswith("bad, the closest of 2, is worse than base by ")


def test_lower_is_better_turns_everything():
    plain, turned = compare_many(INCUMBENT, OTHERS), compare_many(INCUMBENT, OTHERS, lower_is_better=True)
    assert turned.best.name == "bad"
    for one, other in zip(plain.arms, turned.arms, strict=True):
        assert one.comparison.difference.low == pytest.approx(-other.comparison.difference.high)
        assert (one.comparison.wins, one.p_adjusted) == (other.comparison.losses, other.p_adjusted)


def test_a_margin_is_held_against_the_interval_for_all():
    family = compare_many(INCUMBENT, OTHERS, margin=0.05)
    for arm in family.arms:
        assert arm.comparison.not_worse == (arm.comparison.difference.low > -0.05)
    assert "margin" in family_table_lines(family, width=200)[0]


def test_clusters_are_flipped_whole():
    clusters = np.arange(300) // 20
    rows = [named(name, scores, clusters=clusters) for name, scores in (("base", BASE), ("b", GOOD), ("c", SAME))]
    family = compare_many(rows[0], rows[1:])
    assert family_shape(family)["clusters"] == 15
    assert "15 clusters" in family.arms[0].comparison.difference.reason
    together = [np.repeat(RNG.normal(0, 0.2, 15), 20) + 0.5 for _ in range(2)]
    arms = [named("b", together[0], clusters=clusters), named("c", together[1], clusters=clusters)]
    flat = compare_many(named("base", np.full(300, 0.5)), [named("b", together[0]), named("c", together[1])])
    whole = compare_many(named("base", np.full(300, 0.5), clusters=clusters), arms)
    assert whole.arms[0].comparison.difference.half_width > 2 * flat.arms[0].comparison.difference.half_width


def test_only_cases_that_all_have_count_and_the_rest_is_said():
    family = compare_many(INCUMBENT, [named("late", BASE[10:], start=10), named("short", GOOD[:200])])
    assert family.arms[0].comparison.n == family.arms[1].comparison.n == 190
    (note,) = [note for note in family.notes if note.startswith("Not in every file")]
    assert "110 cases of base, 100 cases of late, 10 cases of short (q0000" in note
    assert "about the 190 in all" in note


def test_an_arm_without_common_cases_is_refused_by_name():
    far = named("far", BASE, start=5_000)
    with pytest.raises(BadInput, match="No case of base is in far") as caught:
        compare_many(INCUMBENT, [far, OTHERS[0]])
    assert "leave far out" in caught.value.hint
    halves = [named("early", BASE[:100]), named("late", BASE[100:], start=100)]
    with pytest.raises(BadInput, match="that the files before it share is in late"):
        compare_many(INCUMBENT, halves)


def test_failures_score_worst_and_are_named():
    broken = [None if i < 100 else score for i, score in enumerate(BASE)]
    family = compare_many(INCUMBENT, [OTHERS[0], named("broken", broken)])
    assert family.arms[1].comparison.verdict == "WORSE"
    assert "Failed, so no score: 100 results of broken, counted as 0, the worst." in family.notes
    stars = [named(name, scores * 4 + 1) for name, scores in (("base", BASE), ("b", GOOD))]
    with pytest.raises(BadInput, match="in nan has no score"):
        compare_many(stars[0], [stars[1], named("nan", [math.nan] * 300)])


def test_another_scale_is_a_note_not_a_silence():
    family = compare_many(INCUMBENT, [OTHERS[0], named("percent", GOOD * 100)])
    assert any("Scores of base lie in 0 to 1, those of percent reach 100" in note for note in family.notes)
    assert any("one scale" in note for note in compare(INCUMBENT[1], named("x", GOOD * 100)[1]).notes)
    losses = compare(named("a", [0.5] * 50)[1], named("b", [0.4, 1.6] * 25)[1])
    assert losses.notes == ()


def test_constant_and_equal_arms_decide_nothing():
    ones = [named(name, np.ones(50)) for name in ("base", "b", "c")]
    family = compare_many(ones[0], ones[1:])
    assert [arm.comparison.verdict for arm in family.arms] == ["UNDECIDED"] * 2
    assert [arm.p_adjusted for arm in family.arms] == [1.0] * 2
    assert all(0.02 < arm.comparison.difference.high < 0.3 for arm in family.arms)
    assert family.arms[0].comparison.needed is None
    assert "b and c have the same score in every case." in family.notes


def test_one_case_and_one_cluster_give_no_interval():
    family = compare_many(named("base", [0.0]), [named("b", [1.0]), named("c", [1.0])])
    assert [arm.comparison.difference.method for arm in family.arms] == ["none"] * 2
    assert (family.arms[0].comparison.difference.low, family.arms[0].comparison.difference.high) == (-1, 1)
    assert "no interval can be given" in headline(family)
    one = [named(name, scores, clusters=[0] * 300) for name, scores in (("base", BASE), ("b", GOOD), ("c", BAD))]
    assert {arm.comparison.verdict for arm in compare_many(one[0], one[1:]).arms} == {"UNDECIDED"}


def test_what_the_flips_refute_stays_refuted_where_limits_are_widened():
    base = [0.0] * 6 + [1.0] * 34
    family = compare_many(named("base", base), [named("b", [1.0] * 40), named("c", base), named("d", base)])
    arm = family.arms[0]
    assert (arm.comparison.difference.method, arm.comparison.verdict) == ("max-t+newcombe-10", "BETTER")
    assert arm.p_adjusted == pytest.approx(2**-5, abs=0.005)


def test_a_giant_cluster_that_leaves_no_interval_leaves_no_small_p_either():
    clusters = np.repeat(np.arange(14), [54, 3, 2, 2, 1, 1, 1, 1, 4, 3, 4, 3, 3, 4])
    gains = np.where((clusters > 0) | (np.arange(86) < 3), 1.0, 0.0)
    some = np.where(RNG.random(86) < 0.2, 1.0, 0.0)
    assert max_t(np.stack([gains, some]), clusters).p[0] < 0.001
    arms = [named(name, scores * 3, clusters=clusters) for name, scores in (("b", gains), ("c", some))]
    found = compare_many(named("base", np.zeros(86), clusters=clusters), arms).arms[0]
    assert (found.comparison.verdict, found.p_adjusted) == ("UNDECIDED", 1.0)


def test_thirty_arms():
    rng = np.random.default_rng(3)
    arms = [named(f"arm {i}", np.where(rng.random(300) < 0.1, rng.random(300) < 0.6, BASE)) for i in range(30)]
    family = compare_many(INCUMBENT, arms)
    assert {arm.comparison.verdict for arm in family.arms} == {"UNDECIDED"}
    lines = family_forest_lines(family, width=80)
    assert len(lines) == 33
    assert "30 undecided" in headline(family)


@pytest.mark.parametrize("alpha", [0, 1, math.nan, 1e-5])
def test_a_level_that_flips_cannot_show_is_refused(alpha):
    with pytest.raises(BadInput, match="alpha"):
        compare_many(INCUMBENT, OTHERS, alpha=alpha)


def test_names_are_needed_once_each():
    for candidates in ([], [OTHERS[0], OTHERS[0]], [("base", OTHERS[0][1])]):
        with pytest.raises(BadInput, match="name"):
            compare_many(INCUMBENT, candidates)
