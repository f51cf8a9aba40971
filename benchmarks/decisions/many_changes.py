"""Thirty changes tried on one set of questions: wrong promotions with and without the evidence budget, and its price.

    python benchmarks/decisions/many_changes.py [--worlds 1000] [--stored 100]

A world is 800 questions of differing difficulty and an incumbent's answers to them. Each change is answered on the same
questions, in the same order, and decided by the rule `assay try` declares, at the alpha the budget gives; what is
promoted becomes the incumbent. Equal systems differ on .162 of questions, those 5 points apart on .185.

In the first `--stored` worlds alpha is taken from and settled in the ledger (`EvidenceBudget` on SQLite), in the others
by `Spending`, whose alphas must be the same.
"""

import argparse
import tempfile
import time
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from printed import of_trials, share, table, write
from rivals import SMALL, declared

from assay.decisions.evidence_budget import EvidenceBudget
from assay.decisions.hypothesis import Margins
from assay.decisions.replay import replay_many
from assay.ledger.database import Database, open_database, sqlite_url
from assay.stats.online import Spending
from assay.stats.verdict import Verdict

QUESTIONS, CHANGES = 800, 30
EASE = (0.44, 0.1886)  # Beta: mean .70, two equal systems differ on .162
GAIN = 0.05


@dataclass
class Outcome:
    """Per world: was a change promoted that is none, how many true gains were, and questions asked."""

    wrong: NDArray[np.bool_]
    right: NDArray[np.int64]
    items: NDArray[np.int64]
    promoted: list[NDArray[np.bool_]] = field(default_factory=list)
    asked: list[NDArray[np.int64]] = field(default_factory=list)
    alphas: list[NDArray[np.float64]] = field(default_factory=list)


def run(
    worlds: int,
    truly: Sequence[float] | float,
    *,
    changes: int = CHANGES,
    spend: bool = True,
    margins: Margins | None = None,
    store: tuple[EvidenceBudget, str, int] | None = None,
    seed: int = 59,
) -> Outcome:
    """`truly`: the gain of each change, or the chance that a change gains 5 points."""
    rng = np.random.default_rng(seed)
    skill = rng.beta(*EASE, (worlds, QUESTIONS))
    incumbent = rng.random(skill.shape) < skill
    budgets = [Spending() for _ in range(worlds)]
    found = Outcome(np.zeros(worlds, bool), np.zeros(worlds, np.int64), np.zeros(worlds, np.int64))
    for change in range(changes):
        if isinstance(truly, float):
            gains = np.where(rng.random(worlds) < truly, GAIN, 0.0)
        else:
            gains = np.full(worlds, truly[change])
        after = skill + gains[:, None] * (1 - skill) / (1 - skill.mean(axis=1, keepdims=True))
        candidate = rng.random(skill.shape) < after
        alphas = np.array([budget.next if spend else budget.alpha for budget in budgets])
        for world in range(store[2] if store else 0):
            assert store is not None
            assert abs(store[0].take(store[1], world, f"{store[1]}/{world}/{change}") - alphas[world]) < 1e-12
        promoted, items = _decided(candidate.astype(np.int8) - incumbent.astype(np.int8), alphas, margins)
        for world in np.flatnonzero(promoted[: store[2]]) if store else ():
            assert store is not None
            store[0].settle(f"{store[1]}/{world}/{change}", rejected=True)
        budgets = [budget.spent(bool(won)) for budget, won in zip(budgets, promoted, strict=True)]
        found.wrong |= promoted & (gains == 0)
        found.right += promoted & (gains > 0)
        found.items += items
        found.promoted.append(promoted)
        found.asked.append(items)
        found.alphas.append(alphas)
        skill = np.where(promoted[:, None], after, skill)
        incumbent = np.where(promoted[:, None], candidate, incumbent)
    return found


def _decided(
    differences: NDArray[np.int8], alphas: NDArray[np.float64], margins: Margins | None
) -> tuple[NDArray[np.bool_], NDArray[np.int64]]:
    """Decisions of one change in all worlds, those of one alpha together."""
    base = declared(differences.shape[1])
    base = replace(base, margins=margins) if margins else base
    groups: defaultdict[float, list[int]] = defaultdict(list)
    for world, alpha in enumerate(alphas):
        groups[float(alpha)].append(world)
    promoted, items = np.zeros(len(alphas), bool), np.zeros(len(alphas), np.int64)
    for alpha, group in groups.items():
        decided = replay_many(replace(base, alpha=alpha), differences[group])
        promoted[group], items[group] = decided.verdicts == Verdict.PROMOTE, decided.items
    return promoted, items


def thirty(worlds: int, stored: int, database: Database) -> list[list[str]]:
    """Wrong and right promotions of thirty changes, by the share that truly gains."""
    rows = []
    for share_true in (0.0, 0.15):
        for name, spend in (("budget", True), ("each at .05", False)):
            store = (EvidenceBudget(database), f"thirty-{share_true:g}", stored) if spend and stored else None
            found = run(worlds, share_true, spend=spend, store=store)
            row = [name, f"{100 * share_true:g}%", str(worlds), of_trials(float(found.wrong.sum()), worlds)]
            rows.append([*row, f"{found.right.mean():.2f}", f"{found.items.mean():,.0f}"])
    return rows


def power(worlds: int) -> list[list[str]]:
    """The chance to promote a change that gains 5 points, by its place among changes that are none."""
    rows = []
    for place in (1, 2, 5, 10, 20, 30):
        truths = [0.0] * (place - 1) + [GAIN]
        rows.append(_power_row(f"{place}.", worlds, truths))
        if place in (5, 10):
            rows.append(_power_row(f"{place}., the one before promoted", worlds, [*truths[:-2], GAIN, GAIN]))
    return rows


def _power_row(name: str, worlds: int, truths: list[float]) -> list[str]:
    row = [name]
    for margins in (None, SMALL):
        found = run(worlds, truths, changes=len(truths), margins=margins, seed=61 + len(truths))
        # Where the one before is a gain too: only the worlds in which it was promoted and handed its alpha on.
        kept = found.promoted[-2] if truths[:-1] and truths[-2] else np.ones(worlds, bool)
        if margins is None:
            row += [str(int(kept.sum())), share(float(np.median(found.alphas[-1][kept])), digits=4)]
        row += [
            of_trials(float(found.promoted[-1][kept].sum()), int(kept.sum())),
            f"{found.asked[-1][kept].mean():.0f}",
        ]
    return row


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--worlds", type=int, default=1000)
    parser.add_argument("--stored", type=int, default=100, help="worlds whose budget is kept in the ledger")
    arguments = parser.parse_args()
    began = time.perf_counter()
    with tempfile.TemporaryDirectory() as folder:
        database = open_database(sqlite_url(Path(folder) / "assay.db"))
        rows = thirty(arguments.worlds, min(arguments.stored, arguments.worlds), database)
        database.close()
    header = ["alpha", "true gains", "worlds", "any wrong promotion", "right promotions a world", "questions a world"]
    tables = [table(f"{CHANGES} changes on {QUESTIONS} questions", header, rows)]
    print(f"{time.perf_counter() - began:.0f} s")
    header = ["place of the +5 change", "worlds", "alpha", "as tried", "items", "any gain matters", "items"]
    tables.append(table("Power under the budget", header, power(arguments.worlds)))
    print(f"{time.perf_counter() - began:.0f} s")
    write("many_changes", tables, worlds=arguments.worlds, stored=arguments.stored)


if __name__ == "__main__":
    main()
