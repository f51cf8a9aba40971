"""Recorded outcomes raced: the budget holds, and what is claimed is claimed of items that the race never saw."""

import json
import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from assay.app.cli.race_replay import replayed
from assay.decisions.race.replayed import FEWEST_TO_CONFIRM, Replayed, divided, race_replayed
from assay.decisions.replay import Matrix, hypothesis_of, read_matrix, replay_many
from assay.errors import AssayError, BadInput
from assay.stats.verdict import Verdict

Scores = np.ndarray


def matrix_of(scores: Scores, names: tuple[str, ...] | None = None) -> Matrix:
    items, arms = scores.shape
    return Matrix(tuple(f"q{n}" for n in range(items)), names or tuple(f"arm {n}" for n in range(arms)), scores)


def drawn(items: int, rates: Scores, *, seed: int) -> Scores:
    """Right or wrong: the questions differ in difficulty, arms in how often they are right."""
    rng = np.random.default_rng(seed)
    difficulty = rng.normal(0, 2.5, (items, 1))
    logits = np.log(rates / (1 - rates)) * 1.8
    return (rng.random((items, len(rates))) < 1 / (1 + np.exp(-(logits + difficulty)))).astype(float)


def written(path: Path, matrix: Matrix) -> str:
    rows = [",".join(("item", *matrix.arms))]
    rows += [
        ",".join((item, *(f"{score:g}" for score in row)))
        for item, row in zip(matrix.items, matrix.scores, strict=True)
    ]
    path.write_text("\n".join(rows) + "\n", encoding="utf-8")
    return str(path)


def test_the_contract(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    matrix = matrix_of(drawn(600, np.linspace(0.5, 0.85, 12), seed=1))
    path = written(tmp_path / "m.csv", matrix)
    assert replayed(path, None, 3, 0.10, True) == 0
    found = json.loads(capsys.readouterr().out)
    assert {"winner", "incumbent", "verdict", "calls", "grid_calls", "race_score", "confirmed"} <= set(found)
    assert set(found["confirmed"]) == {"value", "low", "high"}
    assert found["incumbent"] == "arm 0"
    assert found["winner"] in ("arm 9", "arm 10", "arm 11")
    assert found["verdict"] == "PROMOTE"
    assert found["confirmed"]["low"] > 0
    assert found["grid_calls"] == 7200
    assert found["calls"] == found["race_calls"] + found["confirm_calls"] <= 720
    assert found["confirm_calls"] == 2 * found["confirm"]["n"]
    assert sum(one["calls"] for one in found["rounds"]) == found["race_calls"]
    assert [one["name"] for one in found["arms"]] == list(matrix.arms)


def test_a_person_reads_rounds_gains_and_optimism(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = written(tmp_path / "m.csv", matrix_of(drawn(600, np.linspace(0.5, 0.85, 12), seed=1)))
    assert replayed(path, "arm 2", 3, 0.10, False) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].split() == ["round", "arms", "questions", "calls", "go", "on"]
    assert lines[1].split()[:2] == ["1", "12"]
    heads = [line.split()[0] for line in lines if line.strip()]
    assert heads[-7:] == ["winner", "incumbent", "calls", "raced", "confirmed", "optimism", "PROMOTE"]


def test_a_seed_says_all(tmp_path: Path) -> None:
    matrix = matrix_of(drawn(300, np.linspace(0.5, 0.7, 8), seed=2))
    assert race_replayed(matrix, seed=7).as_json() == race_replayed(matrix, seed=7).as_json()
    assert len({race_replayed(matrix, seed=seed).winner for seed in (-5, 0, 1, 2, 10**12)}) > 1


def test_columns_and_lines_may_stand_in_any_order() -> None:
    matrix = matrix_of(drawn(300, np.linspace(0.5, 0.7, 8), seed=2))
    rng = np.random.default_rng(0)
    rows, columns = rng.permutation(300), rng.permutation(8)
    other = Matrix(
        tuple(matrix.items[row] for row in rows),
        tuple(matrix.arms[column] for column in columns),
        matrix.scores[rows][:, columns],
    )
    for seed in range(4):
        first, second = (race_replayed(one, incumbent="arm 3", seed=seed) for one in (matrix, other))
        assert (first.winner, first.calls, first.confirmed) == (second.winner, second.calls, second.confirmed)


def test_an_incumbent_that_wins_is_not_confirmed() -> None:
    rates = np.array([0.95, *[0.4] * 9])
    found = race_replayed(matrix_of(drawn(400, rates, seed=3)))
    assert (found.winner, found.verdict, found.confirm_calls) == ("arm 0", Verdict.NOT_BETTER, 0)
    assert found.confirmed == {"value": 0.0, "low": 0.0, "high": 0.0}
    assert found.race_score == 0.0
    assert "nothing to confirm" in found.lines()[-1]


def test_equal_arms_leave_the_incumbent_where_it_is() -> None:
    found = race_replayed(matrix_of(np.ones((200, 9))), incumbent="arm 5")
    assert found.winner == "arm 5"


def test_factors_in_the_names_are_used() -> None:
    levels = [(a, b, c) for a in range(4) for b in range(3) for c in range(2)]
    names = tuple(f"index.k={a} mode={b}, n={c}" for a, b, c in levels)
    rates = np.array([0.45 + 0.08 * a + 0.04 * b for a, b, _ in levels])
    found = race_replayed(matrix_of(drawn(500, rates, seed=4), names), seed=1)
    effects = {(one.factor, one.level): one.effect for one in found.effects}
    assert effects["index.k", "3"] > effects["index.k", "0"]
    assert found.winner.startswith("index.k=3")
    assert race_replayed(matrix_of(drawn(500, rates, seed=4)), seed=1).effects == ()


def test_graded_scores_are_bet_on() -> None:
    rng = np.random.default_rng(5)
    scores = np.clip(rng.normal(np.linspace(0.4, 0.7, 10), 0.15, (800, 10)), 0, 1)
    found = race_replayed(matrix_of(scores))
    assert found.outcome is not None
    assert found.outcome["rule"] == "betting"
    assert (found.winner, found.verdict) == ("arm 9", Verdict.PROMOTE)


@pytest.mark.parametrize(
    ("message", "hint", "make"),
    [
        ("no arm 'arm 33'", "arm 3", lambda matrix: race_replayed(matrix, incumbent="arm 33")),
        ("too few", "at least 0.0", lambda matrix: race_replayed(matrix, budget_share=0.001)),
        ("share of the grid", "0.1", lambda matrix: race_replayed(matrix, budget_share=1.5)),
        ("share of the grid", "0.1", lambda matrix: race_replayed(matrix, budget_share=0.0)),
        ("items are too few", "at least 6", lambda matrix: race_replayed(matrix_of(matrix.scores[:5]))),
    ],
)
def test_what_cannot_be_raced_is_said(message: str, hint: str, make: Callable[[Matrix], Replayed]) -> None:
    with pytest.raises(BadInput, match=message) as caught:
        make(matrix_of(drawn(100, np.linspace(0.5, 0.7, 10), seed=6)))
    assert hint in caught.value.hint


def test_the_least_share_it_names_is_enough() -> None:
    with pytest.raises(BadInput) as caught:
        divided(40, 500, 0.001)
    least = float(caught.value.hint.split()[-1].rstrip("."))
    assert divided(40, 500, least).confirm_items >= FEWEST_TO_CONFIRM
    with pytest.raises(BadInput):
        divided(40, 500, least - 0.0002)


def test_a_file_that_is_no_matrix_is_refused(tmp_path: Path) -> None:
    (tmp_path / "m.csv").write_text("item,a,b\nq,1,x\n")
    with pytest.raises(AssayError):
        replayed(str(tmp_path / "m.csv"), None, 0, 0.1, True)


@given(st.integers(2, 400), st.integers(6, 3000), st.floats(0.001, 1))
@settings(max_examples=300, deadline=None)
def test_a_division_never_exceeds_budget_or_items(arms: int, items: int, share: float) -> None:
    try:
        found = divided(arms, items, share)
    except BadInput:
        assert int(share * arms * items) < arms + 2 * FEWEST_TO_CONFIRM or arms * items < arms + 2 * FEWEST_TO_CONFIRM
        return
    assert found.race_calls + 2 * found.confirm_items <= found.budget <= share * (arms * items)
    assert found.race_items + found.confirm_items <= items
    assert found.confirm_items >= FEWEST_TO_CONFIRM
    assert found.race_calls >= arms


@given(st.integers(2, 60), st.integers(30, 250), st.sampled_from([0.05, 0.1, 0.3, 1.0]), st.integers(0, 10**6))
@settings(max_examples=20, deadline=None)
def test_a_race_keeps_its_division(arms: int, items: int, share: float, seed: int) -> None:
    rng = np.random.default_rng(seed)
    matrix = matrix_of((rng.random((items, arms)) < rng.uniform(0.3, 0.9, arms)).astype(float))
    try:
        division = divided(arms, items, share)
    except BadInput:
        return
    found = race_replayed(matrix, seed=seed, budget_share=share)
    assert found.calls <= division.budget <= share * (arms * items)
    assert found.race_calls == division.race_calls
    assert sum(one.items for one in found.rounds) == division.race_items
    assert found.confirm_calls <= 2 * division.confirm_items
    low, high = found.confirmed["low"], found.confirmed["high"]
    assert (found.verdict is Verdict.PROMOTE) == (low is not None and low > 0)
    assert high is None or low is None or low <= (found.confirmed["value"] or 0.0) <= high


def test_raced_items_never_confirm() -> None:
    """The winner is perfect on the items of the race and useless on all others, and it does not pass."""
    base = drawn(400, np.full(12, 0.6), seed=8)
    division = divided(12, 400, 0.3)
    matrix = matrix_of(base)
    places = matrix.places(matrix.ordered("11"))
    scores = base.copy()
    scores[:, 4] = 0.0
    scores[places[: division.race_items], 4] = 1.0
    found = race_replayed(matrix_of(scores), seed=11, budget_share=0.3)
    assert found.winner == "arm 4"
    assert found.race_score > 0.2
    assert found.verdict is Verdict.WORSE


def test_equal_arms_are_rarely_promoted_and_often_would_be_on_raced_items() -> None:
    runs, wrong, streams = 60, 0, []
    for seed in range(runs):
        scores = drawn(120, np.full(40, 0.65), seed=1000 + seed)
        matrix = matrix_of(scores)
        found = race_replayed(matrix, seed=seed, budget_share=0.4)
        wrong += found.verdict is Verdict.PROMOTE
        # The mutation: the same rule, but it begins with the very items that chose the winner.
        ordering = matrix.ordered(str(seed))
        asked = scores[matrix.places(ordering)]
        streams.append(asked[:, matrix.arms.index(found.winner)] - asked[:, 0])
    naive = replay_many(hypothesis_of(matrix, ordering), np.array(streams)).share(Verdict.PROMOTE)
    bound = 0.05 + 3 * (0.05 * 0.95 / runs) ** 0.5
    assert wrong / runs <= bound < naive


def test_a_tenth_of_the_calls_finds_an_arm_as_good() -> None:
    regret = []
    for seed in range(15):
        rng = np.random.default_rng(seed)
        matrix = matrix_of(drawn(1000, rng.beta(6, 3, 40).clip(0.05, 0.95), seed=seed))
        found = race_replayed(matrix, seed=seed)
        means = matrix.scores.mean(axis=0)
        regret.append(100 * (means.max() - means[matrix.arms.index(found.winner)]))
        assert found.calls <= 4000
    assert np.median(regret) <= 1
    assert np.quantile(regret, 0.9) <= 3


def test_real_models_are_told_apart_for_a_tenth() -> None:
    data = Path(os.environ.get("ASSAY_DATA") or Path(__file__).parents[5] / "shared" / "data")
    path = data / "outcomes" / "zeroeval_gsm" / "gsm_correct_matrix.csv"
    if not path.exists():
        pytest.skip(f"there is no {path}; set ASSAY_DATA")
    matrix = read_matrix(path)
    means = 100 * matrix.scores.mean(axis=0)
    found = [race_replayed(matrix, seed=seed) for seed in range(500, 506)]
    regret = [means.max() - means[matrix.arms.index(one.winner)] for one in found]
    assert np.median(regret) <= 1
    assert max(regret) <= 3
    assert all(one.calls <= 5671 for one in found)
    assert all(one.verdict is Verdict.PROMOTE for one in found)
