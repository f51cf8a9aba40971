"""Successive halving: what it plans, whom it keeps, and what it says of arms that fail, tie or cannot be scored."""

import itertools
import random
from collections.abc import Callable, Mapping, Sequence

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from assay.decisions.race.factors import Factors, factors_in
from assay.decisions.race.halving import Closed, Halving
from assay.decisions.race.rounds import planned_rounds
from assay.errors import BadInput

Score = Callable[[int, int], float | None]

GRID = [dict(zip("abcd", levels, strict=True)) for levels in itertools.product(range(4), range(3), range(2), range(2))]


def run(race: Halving, score: Score, *, fails: Sequence[int] = (), shuffle: int | None = None) -> list[Closed]:
    """Race to the end; `fails` are arms whose every answer is an error."""
    closed = []
    while (round_ := race.next()) is not None:
        asked = [(arm, item) for arm in round_.arms for item in round_.items]
        if shuffle is not None:
            random.Random(shuffle).shuffle(asked)
        for arm, item in asked:
            is_error = arm in fails
            race.add(arm, item, 0.0 if is_error else score(arm, item), failed=is_error)
        closed.append(race.close())
    return closed


def coin(arm: int, item: int, chance: float = 0.6) -> float:
    """A score drawn for this arm and question, the same whenever it is asked for."""
    return float(random.Random(1000 * arm + item).random() < chance)


def test_the_published_plan() -> None:
    plan = planned_rounds(48, items=500, calls=1440)
    assert [(one.arms, one.items) for one in plan] == [(48, 5), (24, 10), (12, 20), (6, 40), (3, 80), (2, 120)]
    assert {one.calls for one in plan} == {240}
    assert [one.number for one in plan] == [1, 2, 3, 4, 5, 6]


@given(st.integers(2, 400), st.integers(1, 2000), st.integers(2, 50_000))
@settings(max_examples=300, deadline=None)
def test_a_plan_keeps_within_calls_and_questions_and_leaves_one(arms: int, items: int, calls: int) -> None:
    if calls < arms:
        with pytest.raises(BadInput, match=f"{arms:,} calls at least"):
            planned_rounds(arms, items=items, calls=calls)
        return
    plan = planned_rounds(arms, items=items, calls=calls)
    assert sum(one.calls for one in plan) <= calls
    assert sum(one.items for one in plan) <= items
    assert all(one.items >= 1 for one in plan)
    assert plan[0].arms == arms
    assert all(later.arms < earlier.arms or later.arms == 2 for earlier, later in itertools.pairwise(plan))
    # Nothing that could be asked is left: one more question is too many, or too dear for every round.
    left = calls - sum(one.calls for one in plan)
    assert sum(one.items for one in plan) == items or left < plan[-1].arms


def test_where_questions_run_out_calls_go_to_the_early_rounds() -> None:
    plan = planned_rounds(100, items=60, calls=1840)
    assert sum(one.items for one in plan) == 60
    assert sum(one.calls for one in plan) > 0.95 * 1840
    assert plan[0].calls > 3 * plan[-1].calls
    whole = planned_rounds(4, items=50, calls=10_000)
    assert whole[0].items == 49  # calls enough for the whole grid: nearly all of it is the first round


def test_few_calls_make_fewer_rounds_with_sharper_cuts() -> None:
    plan = planned_rounds(64, items=100, calls=200)
    assert [one.arms for one in plan] == [64, 16, 4]
    assert [one.arms for one in planned_rounds(64, items=100, calls=64)] == [64]


def test_too_small_a_budget_says_what_is_needed() -> None:
    with pytest.raises(BadInput, match=r"12 calls .* 48 arms need 48 calls") as caught:
        Halving(None, 48, items=100, calls=12)
    assert "48" in caught.value.hint
    with pytest.raises(BadInput, match="no question"):
        Halving(None, 2, items=0, calls=12)


def test_one_arm_has_won_and_two_arms_race() -> None:
    alone = Halving(None, 1, items=0, calls=0)
    assert (alone.next(), alone.winner, alone.planned) == (None, 0, ())
    pair = Halving([{"k": 1}, {"k": 2}], 2, items=30, calls=40)
    run(pair, lambda arm, item: float(arm == 1))
    assert (pair.winner, pair.calls) == (1, 40)


def test_the_best_of_a_factorial_grid_wins_and_its_effects_are_seen() -> None:
    def score(arm: int, item: int) -> float:
        levels = GRID[arm]
        return coin(arm, item, 0.4 + 0.1 * levels["a"] + 0.05 * levels["b"] + 0.1 * levels["c"])

    race = Halving(GRID, 48, items=500, calls=2400)
    closed = run(race, score)
    assert race.is_factorial
    assert [len(one.kept) for one in closed] == [24, 12, 6, 3, 2, 1]
    assert race.winner is not None
    assert (GRID[race.winner]["a"], GRID[race.winner]["c"]) == (3, 1)
    effects = {(one.factor, one.level): one for one in race.effects()}
    assert len(effects) == 11
    assert effects["a", 3].low > 0 > effects["a", 0].high
    assert effects["a", 3].arms == 12
    assert effects["d", 0].low < 0 < effects["d", 0].high


def test_factors_help_where_there_are_some() -> None:
    """The same scores, with and without knowing the levels: mean true score of the winners over seeds."""
    worth = {arm: 0.05 * sum(levels.values()) for arm, levels in enumerate(GRID)}
    means = {}
    for known in (True, False):
        winners = []
        for seed in range(12):
            rng = np.random.default_rng(seed)
            scores = (rng.random((48, 320)) < 0.4 + np.array([worth[arm] for arm in range(48)])[:, None]).astype(float)
            race = Halving(GRID if known else None, 48, items=320, calls=960)
            run(race, lambda arm, item, scores=scores: float(scores[arm, item]))
            winners.append(worth[race.winner or 0])
        means[known] = float(np.mean(winners))
    assert means[True] > means[False] + 0.01


def test_an_odd_arm_is_not_ruled_out_by_its_levels() -> None:
    """One arm is far better than its factors say: an interaction, not noise."""
    race = Halving(GRID, 48, items=400, calls=2400)
    run(race, lambda arm, item: coin(arm, item, 0.95 if arm == 17 else 0.4 + 0.02 * GRID[arm]["a"]))
    assert race.winner == 17


def test_a_list_is_ranked_by_its_means() -> None:
    race = Halving(None, 20, items=300, calls=600)
    totals: dict[int, float] = dict.fromkeys(range(20), 0.0)
    while (round_ := race.next()) is not None:
        for arm, item in itertools.product(round_.arms, round_.items):
            totals[arm] += coin(arm, item, 0.3 + 0.02 * arm)
            race.add(arm, item, coin(arm, item, 0.3 + 0.02 * arm))
        expected = sorted(round_.arms, key=lambda arm: (-totals[arm], arm))
        closed = race.close()
        assert closed.kept == tuple(sorted(expected[: len(closed.kept)]))
    assert not race.is_factorial
    assert race.effects() == []


@given(st.integers(2, 30), st.integers(0, 10**6))
@settings(max_examples=10, deadline=None)
def test_the_order_of_arrival_changes_nothing(arms: int, seed: int) -> None:
    levels = [{"a": arm % 3, "b": arm % 4, "c": arm % 2} for arm in range(arms)]
    races = [Halving(levels, arms, items=60, calls=6 * arms) for _ in range(2)]
    first = run(races[0], coin)
    second = run(races[1], coin, shuffle=seed)
    assert first == second
    assert races[0].standings() == races[1].standings()


def test_nobody_is_asked_a_question_twice_and_survivors_share_them() -> None:
    race = Halving(None, 10, items=100, calls=120)
    seen: set[int] = set()
    while (round_ := race.next()) is not None:
        assert race.next() == round_  # asking again is harmless
        assert seen.isdisjoint(round_.items)
        seen |= set(round_.items)
        assert len(race.missing()) == round_.calls
        for arm, item in race.missing():
            race.add(arm, item, coin(arm, item))
        race.close()
    assert race.missing() == []
    assert race.calls <= 120


def test_equal_arms_go_by_number_and_it_is_said() -> None:
    race = Halving(None, 8, items=50, calls=96)
    closed = run(race, lambda arm, item: 1.0)
    assert closed[0].kept == (0, 1, 2, 3)
    assert closed[0].dropped[7] == (
        "ranked 8 of 8 after 4 questions: equal at 1.000 to one that goes on, which has the lower number"
    )
    assert race.winner == 0


def test_a_dropped_arm_is_told_its_rank_and_the_cut() -> None:
    race = Halving(None, 4, items=40, calls=64)
    closed = run(race, lambda arm, item: arm / 4)
    assert set(closed[0].dropped) == {0, 1}
    assert closed[0].dropped[0] == "ranked 4 of 4 after 8 questions: score .021, the cut was at .493"
    standing = race.standings()[0]
    assert (standing.is_in, standing.out_round, standing.why) == (False, 1, closed[0].dropped[0])
    assert race.standings()[3].is_in


def test_an_arm_that_always_fails_is_out_with_its_reason_and_lends_nothing() -> None:
    fails = [arm for arm, levels in enumerate(GRID) if levels["d"] == 0 and levels["b"] == 0]
    race = Halving(GRID, 48, items=400, calls=1440)
    closed = run(race, lambda arm, item: coin(arm, item, 0.3 + 0.15 * GRID[arm]["a"]), fails=fails)
    assert all(closed[0].dropped[arm] == "failed on all of 5 questions" for arm in fails)
    assert race.winner is not None
    assert GRID[race.winner]["a"] == 3
    # Nor are their levels blamed: those of the arms that answered are worth the same.
    effects = {(one.factor, one.level): one for one in race.effects()}
    assert all(abs(effects[key].effect) < 0.03 for key in (("d", 0), ("b", 0)))
    assert race.standings()[fails[0]].failed == 5


def test_where_most_arms_fail_the_rest_are_asked_more() -> None:
    race = Halving(None, 16, items=200, calls=320)
    planned = [one.items for one in race.planned]
    run(race, coin, fails=range(3, 16))
    assert race.winner in (0, 1, 2)
    assert race.calls <= 320
    assert race.standings()[race.winner].n > sum(planned)


def test_where_every_arm_fails_there_is_no_winner() -> None:
    race = Halving(None, 6, items=60, calls=60)
    run(race, coin, fails=range(6))
    assert race.is_over
    assert race.winner is None
    assert {one.why.split(" of ")[0] for one in race.standings() if not one.is_in} == {"failed on all"}


def test_a_judge_outage_in_round_two_leaves_what_was_known() -> None:
    race = Halving(None, 8, items=70, calls=120)
    lost = range(race.planned[0].items, race.planned[0].items + race.planned[1].items)

    def score(arm: int, item: int) -> float | None:
        return None if item in lost else arm / 8

    closed = run(race, score)
    assert closed[1].kept == (6, 7)  # by what the first round showed
    assert race.winner == 7
    standing = race.standings()[7]
    assert standing.unknown == len(lost)
    assert standing.mean is not None
    assert standing.low < standing.mean * standing.n / (standing.n + standing.unknown) < standing.mean < standing.high


def test_an_arm_that_could_not_be_scored_comes_after_those_that_could() -> None:
    race = Halving(None, 4, items=20, calls=24)
    closed = run(race, lambda arm, item: None if arm == 0 else 0.0)
    assert closed[0].kept == (1, 2)
    assert closed[0].dropped[0].startswith("none of its answers to")
    standing = race.standings()[0]
    assert (standing.mean, standing.low, standing.high) == (None, 0.0, 1.0)


def test_the_worth_of_a_score_decides_and_scores_stay_scores() -> None:
    price = {0: 0.0, 1: 0.0, 2: 0.5, 3: 0.5}
    race = Halving(None, 4, items=80, calls=160, worth=lambda arm, score: score - price[arm])
    run(race, lambda arm, item: coin(arm, item, 0.5 + 0.1 * arm))
    assert race.winner == 1
    scores = [one.score or 0.0 for one in race.standings()]
    assert scores[3] > scores[1]


def test_the_model_is_settled_first() -> None:
    """Model 0 is far worse on average, but one of its arms leads after few questions: it goes with its model."""
    arms = [{"model": m, "k": k, "n": n} for m in range(2) for k in range(4) for n in range(3)]

    def score(arm: int, item: int) -> float:
        return 1.0 if arm == 0 else coin(arm, item, 0.9 if arms[arm]["model"] else 0.2)

    kept = {}
    for first in (None, "model"):
        race = Halving(arms, len(arms), items=200, calls=600, first=first)
        kept[first] = run(race, score)[0]
    assert 0 in kept[None].kept
    assert all(arms[arm]["model"] == 1 for arm in kept["model"].kept)
    assert "model is settled first, and 0 is shown to be worse" in kept["model"].dropped[0]


def test_levels_that_are_not_shown_to_differ_are_not_settled() -> None:
    arms = [{"model": m, "k": k, "n": n} for m in range(2) for k in range(4) for n in range(3)]
    races = [Halving(arms, 24, items=300, calls=720, first=first) for first in (None, "model")]
    assert run(races[0], coin) == run(races[1], coin)
    other = Halving(arms, 24, items=300, calls=720, first="nothing of that name")
    assert run(other, coin) == run(Halving(arms, 24, items=300, calls=720), coin)


def test_misuse_is_a_mistake() -> None:
    race = Halving(None, 4, items=40, calls=64)
    with pytest.raises(ValueError, match="not asked"):
        race.add(0, 0, 1.0)
    race.next()
    race.add(0, 0, 1.0)
    for arm, item, score in ((0, 39, 1.0), (4, 0, 1.0)):
        with pytest.raises(ValueError, match="not asked"):
            race.add(arm, item, score)
    with pytest.raises(ValueError, match="already"):
        race.add(0, 0, 1.0)
    with pytest.raises(ValueError, match="between 0 and 1"):
        race.add(1, 0, float("nan"))
    with pytest.raises(ValueError, match="not complete"):
        race.close()
    with pytest.raises(ValueError, match="levels of 1 arms for 2"):
        Halving([{}], 2, items=9, calls=9)


@pytest.mark.parametrize(
    "levels",
    [
        [{"a": 1}, {"b": 1}, {"a": 2}],  # of different factors
        [{"model": arm} for arm in range(9)],  # as many effects as arms
        [{"a": 1, "b": 2}] * 4,  # nothing varies
        [{}, {}],
    ],
)
def test_a_list_has_no_factors(levels: list[Mapping[str, int]]) -> None:
    assert Factors.of(levels).names == ()
    assert not Halving(levels, len(levels), items=50, calls=50).is_factorial


def test_names_made_of_the_same_words_are_factors() -> None:
    assert factors_in(["k=4 mode=dense", "mode=fused; k=8", "k=4,mode=fused"]) == [
        {"k": "4", "mode": "dense"},
        {"mode": "fused", "k": "8"},
        {"k": "4", "mode": "fused"},
    ]
    for names in (["k=4", "k"], ["k=4", "n=4"], ["k=4 k=5"], ["k="], ["gpt-4o", "yi-large"]):
        assert factors_in(names) is None
