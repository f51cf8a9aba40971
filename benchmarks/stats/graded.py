"""Bets on graded differences at full size: errors, power, questions used, bias of the estimate, time of an update.

python benchmarks/stats/graded.py errors | power | margins | finite | bias | speed
"""

import sys
import time
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[2] / "tests"))

from assay.stats.betting import BettingTest
from assay.stats.finite import FiniteSetTest
from assay.stats.stopped import Rule, forecast_stops, simulate, stage_wise_mean
from assay.stats.verdict import Verdict
from evidence_streams import ever_promoted, ever_significant


def right_or_wrong(difference: float, disagreement: float) -> np.ndarray:
    wins, losses = (round(5_000 * (disagreement + side * difference)) for side in (1, -1))
    return np.repeat([1.0, -1.0, 0.0], [wins, losses, 10_000 - wins - losses])


def errors() -> None:
    rng = np.random.default_rng(1)
    for questions in (200, 500, 800, 2_000):
        streams = rng.normal(0, 0.25, (5_000, questions)).clip(-1, 1)
        print(
            f"null, sd .25, {questions}: bet {ever_promoted(streams).mean():.4f}, "
            f"t at every difference {ever_significant(streams).mean():.3f}",
            flush=True,
        )
    null = simulate(right_or_wrong(0.0, 0.162), Rule(), steps=2_000, streams=20_000, seed=1)
    print(f"null, right or wrong, disagreement .162, 2,000: {(null.side == 1).mean():.4f}")


def power() -> None:
    for difference in (0.02, 0.03, 0.05, 0.10):
        stops = forecast_stops(Rule(), difference=difference, sd=0.25, items=800, streams=20_000, seed=2)
        late = forecast_stops(Rule(), difference=difference, sd=0.25, items=4_000, streams=5_000, seed=2)
        print(
            f"sd .25, +{difference}: power at 800 {(stops.side == 1).mean():.3f}, mean n {stops.n.mean():.0f}, "
            f"mean n without horizon {late.n.mean():.0f}, quantiles .1 .5 .9 {np.quantile(late.n, [0.1, 0.5, 0.9])}"
        )
    for difference in (-0.1, -0.05, 0.0):
        stops = simulate(right_or_wrong(difference, 0.162), Rule(below=0.05), steps=4_000, streams=10_000, seed=3)
        print(
            f"smallest .05, right or wrong, truth {difference}: median n {np.median(stops.n):.0f}, "
            f"dropped {(stops.side == -1).mean():.3f}"
        )


def margins() -> None:
    for margin, disagreements in ((0.03, (0.05, 0.10, 0.15)), (0.02, (0.05, 0.10, 0.15))):
        for disagreement in disagreements:
            rule = Rule(above=-margin, beta=1e-9)
            stops = simulate(right_or_wrong(0.0, disagreement), rule, steps=4_000, streams=5_000, seed=4)
            edge = simulate(right_or_wrong(-margin, disagreement), rule, steps=4_000, streams=5_000, seed=5)
            print(
                f"margin {margin}, disagreement {disagreement}: mean n {stops.n.mean():.0f}, undecided at 4,000 "
                f"{(stops.side == 0).mean():.3f}, wrong at the margin {(edge.side == 1).mean():.4f}",
                flush=True,
            )


def finite() -> None:
    rng = np.random.default_rng(6)
    for size in (200, 500, 1_000):
        for gap in (0.0, 0.05, 0.10):
            differ = 2 * round(0.162 * size / 2)
            wins = round((differ + gap * size) / 2)
            full = np.repeat([1.0, -1.0, 0.0], [wins, differ - wins, size - differ])
            share, promoted = [], 0
            for _ in range(400):
                test = FiniteSetTest(size)
                for difference in rng.permutation(full):
                    test.update(difference)
                    if test.over:
                        break
                share.append(test.n / size)
                promoted += test.verdict is Verdict.PROMOTE
            print(f"set of {size}, gap {gap}: {np.mean(share):.2f} of it, PROMOTE {promoted / 400:.3f}", flush=True)


def bias(runs: int = 250) -> None:
    print(
        "| smallest | truth | bias | raw bias | median bias | promoted | its bias | its raw bias |\n"
        "|---|---|---|---|---|---|---|---|"
    )
    for smallest in (None, 0.05):
        for truth in (0.0, 0.03, 0.05, 0.1):
            rng = np.random.default_rng(7)
            rows = []
            for run in range(runs):
                test = BettingTest(smallest=smallest)
                for difference in rng.normal(truth, 0.25, 800).clip(-1, 1):
                    test.update(difference)
                    if test.over:
                        break
                side = 0 if not test.over else 1 if test.verdict is Verdict.PROMOTE else -1
                value = stage_wise_mean(np.array(test.differences), test.rule(), side, draws=400, seed=run)
                rows.append((value - truth, test.raw - truth, test.verdict is Verdict.PROMOTE))
            table = np.array(rows, float)
            won = table[table[:, 2] == 1]
            given = won[:, :2].mean(axis=0) if len(won) else (np.nan, np.nan)
            cells = [*table[:, :2].mean(axis=0), np.median(table[:, 0]), table[:, 2].mean(), *given]
            print(f"| {smallest} | {truth} | {' | '.join(f'{cell:+.4f}' for cell in cells)} |", flush=True)


def speed() -> None:
    rng = np.random.default_rng(8)
    differences = rng.normal(0.0, 0.25, 2_000).clip(-1, 1).tolist()
    going_on = [Verdict.NOT_WORSE, Verdict.NOT_BETTER]
    for options in ({}, {"smallest": 0.05, "margin": 0.05, "go_on_after": going_on}):
        best = np.inf
        for _ in range(100):
            # Short batches: on a shared machine the shortest is the one that nobody interrupted.
            test = BettingTest(alpha=1e-9, beta=1e-9, **options)
            started = time.perf_counter()
            for difference in differences[:100]:
                test.update(difference)
            best = min(best, (time.perf_counter() - started) / 100)
        print(f"update with {(len(options) and 4) or 2} bets: {best * 1e6:.1f} us")
    for n in (200, 800, 2_000):
        test = BettingTest(alpha=1e-9, beta=1e-9)
        for difference in differences[:n]:
            test.update(difference)
        started = time.perf_counter()
        test.limits()
        middle = time.perf_counter()
        test.evidence()
        print(f"n {n}: limits {1e3 * (middle - started):.0f} ms, evidence {time.perf_counter() - middle:.2f} s")


if __name__ == "__main__":
    parts = {"errors": errors, "power": power, "margins": margins, "finite": finite, "bias": bias, "speed": speed}
    for name in sys.argv[1:] or parts:
        parts[name]()
