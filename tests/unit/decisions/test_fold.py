"""Whatever finishes first, the rule sees one sequence; what has no score counts as the rules say."""

import random
from collections.abc import Sequence

import pytest

from assay.decisions.fold import CANDIDATE, INCUMBENT, Fold
from assay.errors import BadInput


class Kept:
    """A rule that keeps what it is given and ends after `most` units."""

    def __init__(self, most: int = 10**9, *, won: bool = False) -> None:
        self.won = won
        self.units: list[list[float]] = []
        self.most = most
        self.is_over = False
        self.goal = 0.0

    def fold(self, differences: Sequence[float]) -> None:
        self.units.append(list(differences))
        self.is_over = len(self.units) >= self.most

    def finish(self) -> None:
        self.is_over = True

    def limits(self) -> tuple[float, float]:
        return (0.1 if self.won else -1.0), 1.0

    def evidence(self):  # type: ignore[no-untyped-def]
        raise NotImplementedError


def fed(scores: list[tuple[float, float]], *, seed: int, **kinds: object) -> tuple[Kept, Fold]:
    rule = Kept()
    fold = Fold(rule, items=len(scores), **kinds)  # type: ignore[arg-type]
    events = [(side, ordinal) for ordinal in range(len(scores)) for side in (INCUMBENT, CANDIDATE)]
    random.Random(seed).shuffle(events)
    for side, ordinal in events:
        fold.add(side, ordinal, scores[ordinal][side])
    return rule, fold


@pytest.mark.parametrize("seed", range(20))
def test_the_order_of_arrival_changes_nothing(seed: int) -> None:
    rng = random.Random(7)
    scores = [(float(rng.random() < 0.5), float(rng.random() < 0.6)) for _ in range(60)]
    rule, fold = fed(scores, seed=seed)
    assert rule.units == [[b - a] for a, b in scores]
    assert fold.wins == sum(b > a for a, b in scores)
    assert fold.losses == sum(b < a for a, b in scores)
    assert fold.raw == pytest.approx(sum(b - a for a, b in scores) / 60)


@pytest.mark.parametrize("seed", range(5))
def test_clusters_are_folded_whole(seed: int) -> None:
    scores = [(0.0, 1.0), (1.0, 0.0), (0.5, 0.5), (0.0, 0.0), (0.25, 1.0)]
    rule, fold = fed(scores, seed=seed, clusters=["a", "a", "b", "b", "b"])
    assert rule.units == [[1.0, -1.0], [0.0, 0.0, 0.75]]
    assert fold.units == 2


def test_a_torn_cluster_is_refused() -> None:
    with pytest.raises(ValueError, match="not adjacent"):
        Fold(Kept(), items=3, clusters=["a", "b", "a"])


def test_a_fast_failure_of_one_side_waits_for_its_turn() -> None:
    rule = Kept()
    fold = Fold(rule, items=3)
    fold.add(CANDIDATE, 2, 0.0, failed=True)
    fold.add(INCUMBENT, 2, 1.0)
    fold.add(INCUMBENT, 0, 1.0)
    assert rule.units == []
    fold.add(CANDIDATE, 0, 1.0)
    assert rule.units == [[0.0]]
    fold.add(INCUMBENT, 1, 0.0)
    fold.add(CANDIDATE, 1, 1.0)
    assert rule.units == [[0.0], [1.0], [-1.0]]
    assert fold.failures == 1


def test_what_a_metric_says_nothing_about_is_counted_apart() -> None:
    rule = Kept()
    fold = Fold(rule, items=2)
    for ordinal, (first, second) in enumerate([(None, 1.0), (0.0, 1.0)]):
        fold.add(INCUMBENT, ordinal, first)
        fold.add(CANDIDATE, ordinal, second)
    assert rule.units == [[1.0]]
    assert (fold.counted, fold.uncounted) == (1, 1)


def test_no_number_is_an_error_and_scores_zero() -> None:
    fold = Fold(Kept(), items=1)
    fold.add(INCUMBENT, 0, 1.0)
    fold.add(CANDIDATE, 0, float("nan"))
    assert fold.losses == 1
    assert fold.failures == 1


@pytest.mark.parametrize("score", [-0.01, 1.01, 5.0])
def test_a_score_off_the_scale_is_refused(score: float) -> None:
    with pytest.raises(BadInput, match="between 0 and 1"):
        Fold(Kept(), items=1).add(CANDIDATE, 0, score)


def test_replicas_are_averaged_within_the_question() -> None:
    rule = Kept()
    fold = Fold(rule, items=1, replicas=3)
    for a, b in [(0.0, 1.0), (1.0, 1.0), (0.0, 0.1)]:
        fold.add(INCUMBENT, 0, a)
        fold.add(CANDIDATE, 0, b)
    assert rule.units == [[pytest.approx(0.7 - 1 / 3)]]


def test_equal_repeats_in_another_order_are_a_tie() -> None:
    rule = Kept()
    fold = Fold(rule, items=1, replicas=3)
    for a, b in zip([0.1, 0.2, 0.3], [0.3, 0.2, 0.1], strict=True):
        fold.add(INCUMBENT, 0, a)
        fold.add(CANDIDATE, 0, b)
    assert rule.units == [[0.0]]


def test_questions_are_asked_a_little_ahead_and_never_beyond_the_next_look() -> None:
    fold = Fold(Kept(), items=100, ahead=4)
    assert fold.wanted == 4
    for side in (INCUMBENT, CANDIDATE):
        fold.add(side, 0, 1.0)
    assert fold.wanted == 5
    clustered = Fold(Kept(), items=6, clusters=["a", "a", "b", "b", "c", "c"], looks=(2, 3), ahead=99)
    assert clustered.wanted == 4
    for ordinal in range(4):
        for side in (INCUMBENT, CANDIDATE):
            clustered.add(side, ordinal, 1.0)
    assert clustered.wanted == 6


def test_after_the_decision_nothing_is_wanted_or_taken() -> None:
    rule = Kept(most=1)
    fold = Fold(rule, items=5)
    for ordinal in range(3):
        for side in (INCUMBENT, CANDIDATE):
            fold.add(side, ordinal, float(side))
    assert fold.is_over
    assert fold.wanted == 0
    assert rule.units == [[1.0]]


@pytest.mark.parametrize(("won", "asked"), [(True, 6), (False, 2)])
def test_a_win_waits_for_what_cost_and_latency_need_and_a_loss_does_not(won: bool, asked: int) -> None:
    rule = Kept(most=2, won=won)
    fold = Fold(rule, items=20, ahead=1, least=6)
    while not fold.is_over:
        assert fold.wanted > len(fold.folded)
        for side in (INCUMBENT, CANDIDATE):
            fold.add(side, len(fold.folded), float(side))
    assert len(fold.folded) == asked
    assert (fold.wins, fold.counted, rule.units) == (2, 2, [[1.0], [1.0]])
