"""Races in worlds where the truth is known: 48 designs (4 x 3 x 2 x 2), right-or-wrong answers, shared questions.

    python benchmarks/race/simulated.py [--runs 400] [--only NAME]

An answer is right with chance 1/(1 + exp(-(1.75 + ability + difficulty))), difficulty normal with deviation 3.1: scores
around .68, two designs correlate by .53 and differ on .2 of the questions. Abilities are sums of effects of four
factors, whose shares of the variance are drawn, and of an interaction with .09 of it; their scale makes the true means
of the designs spread with a standard deviation of 7.7 points (wide), 3.5 (tight) or none (all equal).

The race may look at the dev questions, the confirmation of its winner has others. Every rule sees the same scores:

- grid + Bonferroni: every design on every dev question; the best of those whose exact one-sided McNemar test against
  the incumbent has p < .05/47. "all" lets the grid use the confirm questions too.
- best mean (AutoRAG), winner against baseline (context-grid), halving + Holm (rag-ci): `benchmarks/decisions/peers.py`.

A promotion is wrong where the true mean is not above the incumbent's. Gains are those of the true means, 0 where
nothing is promoted. Calls count both arms of the confirmation.
"""

import argparse
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

# Before this folder, which has peers of its own.
sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "decisions"))

from printed import of_trials, share, table
from written import write

from assay.decisions.race.halving import Halving
from assay.decisions.replay import Matrix, hypothesis_of, replay_many
from assay.decisions.settings import DecisionSettings
from assay.stats.verdict import Verdict
from peers import best_mean, context_grid, enough_wins, rag_ci, rag_ci_without_ties

Floats = NDArray[np.float64]
SIZES = (4, 3, 2, 2)
LEVELS = tuple(np.ndindex(SIZES))
ARMS = len(LEVELS)
CENTRE, DIFFICULTY = 1.75, 3.1
INTERACTION = 0.3
_NODES, _WEIGHTS = np.polynomial.hermite_e.hermegauss(64)


@dataclass(frozen=True)
class World:
    """A row of the table: how far true means spread, who reigns, how many questions, and what a call may cost."""

    name: str
    spread: float
    incumbent: str
    dev: int = 500
    confirm: int = 800
    smallest: float = 0.05
    race_share: float = 0.06
    interaction: float = INTERACTION


WORLDS = (
    World("all equal", 0.0, "any"),
    World("wide, incumbent median", 0.077, "median"),
    World("wide, incumbent top quartile", 0.077, "top quartile"),
    World("wide, incumbent best", 0.077, "best"),
    World("tight, incumbent top quartile", 0.035, "top quartile"),
    World("tight, incumbent best", 0.035, "best"),
    World("1,000 questions, tight, top quartile", 0.035, "top quartile", 1000, 1500, 0.03),
    World("1,000 questions, wide, top quartile", 0.077, "top quartile", 1000, 1500, 0.03),
    World("wide, median, half interaction", 0.077, "median", interaction=0.7),
    World("tight, top quartile, half interaction", 0.035, "top quartile", interaction=0.7),
)


def true_means(abilities: Floats) -> Floats:
    """The chance to be right on a question drawn at random, by Gauss-Hermite quadrature."""
    chances = 1 / (1 + np.exp(-(CENTRE + abilities[:, None] + DIFFICULTY * _NODES)))
    return np.asarray(chances @ _WEIGHTS / _WEIGHTS.sum())


def abilities(world: World, rng: np.random.Generator) -> Floats:
    """Of all arms, scaled so that true means have the world's spread."""
    shares = np.sqrt(rng.dirichlet(np.ones(len(SIZES))))
    effects = [share_ * rng.normal(size=size) for share_, size in zip(shares, SIZES, strict=True)]
    main = np.array([sum(effect[level] for effect, level in zip(effects, arm, strict=True)) for arm in LEVELS])
    own = rng.normal(size=ARMS)
    parts = [(one - one.mean()) / one.std() for one in (main, own)]
    shape = np.sqrt(1 - world.interaction**2) * parts[0] + world.interaction * parts[1]
    low, high = 0.0, 20.0
    for _ in range(40 if world.spread else 0):
        middle = (low + high) / 2
        low, high = (middle, high) if true_means(middle * shape).std() < world.spread else (low, middle)
    return np.asarray(low * shape)


def drawn(world: World, rng: np.random.Generator) -> tuple[Floats, Floats, list[dict[str, int]]]:
    """True means, scores (questions, arms) and levels; arm 0 is the incumbent, the others in a random order."""
    ability = abilities(world, rng)
    ranks = np.argsort(-true_means(ability), kind="stable")
    rank = {"any": 0, "best": 0, "top quartile": ARMS // 4, "median": ARMS // 2}[world.incumbent]
    order = np.concatenate([ranks[[rank]], rng.permutation(np.delete(ranks, rank))])
    ability = ability[order]
    difficulty = DIFFICULTY * rng.normal(size=world.dev + world.confirm)
    chances = 1 / (1 + np.exp(-(CENTRE + ability + difficulty[:, None])))
    scores = (rng.random(chances.shape) < chances).astype(np.float64)
    return true_means(ability), scores, [dict(zip("abcd", LEVELS[arm], strict=True)) for arm in order]


def raced(scores: Floats, levels: list[dict[str, int]], calls: int) -> tuple[int, int]:
    """The winner and the calls it took."""
    race = Halving(levels, ARMS, items=len(scores), calls=calls)
    while (round_ := race.next()) is not None:
        for arm in round_.arms:
            for item in round_.items:
                race.add(arm, item, scores[item, arm])
        race.close()
    assert race.winner is not None
    return race.winner, race.calls


def bonferroni(scores: Floats) -> int:
    """The best of the arms that pass; the incumbent where none does."""
    wins = (scores[:, 1:] > scores[:, :1]).sum(axis=0)
    losses = (scores[:, 1:] < scores[:, :1]).sum(axis=0)
    passes = wins >= enough_wins(len(scores), 0.05 / (ARMS - 1))[wins + losses]
    means = np.where(np.concatenate([[False], passes]), scores.mean(axis=0), -1.0)
    return int(means.argmax()) if passes.any() else 0


def confirmed(world: World, differences: Floats) -> tuple[NDArray[np.bool_], NDArray[np.int64]]:
    """Who is promoted and after how many questions, by the rule `assay try` would declare."""
    matrix = Matrix(tuple(map(str, range(world.confirm))), ("a", "b"), np.zeros((world.confirm, 2)))
    options = DecisionSettings(smallest=world.smallest)
    found = replay_many(hypothesis_of(matrix, matrix.ordered("any"), options=options), differences)
    return found.verdicts == Verdict.PROMOTE, found.items


PEERS = {
    "best mean (AutoRAG)": best_mean,
    "winner v. baseline (context-grid)": context_grid,
    "halving + Holm (rag-ci)": rag_ci,
    "the same, ties not counted": rag_ci_without_ties,
}


@dataclass
class Tally:
    """What a rule promoted, run by run: true gain in points, and whether that was no improvement."""

    gains: list[float]
    wrong: list[bool]

    def add(self, gain: float, *, is_promoted: bool) -> None:
        """One run."""
        self.gains.append(100 * gain if is_promoted else 0.0)
        self.wrong.append(is_promoted and gain <= 1e-12)


def run(world: World, runs: int, seed: int) -> dict[str, Any]:
    """Every rule on the same worlds."""
    tallies = {name: Tally([], []) for name in ("race", "grid + Bonferroni", "the same, all questions", *PEERS)}
    races: list[tuple[float, int, int, float]] = []
    streams = np.zeros((runs, world.confirm))
    for number in range(runs):
        rng = np.random.default_rng([seed, number])
        means, scores, levels = drawn(world, rng)
        gains, dev, confirm = means - means[0], scores[: world.dev], scores[world.dev :]
        winner, calls = raced(dev, levels, int(world.race_share * ARMS * world.dev))
        races.append((float(gains[winner]), winner, calls, float(100 * (means.max() - means[winner]))))
        streams[number] = confirm[:, winner] - confirm[:, 0]
        picks = {"grid + Bonferroni": bonferroni(dev), "the same, all questions": bonferroni(scores)}
        picks |= {name: rule(dev, rng) for name, rule in PEERS.items()}
        for name, arm in picks.items():
            tallies[name].add(float(gains[arm]), is_promoted=arm != 0)
    promoted, items = confirmed(world, streams)
    spent = np.zeros(runs)
    for number, (gain, winner, calls, _) in enumerate(races):
        tallies["race"].add(gain, is_promoted=bool(winner) and bool(promoted[number]))
        spent[number] = calls + (2 * int(items[number]) if winner else 0)
    return {
        "world": world.name,
        "runs": runs,
        "calls": float(spent.mean()),
        "calls_error": float(spent.std(ddof=1) / runs**0.5),
        "fewer": float(ARMS * world.dev / spent.mean()),
        "raced": float(np.mean([calls for _, _, calls, _ in races])),
        "confirm_questions": float(np.mean([items[n] if races[n][1] else 0 for n in range(runs)])),
        "regret": float(np.mean([regret for *_, regret in races])),
        "rules": {
            name: {
                "wrong": float(np.mean(tally.wrong)),
                "gain": float(np.mean(tally.gains)),
                "error": float(np.std(tally.gains, ddof=1) / runs**0.5),
            }
            for name, tally in tallies.items()
        },
    }


def rows_of(found: list[dict[str, Any]]) -> list[list[str]]:
    """The race against the grid."""
    rows = []
    for one in found:
        rules, runs = one["rules"], one["runs"]
        race, grid, all_ = (rules[name] for name in ("race", "grid + Bonferroni", "the same, all questions"))
        can_gain = grid["gain"] > 0.05
        rows.append(
            [
                one["world"],
                str(runs),
                f"{one['calls']:.0f}",
                f"{one['fewer']:.1f}x",
                of_trials(race["wrong"] * runs, runs),
                f"{race['gain']:.2f}±{race['error']:.2f}",
                f"{grid['gain']:.2f}",
                share(race["gain"] / grid["gain"], digits=2) if can_gain else "-",
                share(race["gain"] / all_["gain"], digits=2) if can_gain else "-",
                f"{one['confirm_questions']:.0f}",
                f"{one['regret']:.2f}",
            ]
        )
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=400, help="of each world; all equal gets three times as many")
    parser.add_argument("--seed", type=int, default=50_000)
    parser.add_argument("--only", default="", help="worlds whose name has this in it")
    arguments = parser.parse_args()
    began, found = time.perf_counter(), []
    for place, world in enumerate(WORLDS):
        if arguments.only in world.name:
            runs = arguments.runs * (3 if world.spread == 0 else 1)
            found.append(run(world, runs, arguments.seed + place))
            print(f"{world.name}: {time.perf_counter() - began:.0f} s", file=sys.stderr, flush=True)
    header = ["world", "runs", "calls", "fewer", "wrong", "gain", "grid", "ratio", "v. all", "confirm n", "regret"]
    peers = [
        [one["world"]]
        + [f"{share(one['rules'][name]['wrong'], digits=2)} {one['rules'][name]['gain']:.2f}" for name in PEERS]
        for one in found
    ]
    tables = [
        table("The race against the grid, gains in points", header, rows_of(found)),
        table("Others on the grid: wrong promotions, gain in points", ["world", *PEERS], peers),
    ]
    write("simulated", tables, seed=arguments.seed, worlds=found)


if __name__ == "__main__":
    main()
