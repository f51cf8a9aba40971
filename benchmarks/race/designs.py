"""Real retrieval designs raced: `retrieval_designs.toml` on SciFact and Cranfield, nDCG@10 by query.

    python benchmarks/race/designs.py [--home FOLDER] [--matrices FOLDER] [--seeds 200] [--budget-share .10]

First every design is scored on every query, with one ingest for each cut; `--home` keeps the stores, `--matrices` the
scores. Then the matrix is raced as recorded outcomes: a call is one query evaluated under one design. Every seed draws
another order of the queries. Queries the race never looked at are *untouched*; on them, the gain over what serves
(Assay's default design, then lexical search alone) of

- the race's winner,
- the full grid's winner: the best mean of all designs over all queries that were not untouched, at 6 times the calls
  of race and confirmation,
- no choice but chance: the mean over all designs.

A gain's interval is of one seed, over its untouched queries; the spread over seeds is of the choice and of the queries.
`results/designs_seeds.csv` has a line a seed.
"""

import argparse
import asyncio
import csv
import os
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "decisions"))

from printed import of_trials, table
from written import RESULTS, write

from assay.app.bench_space import retrieval_space, write_matrix
from assay.app.settings import load_settings
from assay.decisions.race.replayed import race_replayed
from assay.decisions.race.space import read_space
from assay.decisions.replay import Matrix, read_matrix
from assay.index.beir import load_beir
from assay.index.bench_designs import Design, bench_designs
from assay.models import catalogue
from assay.models.settings import ModelSettings
from assay.stats.paired import paired_interval
from assay.stats.verdict import Verdict

_HERE = Path(__file__).resolve().parent
_DATA = Path(os.environ.get("ASSAY_DATA", _HERE.parents[2] / "shared" / "data")) / "retrieval"
COLLECTIONS = ("scifact", "cranfield")


async def make_matrix(name: str, home: Path, path: Path) -> None:
    """Score every design of the space on a collection."""
    found = retrieval_space(read_space(_HERE / "retrieval_designs.toml"), load_settings(environ={}))
    embedder = catalogue.embedder(ModelSettings())
    designs = [Design(settings.documents, settings.index) for settings in found.settings]
    began = time.perf_counter()
    bench = await bench_designs(load_beir(_DATA / name), designs, home=home / name, embedder=embedder)
    await embedder.aclose()
    rows = [
        {"name": arm.name, "number": arm.number, **result.as_json()}
        for arm, result in zip(found.arms, bench.results, strict=True)
    ]
    write_matrix(path, {"items": bench.queries, "designs": rows})
    print(f"{name}: {len(rows)} designs on {len(bench.queries)} queries in {time.perf_counter() - began:,.0f} s")


def line_of(name: str, matrix: Matrix, incumbent: str, seed: int, share: float) -> dict[str, Any]:
    """One race beside the full grid; gains in points, on the untouched queries unless named otherwise."""
    found = race_replayed(matrix, incumbent=incumbent, seed=seed, budget_share=share)
    reigning = matrix.arms.index(incumbent)
    raced = sum(round_.items for round_ in found.rounds)
    places = matrix.places(matrix.ordered(str(seed)))
    seen, untouched = matrix.scores[places[:raced]], matrix.scores[places[raced:]]
    winner, grid = matrix.arms.index(found.winner), int(seen.mean(axis=0).argmax())
    line: dict[str, Any] = {
        "against": name, "seed": seed, "calls": found.calls, "share": round(found.calls / found.grid_calls, 4),
        "untouched": len(untouched), "winner": found.winner, "verdict": str(found.verdict),
        "race_gain": _points(found.race_score),
        **{f"confirmed_{key}": _points(value) for key, value in found.confirmed.items()},
    }  # fmt: skip
    for who, arm in (("winner", winner), ("grid", grid)):
        interval = paired_interval(untouched[:, reigning], untouched[:, arm])
        line |= {f"{who}_{end}": _points(getattr(interval, end)) for end in ("value", "low", "high")}
    behind = paired_interval(untouched[:, grid], untouched[:, winner])
    return line | {
        "grid_winner": matrix.arms[grid],
        "grid_seen_gain": _points(seen[:, grid].mean() - seen[:, reigning].mean()),
        "winner_less_grid": _points(behind.value),
        "chance": _points(untouched.mean() - untouched[:, reigning].mean()),
        "best_untouched": _points(untouched.mean(axis=0).max() - untouched[:, reigning].mean()),
        "regret_all": _points(matrix.scores.mean(axis=0).max() - matrix.scores[:, winner].mean()),
    }


def incumbents(matrix: Matrix) -> dict[str, str]:
    """What serves, by name: Assay's default, and words alone, as many a search has them."""
    return {"default": matrix.arms[0], "lexical": next(arm for arm in matrix.arms if "index.mode=lexical" in arm)}


def _points(value: float | None) -> float:
    return float("nan") if value is None else round(100 * float(value), 3)


def spread(lines: list[dict[str, Any]], key: str) -> str:
    """Mean over seeds, with the 5th and 95th percentile."""
    values = np.array([line[key] for line in lines])
    low, high = np.quantile(values, [0.05, 0.95])
    return f"{values.mean():+.2f} ({low:+.2f} to {high:+.2f})"


def rows_of(name: str, matrix: Matrix, lines: list[dict[str, Any]]) -> tuple[list[str], list[str]]:
    """A row of each table."""
    shares = [100 * line["share"] for line in lines]
    halves = [np.mean([(line[f"{who}_high"] - line[f"{who}_low"]) / 2 for line in lines]) for who in ("winner", "grid")]
    promoted = sum(line["verdict"] == Verdict.PROMOTE for line in lines)
    gains = [
        name, f"{len(matrix.arms)} x {len(matrix.items)}", f"{np.mean(shares):.1f}%, most {max(shares):.1f}%",
        spread(lines, "winner_value"), f"±{halves[0]:.2f}", spread(lines, "grid_value"), f"±{halves[1]:.2f}",
        spread(lines, "winner_less_grid"), spread(lines, "chance"), spread(lines, "best_untouched"),
    ]  # fmt: skip
    claims = [
        name, spread(lines, "race_gain"), spread(lines, "grid_seen_gain"), spread(lines, "winner_value"),
        of_trials(promoted, len(lines)),
        of_trials(sum(line["winner_value"] > 0 for line in lines), len(lines)),
        spread(lines, "regret_all"),
    ]  # fmt: skip
    return gains, claims


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--home", type=Path, help="keeps the ingested collections")
    parser.add_argument("--matrices", type=Path, help="keeps the scores, as NAME.csv")
    parser.add_argument("--seeds", type=int, default=200)
    parser.add_argument("--budget-share", type=float, default=0.10)
    parser.add_argument("--only", choices=COLLECTIONS)
    asked = parser.parse_args()
    if not _DATA.is_dir():
        parser.exit(0, f"skipped: there is no {_DATA}; set ASSAY_DATA\n")
    every: list[dict[str, Any]] = []
    gains: list[list[str]] = []
    claims: list[list[str]] = []
    with tempfile.TemporaryDirectory() as scratch:
        for name in (asked.only,) if asked.only else COLLECTIONS:
            path = (asked.matrices or Path(scratch)) / f"{name}.csv"
            if not path.exists():
                asyncio.run(make_matrix(name, asked.home or Path(scratch), path))
            matrix = read_matrix(path)
            for what, incumbent in incumbents(matrix).items():
                against = f"{name}, {what}"
                lines = [line_of(against, matrix, incumbent, seed, asked.budget_share) for seed in range(asked.seeds)]
                every += lines
                for rows, row in zip((gains, claims), rows_of(against, matrix, lines), strict=True):
                    rows.append(row)
    tables = [
        table(
            "Gain over what serves on untouched queries, points of nDCG@10: "
            f"mean (5%-95% of {asked.seeds} seeds), mean half-width of a seed's interval",
            ["", "grid", "calls", "race's winner", "", "full grid's winner", "", "race - grid", "any design",
             "best there"],
            gains,
        ),
        table(
            "What each said of itself",
            ["", "race says", "grid says", "race's winner, untouched", "promoted", "untouched gain > 0", "regret"],
            claims,
        ),
    ]  # fmt: skip
    RESULTS.mkdir(exist_ok=True)
    with (RESULTS / "designs_seeds.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, list(every[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(every)
    write("designs", tables, seeds=asked.seeds, budget_share=asked.budget_share)


if __name__ == "__main__":
    main()
