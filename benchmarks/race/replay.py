"""Recorded outcomes of real models raced: does a tenth of the grid's calls find an arm as good as the best?

    python benchmarks/race/replay.py [--data OUTCOMES.csv] [--seeds 200] [--budget-share .10]

The matrix (a CSV: item, then one column an arm) is the whole population, so the truth is known: regret is the best
arm's mean over all items less the winner's, and a promotion is wrong where the winner is not better than the incumbent
over all items. Every seed draws another order of the items. With three incumbents: the file's first arm (the default),
the arm in the middle by truth, and the best one. `results/replay_seeds.csv` has a line a seed and incumbent.

Beside it, on the same questions in the same order: all arms on as many questions as the same calls pay for, the best
mean taken (uniform).
"""

import argparse
import csv
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "decisions"))

from printed import GSM, of_trials, table
from written import RESULTS, write

from assay.decisions.race.replayed import Replayed, race_replayed
from assay.decisions.replay import Matrix, read_matrix
from assay.stats.verdict import Verdict

FIELDS = (
    "incumbent_is",
    "seed",
    "winner",
    "verdict",
    "calls",
    "share",
    "regret_points",
    "true_gain",
    "race_gain",
    "confirmed_gain",
    "low",
    "high",
    "uniform_regret_points",
)


def incumbents(matrix: Matrix) -> dict[str, str]:
    """By what they are, the arms to race against."""
    ranked = np.argsort(-matrix.scores.mean(axis=0), kind="stable")
    places = {"first arm": 0, "median": int(ranked[len(ranked) // 2]), "best": int(ranked[0])}
    return {name: matrix.arms[place] for name, place in places.items()}


def line_of(matrix: Matrix, found: Replayed, incumbent_is: str) -> dict[str, Any]:
    """A race beside the truth; gains in points."""
    means = 100 * matrix.scores.mean(axis=0)
    arm = {name: place for place, name in enumerate(matrix.arms)}
    winner, incumbent = arm[found.winner], arm[found.incumbent]
    places = matrix.places(matrix.ordered(str(found.seed)))
    uniform = matrix.scores[places[: found.budget // len(matrix.arms)]].mean(axis=0).argmax()
    limits = {key: 100 * value if value is not None else float("nan") for key, value in found.confirmed.items()}
    return {
        "incumbent_is": incumbent_is,
        "seed": found.seed,
        "winner": found.winner,
        "verdict": str(found.verdict),
        "calls": found.calls,
        "share": round(found.calls / found.grid_calls, 4),
        "regret_points": round(float(means.max() - means[winner]), 3),
        "true_gain": round(float(means[winner] - means[incumbent]), 3),
        "race_gain": round(100 * found.race_score, 3),
        "confirmed_gain": round(limits["value"], 3),
        "low": round(limits["low"], 3),
        "high": round(limits["high"], 3),
        "uniform_regret_points": round(float(means.max() - means[uniform]), 3),
    }


def regret_row(name: str, lines: list[dict[str, Any]], key: str, shares: list[float]) -> list[str]:
    """Regret over seeds, in points, and the share of the grid's calls."""
    regret = np.array([line[key] for line in lines])
    figures = [regret.mean(), *np.quantile(regret, [0.5, 0.95]), regret.max()]
    used = [f"{100 * np.mean(shares):.1f}%", f"{100 * max(shares):.1f}%"]
    within = of_trials(float((regret <= 1 + 1e-9).sum()), len(regret))
    return [name, str(len(lines)), *used, *(f"{figure:.2f}" for figure in figures), within]


def claims_row(name: str, lines: list[dict[str, Any]]) -> list[str]:
    """What was claimed, and how optimistic the race was."""
    promoted = [line for line in lines if line["verdict"] == Verdict.PROMOTE]
    wrong = sum(line["true_gain"] <= 0 for line in promoted)
    covered = [line["low"] - 1e-9 <= line["true_gain"] <= line["high"] + 1e-9 for line in lines]
    asked = [line for line in lines if line["true_gain"] != 0 or line["high"] != 0]
    optimism = np.array(
        [[line["race_gain"] - line["true_gain"], line["confirmed_gain"] - line["true_gain"]] for line in asked]
    )
    means = [f"{value:+.2f}" for value in optimism.mean(axis=0)] if asked else ["-", "-"]
    return [
        name,
        of_trials(len(promoted), len(lines)),
        of_trials(wrong, len(lines)),
        *means,
        of_trials(sum(covered), len(lines)),
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=GSM, help="CSV: item, then one column an arm")
    parser.add_argument("--seeds", type=int, default=200)
    parser.add_argument("--first-seed", type=int, default=0)
    parser.add_argument("--budget-share", type=float, default=0.10)
    arguments = parser.parse_args()
    if not arguments.data.exists():
        parser.exit(0, f"skipped: there is no {arguments.data}; set ASSAY_DATA or give --data\n")
    began = time.perf_counter()
    matrix = read_matrix(arguments.data)
    lines: dict[str, list[dict[str, Any]]] = {}
    for name, incumbent in incumbents(matrix).items():
        for seed in range(arguments.first_seed, arguments.first_seed + arguments.seeds):
            found = race_replayed(matrix, incumbent=incumbent, seed=seed, budget_share=arguments.budget_share)
            assert found.calls <= found.budget
            lines.setdefault(name, []).append(line_of(matrix, found, name))
    regrets = [
        regret_row(f"race, incumbent {name}", found, "regret_points", [line["share"] for line in found])
        for name, found in lines.items()
    ]
    first = next(iter(lines.values()))
    regrets.append(regret_row("uniform, same calls", first, "uniform_regret_points", [arguments.budget_share]))
    print(f"{len(matrix.arms)} arms, {len(matrix.items)} items, {time.perf_counter() - began:.0f} s")
    tables = [
        table(
            "Regret in points of the best arm's mean",
            ["", "seeds", "mean calls", "most", "mean", "50%", "95%", "worst", "within 1"],
            regrets,
        ),
        table(
            "What is claimed, and how much too good it looks",
            ["incumbent", "promoted", "wrong", "raced - truth", "confirmed - truth", "interval holds truth"],
            [claims_row(name, found) for name, found in lines.items()],
        ),
    ]
    RESULTS.mkdir(exist_ok=True)
    with (RESULTS / "replay_seeds.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, FIELDS, lineterminator="\n")
        writer.writeheader()
        writer.writerows(line for found in lines.values() for line in found)
    write("replay", tables, data=arguments.data.name, seeds=arguments.seeds, budget_share=arguments.budget_share)


if __name__ == "__main__":
    main()
