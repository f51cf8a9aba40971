"""Recorded outcomes: the arithmetic over thousands of streams says what the fold and the rule of a trial say."""

import importlib.util
from dataclasses import replace
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
from scipy.stats import binomtest, ttest_1samp

from assay.decisions.hypothesis import Hypothesis
from assay.decisions.replay import Matrix, hypothesis_of, read_matrix, replay, replay_many, replay_set
from assay.decisions.rules import read_verdict, rule_for
from assay.decisions.settings import DecisionSettings
from assay.errors import AssayError, BadInput
from assay.stats.finite import FiniteSetTest
from assay.stats.verdict import Verdict

Streams = np.ndarray


def made(items: int, *, graded: bool = False) -> Matrix:
    scores = np.full((items, 2), 0.5 if graded else 0.0)
    return Matrix(tuple(f"q{place}" for place in range(items)), ("before", "after"), scores)


def declared(items: int, *, alpha: float = 0.05, **options: float) -> Hypothesis:
    matrix = made(items)
    return hypothesis_of(matrix, matrix.ordered("s"), alpha=alpha, options=DecisionSettings(**options))


def pairs(streams: int, items: int, *, seed: int) -> tuple[Streams, Streams]:
    """Scores of incumbents, right on .7, and of candidates from .2 worse to .15 better."""
    rng = np.random.default_rng(seed)
    rate = np.linspace(0.3, 1.0, streams)[:, None]
    same = rng.random((streams, items)) < 0.5
    before = (rng.random((streams, items)) < 0.7).astype(float)
    after = np.where(same, before, rng.random((streams, items)) < rate)
    return before, after


def agrees(hypothesis: Hypothesis, before: Streams, after: Streams) -> set[str]:
    """Every stream against the rule itself, every eighth also through the fold; the verdicts there were."""
    quick = replay_many(hypothesis, after - before)
    size = hypothesis.items // (hypothesis.clusters or hypothesis.items)
    for row, stream in enumerate(after - before):
        rule, asked = rule_for(hypothesis), 0
        while not rule.is_over and asked < hypothesis.items:
            rule.fold(stream[asked : asked + size].tolist())
            asked += size
        verdict = read_verdict(*rule.limits(), hypothesis.margins, hypothesis.objective)
        assert (str(verdict), asked) == (quick.verdicts[row], quick.items[row]), row
        if row % 8 == 0:
            slow = replay(hypothesis, before[row].tolist(), after[row].tolist())
            assert (slow.verdict, slow.items) == (verdict, asked)
    return set(quick.verdicts.tolist())


@pytest.mark.parametrize("alpha", [0.05, 0.0017])
def test_right_or_wrong_outcomes_are_replayed_as_a_trial_decides(alpha: float) -> None:
    said = agrees(declared(80, alpha=alpha, margin=0.15, smallest=0.1), *pairs(25, 80, seed=1))
    assert said >= {"NOT_BETTER", "NOT_WORSE", "UNDECIDED"}
    assert ("PROMOTE" in said) or alpha < 0.05


def test_the_horizon_ends_a_replay_as_it_ends_a_trial() -> None:
    hypothesis = replace(declared(80, smallest=0.3, margin=0.1), horizon=12)
    assert agrees(hypothesis, *pairs(20, 80, seed=2)) >= {"UNDECIDED"}


def test_graded_outcomes_are_replayed_as_a_trial_decides() -> None:
    rng = np.random.default_rng(3)
    hypothesis = replace(declared(120, margin=0.1, smallest=0.1), rule="betting", horizon=None)
    before = rng.random((12, 120))
    after = np.clip(before + rng.normal(np.linspace(-0.2, 0.2, 12)[:, None], 0.2, before.shape), 0, 1)
    assert agrees(hypothesis, before, after) >= {"PROMOTE", "NOT_BETTER"}


@pytest.mark.parametrize("clusters", [8, 40])
def test_clusters_are_replayed_as_a_trial_decides(clusters: int) -> None:
    looks = tuple(clusters * look // 4 for look in range(1, 5))
    hypothesis = replace(
        declared(120, margin=0.1, smallest=0.1), rule="cluster-looks", horizon=None, clusters=clusters, looks=looks
    )
    assert agrees(hypothesis, *pairs(12, 120, seed=4)) >= {"PROMOTE", "WORSE" if clusters == 8 else "NOT_BETTER"}


def test_the_winner_on_a_set_is_that_of_the_finite_test() -> None:
    before, after = pairs(12, 90, seed=5)
    quick = replay_set(after - before)
    for row, stream in enumerate(after - before):
        test = FiniteSetTest(90, 0.05)
        while not test.over:
            test.update(float(stream[test.n]))
        assert (str(test.verdict), test.n) == (quick.verdicts[row], quick.items[row])
    assert len(set(quick.items.tolist())) > 3


def test_a_replay_declares_what_a_trial_declares() -> None:
    hypothesis = declared(1000)
    assert (hypothesis.rule, hypothesis.horizon, hypothesis.items) == ("exact-horizon", 200, 1000)
    graded = made(30, graded=True)
    assert hypothesis_of(graded, graded.ordered("s")).rule == "betting"


def test_items_are_replayed_in_the_order_of_a_trial() -> None:
    matrix = made(50)
    ordering = matrix.ordered("seed")
    assert [matrix.items[place] for place in matrix.places(ordering)] == [case.id for case in ordering.cases]
    assert matrix.ordered("other").digest != ordering.digest


def test_streams_of_another_length_are_refused() -> None:
    with pytest.raises(ValueError, match="all items"):
        replay_many(declared(50), np.zeros((2, 49)))
    assert len(replay_many(declared(50), np.zeros((0, 50))).items) == 0


def test_a_file_of_outcomes_is_read(tmp_path: Path) -> None:
    path = tmp_path / "outcomes.csv"
    path.write_text("\ufeffid,a,b\nq1,0,1\n\nq2,1,0.5\n", encoding="utf-8")
    matrix = read_matrix(path)
    assert (matrix.items, matrix.arms, matrix.is_binary) == (("q1", "q2"), ("a", "b"), False)
    assert matrix.scores.tolist() == [[0, 1], [1, 0.5]]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "no outcomes"),
        ("id,a\nq,1\n", "no outcomes"),
        ("id,a,b\n", "no outcomes"),
        ("id,a,b\nq,1,x\n", "line 2: could not convert"),
        ("id,a,b\nq,1,0\n\nr,1\n", "line 4: 1 scores for 2 arms"),
        ("id,a,b\nq,1,1.5\n", "outside 0 to 1"),
        ("id,a,b\nq,1,nan\n", "outside 0 to 1"),
        ("id,a,a\nq,1,1\n", "the arm 'a' twice"),
        ("id,a,b\nq,1,1\nq,0,1\n", "the item 'q' twice"),
        ("id,a,b\nq,\xff,1\n", "is not CSV"),
    ],
)
def test_a_faulty_file_of_outcomes_is_refused(tmp_path: Path, text: str, said: str) -> None:
    path = tmp_path / "outcomes.csv"
    path.write_text(text, encoding="latin-1")
    with pytest.raises(BadInput, match=said):
        read_matrix(path)


def test_a_file_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(AssayError, match="no file"):
        read_matrix(tmp_path / "none.csv")


def test_recorded_models_made_equal_are_promoted_as_rarely_as_stated(data_folder: Path) -> None:
    matrix = read_matrix(data_folder / "outcomes" / "zeroeval_gsm" / "gsm_correct_matrix.csv")
    rng = np.random.default_rng(6)
    scores = matrix.scores[matrix.places(matrix.ordered("6"))].T.astype(np.int8)
    first, second = np.triu_indices(len(scores), 1)
    streams = (scores[second] - scores[first])[:, :600]
    streams = streams * (1 - 2 * rng.integers(0, 2, streams.shape, dtype=np.int8))
    equal = replay_many(declared(600, smallest=0.001, margin=0.001), streams)
    level = 0.05 + 3 * (0.05 * 0.95 / len(streams)) ** 0.5
    assert 0.025 <= equal.share(Verdict.PROMOTE) <= level
    looked = peers().peeking_mcnemar(streams)[0].mean()
    assert looked >= 0.15  # a look after every question at .05 fails the same check
    real = replay_many(declared(1319), scores[second] - scores[first])
    gaps = matrix.scores.mean(axis=0)[second] - matrix.scores.mean(axis=0)[first]
    assert (real.verdicts[gaps > 0.1] == Verdict.PROMOTE).all()
    assert (real.verdicts[gaps <= 0] == Verdict.PROMOTE).mean() <= 0.05


def peers() -> ModuleType:
    """The rules of others, from the benchmarks."""
    path = Path(__file__).parents[3] / "benchmarks" / "decisions" / "peers.py"
    spec = importlib.util.spec_from_file_location("decision_peers", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_peers_rules_are_what_they_publish() -> None:
    rules = peers()
    before, after = pairs(6, 200, seed=7)
    streams = after - before
    for row, stream in enumerate(streams):
        wins, losses = np.cumsum(stream > 0), np.cumsum(stream < 0)
        p = [
            binomtest(int(w), int(w + b), alternative="greater").pvalue if w + b else 1.0
            for w, b in zip(wins, losses, strict=True)
        ]
        assert bool(rules.fixed_mcnemar(streams)[0][row]) == (p[-1] < 0.05)
        first = next((place for place, value in enumerate(p) if value < 0.05), 199)
        assert rules.peeking_mcnemar(streams)[1][row] == first + 1
        looked = next(
            (n for n in range(20, 201) if ttest_1samp(stream[:n], 0, alternative="greater").pvalue < 0.05), 200
        )
        assert rules.peeking_t(streams)[1][row] == looked
        for n in range(30, 201):
            half = stream[:n].std(ddof=1) * np.sqrt(2 * (n + 1) * np.log(np.sqrt(n + 1) / 0.05)) / n
            if stream[:n].mean() > half > 0:
                break
        assert rules.evalsig(streams)[1][row] == n


def test_peers_grids_promote_what_is_plainly_best() -> None:
    rules = peers()
    rng = np.random.default_rng(8)
    scores = (rng.random((400, 6)) < [0.3, 0.3, 0.3, 0.95, 0.3, 0.6]).astype(int)
    for rule in (rules.best_mean, rules.best_if_p_below, rules.context_grid, rules.context_grid_runner_up):
        assert rule(scores, rng) == 3
        assert rule(scores[:, [3, 0, 1, 2, 4, 5]], rng) == 0
    assert rules.rag_ci_without_ties(scores, rng) == 3
    assert [rules._rungs(arms, 200) for arms in (2, 6, 20)] == [[200], [10, 200], [10, 30, 200]]
