"""Decision rules side by side: other people's (`peers.py`) and Assay's, on the same streams and the same grids.

    python benchmarks/decisions/rivals.py [--data OUTCOMES.csv] [--streams 4000] [--grids 400]

One change: streams of 800 right-or-wrong differences with discordance .162 and true gains of 0, 3, 5 and 10 points; the
same with clusters of 5 that share half of their differences; every pair of models of recorded outcomes, and the same
pairs made exactly equal by swapping outcomes. A grid: K arms on 500 questions, all equal or one of them better; models
of recorded outcomes as arms, all exactly equal by shuffling every question's outcomes among the arms, or as they are.

`wrong` is a promotion of what is not better. Levels are .05, one-sided, but two-sided in context-grid and max-T, as
they ship. "As tried" drops a candidate shown to gain less than 5 points, so its power at +3 is not meant to be high.
Errors are standard errors over independent streams or grids; over orders where recorded pairs are as they are.
"""

import argparse
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from printed import GSM, of_trials, share, table, write

import peers
from assay.decisions.hypothesis import Hypothesis, Margins
from assay.decisions.replay import Matrix, hypothesis_of, read_matrix, replay_many
from assay.stats.permutation import max_t
from assay.stats.verdict import Verdict

ITEMS, DISAGREEMENT, PER_CLUSTER = 800, 0.162, 5
GAINS = (0.0, 0.03, 0.05, 0.10)
LOOKS_STREAMS = 1000  # sign-flips take longer
SMALL = Margins(smallest=0.001, margin=0.001)


def declared(items: int) -> Hypothesis:
    """What a trial of right-or-wrong answers declares for so many questions."""
    names = tuple(f"q{place}" for place in range(items))
    blank = Matrix(names, ("incumbent", "candidate"), np.zeros((items, 2)))
    return hypothesis_of(blank, blank.ordered("any"))


def ours(hypothesis: Hypothesis) -> peers.OneChange:
    """A rule of Assay as the peers' are called."""

    def rule(differences: peers.Streams) -> peers.Found:
        found = replay_many(hypothesis, differences)
        return found.verdicts == Verdict.PROMOTE, found.items

    return rule


def one_change_rules(items: int) -> dict[str, peers.OneChange]:
    """By name; those of Assay that begin with "Assay looks" are run on fewer streams."""
    horizon = declared(items)
    clusters = items // PER_CLUSTER
    looks = tuple(round(clusters * look / 4) for look in range(1, 5))
    return {
        "McNemar once, at the end": peers.fixed_mcnemar,
        "McNemar after every item": peers.peeking_mcnemar,
        "McNemar every 20 items": lambda d: peers.peeking_mcnemar(d, every=20, first=20),
        "t test after every item": peers.peeking_t,
        "evalsig sequential_gate": peers.evalsig,
        "Assay exact horizon, as tried": ours(horizon),
        "Assay exact horizon, any gain matters": ours(replace(horizon, margins=SMALL)),
        "Assay betting, as tried": ours(replace(horizon, rule="betting", horizon=None)),
        f"Assay looks, clusters of {PER_CLUSTER}": ours(
            replace(horizon, rule="cluster-looks", horizon=None, clusters=clusters, looks=looks)
        ),
    }


def drawn(rng: np.random.Generator, streams: int, items: int, gain: float, *, shared: float = 0.0) -> peers.Streams:
    """Differences; with `shared`, each copies its cluster's with that chance: marginally the same, but together."""
    chances = [(DISAGREEMENT + gain) / 2, (DISAGREEMENT - gain) / 2, 1 - DISAGREEMENT]
    values = np.array([1, -1, 0], np.int8)
    alone = values[rng.choice(3, (streams, items), p=chances)]
    if not shared:
        return alone
    together = values[rng.choice(3, (streams, items // PER_CLUSTER), p=chances)].repeat(PER_CLUSTER, axis=1)
    return np.where(rng.random((streams, items)) < shared, together, alone)


def simulated(streams: int) -> dict[str, Any]:
    """One change, drawn: wrong promotions, power and items."""
    rng = np.random.default_rng(41)
    worlds = [drawn(rng, streams, ITEMS, gain) for gain in GAINS]
    worlds += [drawn(rng, streams, ITEMS, gain, shared=0.5) for gain in (0.0, 0.05)]
    rows = []
    for name, rule in one_change_rules(ITEMS).items():
        row = [name]
        for world in worlds:
            used = world[:LOOKS_STREAMS] if "looks" in name else world
            promoted, items = rule(used)
            row += [of_trials(float(promoted.sum()), len(used)), f"{items.mean():.0f}"]
        rows.append(row)
    header = ["rule", "wrong, equal", "items", "+3", "items", "+5", "items", "+10", "items"]
    header += ["clusters: wrong", "items", "clusters: +5", "items"]
    return table(f"One change, {ITEMS} questions, discordance {DISAGREEMENT}, {streams} streams", header, rows)


def recorded(matrix: Matrix, orders: int) -> dict[str, Any]:
    """One change, real outcomes: all ordered pairs, and one direction of each made exactly equal."""
    items = len(matrix.items) - len(matrix.items) % PER_CLUSTER
    first, second = np.nonzero(~np.eye(len(matrix.arms), dtype=bool))
    means = matrix.scores.mean(axis=0)
    gaps = means[second] - means[first]
    masks = [gaps <= 1e-9] + [(gaps > low) & (gaps <= high) for low, high in ((1e-9, 0.02), (0.02, 0.05), (0.05, 0.1))]
    rng = np.random.default_rng(43)
    rules = {name: rule for name, rule in one_change_rules(items).items() if "looks" not in name}
    rates: dict[str, list[list[float]]] = {name: [] for name in rules}
    equal: dict[str, list[NDArray[np.bool_]]] = {name: [] for name in rules}
    asked: dict[str, list[float]] = {name: [] for name in rules}
    for _ in range(orders):
        scores = matrix.scores[rng.permutation(len(matrix.items))[:items]].T.astype(np.int8)
        differences = scores[second] - scores[first]
        same = differences[first < second]
        same = same * (1 - 2 * rng.integers(0, 2, same.shape, dtype=np.int8))
        for name, rule in rules.items():
            promoted, used = rule(differences)
            rates[name].append([float(promoted[mask].mean()) for mask in masks])
            asked[name].append(float(used.mean()))
            equal[name].append(rule(same)[0])
    rows = []
    for name in rules:
        values = np.array(rates[name])
        errors = values.std(axis=0, ddof=1) / len(values) ** 0.5 if len(values) > 1 else [None] * len(masks)
        made = np.concatenate(equal[name])
        cells = [share(float(mean), error) for mean, error in zip(values.mean(axis=0), errors, strict=True)]
        rows.append([name, of_trials(float(made.sum()), len(made)), *cells, f"{np.mean(asked[name]):.0f}"])
    header = ["rule", "wrong, swapped to equal", "wrong, as they are", "+0 to 2", "+2 to 5", "+5 to 10", "mean items"]
    return table(f"One change, {len(gaps)} ordered pairs of {len(matrix.arms)} models, {orders} orders", header, rows)


def _max_t(scores: NDArray[Any], rng: np.random.Generator) -> int:
    differences = (scores[:, 1:] - scores[:, :1]).T
    found = max_t(differences, draws=1000, seed=int(rng.integers(2**31)))
    shown = [arm for arm, interval in enumerate(found.intervals, 1) if interval.low > 0]
    return max(shown, key=lambda arm: scores[:, arm].mean(), default=0)


def _dev_then_confirm(scores: NDArray[Any], rng: np.random.Generator) -> int:
    """The best of three tenths of the questions is tried on the rest, as `assay try` splits."""
    dev = round(0.3 * len(scores))
    best = int(scores[:dev].mean(axis=0).argmax())
    if best == 0:
        return 0
    differences = (scores[dev:, best] - scores[dev:, 0])[None]
    return best if ours(declared(len(scores) - dev))(differences)[0][0] else 0


GRIDS: dict[str, peers.Grid] = {
    "AutoRAG: best mean": peers.best_mean,
    "best, if uncorrected p < .05": peers.best_if_p_below,
    "context-grid: leader against baseline": peers.context_grid,
    "context-grid: leader against runner-up": peers.context_grid_runner_up,
    "rag-ci: halving + Holm, as shipped": peers.rag_ci,
    "rag-ci: without its clause on ties": peers.rag_ci_without_ties,
    "Assay max-T on all": _max_t,
    "Assay best of dev, tried on the rest": _dev_then_confirm,
}
World = Callable[[np.random.Generator], tuple[NDArray[Any], NDArray[np.float64]]]


def logistic(arms: int, questions: int, gains: NDArray[np.float64]) -> World:
    """Arms that differ from the incumbent by `gains` in rate; questions of differing difficulty, rate .70 at gain 0.

    An item's chance is a Beta(.636, .273) draw: mean .70, discordance of two equal arms .20.
    """

    def world(rng: np.random.Generator) -> tuple[NDArray[Any], NDArray[np.float64]]:
        skill = rng.beta(0.636, 0.273, questions)[:, None]
        lifted = skill + gains * (1 - skill) / 0.3  # the mean rises by the gain, no chance above 1
        return (rng.random((questions, arms)) < lifted).astype(np.int8), gains

    return world


def shuffled(matrix: Matrix, questions: int) -> World:
    """Real outcomes, each question's shuffled among the arms: all exactly equal, as hard as they are."""

    def world(rng: np.random.Generator) -> tuple[NDArray[Any], NDArray[np.float64]]:
        rows = rng.choice(len(matrix.items), questions, replace=False)
        return rng.permuted(matrix.scores[rows].astype(np.int8), axis=1), np.zeros(len(matrix.arms))

    return world


def real_grid(matrix: Matrix, questions: int, rank: float) -> World:
    """All models as arms, the incumbent being at that quantile of the true ranking (1: the best)."""
    means = matrix.scores.mean(axis=0)
    order = np.argsort(means, kind="stable")
    incumbent = order[round(rank * (len(order) - 1))]
    columns = np.array([incumbent, *(arm for arm in range(len(order)) if arm != incumbent)])

    def world(rng: np.random.Generator) -> tuple[NDArray[Any], NDArray[np.float64]]:
        rows = rng.choice(len(matrix.items), questions, replace=False)
        return matrix.scores[rows][:, columns].astype(np.int8), means[columns] - means[incumbent]

    return world


def grids(worlds: dict[str, tuple[World, int]]) -> dict[str, Any]:
    """Per rule and world: what it promotes wrongly, rightly, and the true gain captured in points."""
    rows = [[name] for name in GRIDS]
    header = ["rule"]
    for title, (world, repeats) in worlds.items():
        rng = np.random.default_rng(47)
        outcomes = np.zeros((len(GRIDS), repeats, 3))
        some_gain = False
        for repeat in range(repeats):
            scores, truth = world(rng)
            some_gain = bool((truth > 1e-9).any())
            for place, rule in enumerate(GRIDS.values()):
                arm = rule(scores, rng)
                outcomes[place, repeat] = [arm != 0 and truth[arm] <= 1e-9, truth[arm] > 1e-9, 100 * truth[arm]]
        header += [f"{title}: wrong", "right", "gain"] if some_gain else [f"{title}: wrong"]
        for place, row in enumerate(rows):
            row.append(of_trials(outcomes[place, :, 0].sum(), repeats))
            if some_gain:
                row += [of_trials(outcomes[place, :, 1].sum(), repeats), f"{outcomes[place, :, 2].mean():.2f}"]
    return table("A grid, arm 0 the incumbent", header, rows)


def single(arms: int, gain: float) -> NDArray[np.float64]:
    """One arm gains, the others are equal to the incumbent."""
    gains = np.zeros(arms)
    gains[arms // 2] = gain
    return gains


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=GSM, help="CSV of 0 and 1: item, then one column an arm")
    parser.add_argument("--streams", type=int, default=4000)
    parser.add_argument("--grids", type=int, default=400)
    parser.add_argument("--orders", type=int, default=6)
    arguments = parser.parse_args()
    began, many = time.perf_counter(), arguments.grids
    tables = [simulated(arguments.streams)]
    print(f"{time.perf_counter() - began:.0f} s")
    few = max(20, many // 2)
    drawn_worlds: dict[str, tuple[World, int]] = {
        "48 equal": (logistic(48, 500, np.zeros(48)), many),
        "12 equal": (logistic(12, 200, np.zeros(12)), many),
        "one of 12 at +5": (logistic(12, 500, single(12, 0.05)), few),
        "one of 12 at +10": (logistic(12, 500, single(12, 0.10)), few),
    }
    tables.append(grids(drawn_worlds))
    print(f"{time.perf_counter() - began:.0f} s")
    if arguments.data.exists():
        matrix = read_matrix(arguments.data)
        tables.append(recorded(matrix, arguments.orders))
        print(f"{time.perf_counter() - began:.0f} s")
        real_worlds: dict[str, tuple[World, int]] = {
            "real, shuffled equal": (shuffled(matrix, 500), few),
            "incumbent is best": (real_grid(matrix, 500, 1.0), few),
            "top quartile": (real_grid(matrix, 500, 0.75), few),
            "median": (real_grid(matrix, 500, 0.5), few),
        }
        tables.append(grids(real_worlds))
    else:
        print(f"recorded outcomes skipped: there is no {arguments.data}; set ASSAY_DATA or give --data")
    took = round(time.perf_counter() - began)
    print(f"{took} s")
    write("rivals", tables, streams=arguments.streams, grids=many, orders=arguments.orders)


if __name__ == "__main__":
    main()
