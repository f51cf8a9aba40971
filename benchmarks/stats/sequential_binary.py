"""The sequential test of right-or-wrong answers at full size: error rates, power, estimates, limits and speed.

python benchmarks/stats/sequential_binary.py [errors|power|estimates|limits|speed ...]      (all: about three minutes)

Everything is exact (a dynamic program) but `errors`, which simulates every rule on the same streams, and `speed`.
"""

import sys
from math import log
from pathlib import Path
from time import perf_counter

import numpy as np
from scipy.special import betaln, xlog1py, xlogy

sys.path.insert(0, str(Path(__file__).parents[2] / "tests"))
from assay.stats.horizon import calibrate, first_passages, log_e
from assay.stats.planning import forecast, horizon_for
from assay.stats.rule import BinaryRule
from assay.stats.sequential import SequentialBinary
from assay.stats.stagewise import promoted_low, unbiased
from assay.stats.verdict import Verdict
from binary_streams import exact_horizon, naive_t, promoted, wins_and_losses


def peeking_mcnemar(x):
    """An exact one-sided McNemar test at 5% after every question."""
    size = x.shape[1]
    enough = []
    for m in range(size + 1):
        wins = np.arange(m, -1, -1)
        tail = np.cumsum(np.exp(-betaln(wins + 1, m - wins + 1) - np.log(m + 1) - m * log(2)))
        enough.append(m + 1 - int(np.searchsorted(tail, 0.05, side="right")))
    wins, losses = wins_and_losses(x)
    return (wins >= np.array(enough)[wins + losses]).any(axis=1)


def e_process(x):
    """The same evidence at the threshold of an open end, 1/alpha."""
    wins, losses = wins_and_losses(x)
    table = log_e(*np.meshgrid(np.arange(x.shape[1] + 1), np.arange(x.shape[1] + 1), indexing="ij"))
    return (table[wins, losses] >= log(20)).any(axis=1)


def errors():
    print("\nPromotions of what is not better, a look after every question, 20,000 streams")
    rules = {
        "exact horizon 130": exact_horizon(130),
        "e-process, threshold 20": e_process,
        "naive one-sided t": naive_t(),
        "exact McNemar": peeking_mcnemar,
    }
    for disagreement in (0.15, 0.30):
        for n in (200, 500, 800):
            found = {
                name: promoted(rule, runs=20_000, n=n, difference=0.0, disagreement=disagreement)
                for name, rule in rules.items()
            }
            print(f"  disc {disagreement:.2f} n {n:4d}  " + "  ".join(f"{k} {v:.4f}" for k, v in found.items()))


def power():
    print("\nP(promote) / expected questions, exact; alpha .05, then with the last look")
    for items in (800, 200):
        for disagreement in (0.10, 0.16, 0.25):
            row = []
            for difference in (0.03, 0.05, 0.08, 0.10, 0.15):
                if difference >= disagreement:
                    continue
                horizon = horizon_for(items, disagreement)
                plain = forecast(
                    BinaryRule(horizon=horizon), difference=difference, disagreement=disagreement, items=items
                )
                last = forecast(
                    BinaryRule(horizon=horizon, items=items), difference=difference, disagreement=disagreement
                )
                row.append(f"+{difference:.2f} {plain.power:.3f}/{plain.items:.0f} ({last.power:.3f})")
            print(f"  N {items} disc {disagreement:.2f}  " + "  ".join(row))
    for alpha in (0.05, 0.025, 0.05 / 30):
        found = forecast(BinaryRule(alpha=alpha), difference=0.05, disagreement=0.162, items=800)
        print(f"  alpha {alpha:.4f}, disc .162, +5 points: power {found.power:.3f}, questions {found.items:.0f}")
    for difference in (-0.10, -0.05, 0.0):
        found = forecast(BinaryRule(items=800, smallest=0.05), difference=difference, disagreement=0.16)
        dropped = found.chances()[Verdict.NOT_BETTER] + found.chances()[Verdict.WORSE]
        print(f"  {difference:+.2f} with smallest .05: dropped {dropped:.3f}, median stop {found.quantile(0.5)}")
    for margin in (0.02, 0.03, 0.05):
        for disagreement in (0.05, 0.10, 0.15):
            found = forecast(
                BinaryRule(horizon=600, margin=margin), difference=0.0, disagreement=disagreement, items=4_000
            )
            chance = found.chances()[Verdict.NOT_WORSE]
            print(f"  margin {margin:.2f} disc {disagreement:.2f}: NOT_WORSE {chance:.3f}, questions {found.items:.0f}")


def promotions(horizon, items):
    """Boundary, and every promotion of the test: n, wins, losses, ln of the streams that end there."""
    boundary = calibrate(horizon, 0.05, 5.0)
    hits = first_passages(np.array(boundary.wins))
    crossing = np.flatnonzero(hits)
    m, n = np.repeat(crossing, items), np.tile(np.arange(1, items + 1), len(crossing))
    m, n = m[n >= m], n[n >= m]
    wins = np.array(boundary.wins)[m]
    return boundary, n, wins, m - wins, np.log(hits[m]) + m * log(2) - betaln(m, n - m + 1) - np.log(n)


def chance_of(found, difference, disagreement):
    _, n, wins, losses, streams = found
    win, loss = (disagreement + difference) / 2, (disagreement - difference) / 2
    return np.exp(streams + xlogy(wins, win) + xlogy(losses, loss) + xlog1py(n - wins - losses, -disagreement))


def estimates():
    print("\nWhat promotions read on average (exact), N = 800, horizon 130; over all stops the estimate is unbiased")
    found = promotions(130, 800)
    boundary, n, wins, losses, _ = found
    counts = zip(n.tolist(), wins.tolist(), losses.tolist(), strict=True)
    value = np.array([unbiased(boundary, *where, ended=False) for where in counts])
    for disagreement in (0.10, 0.16, 0.25):
        for difference in (0.03, 0.05, 0.10):
            chance = chance_of(found, difference, disagreement)
            raw = chance @ ((wins - losses) / n) / chance.sum()
            print(
                f"  disc {disagreement:.2f} true {difference:.2f}: promoted {chance.sum():.3f},"
                f" raw {raw:.4f}, estimate {chance @ value / chance.sum():.4f}"
            )


def limits():
    print("\nChance that a promotion's lower limit lies above the truth (exact), N = 400, horizon 65, alpha .05")
    found = promotions(65, 400)
    boundary, n, wins, losses, _ = found
    counts = zip(n.tolist(), wins.tolist(), losses.tolist(), strict=True)
    low = np.array([promoted_low(boundary, *where) for where in counts])
    raw = (wins - losses) / n
    plain = raw - 1.645 * np.sqrt(((wins + losses) / n - raw**2) / n)
    for disagreement in (0.05, 0.16, 0.4):
        for difference in (0.0, 0.02, 0.05, 0.10, 0.2):
            if difference < disagreement:
                chance = chance_of(found, difference, disagreement)
                ours, theirs = chance[low > difference + 1e-9].sum(), chance[plain > difference].sum()
                print(f"  disc {disagreement:.2f} true {difference:.2f}: ours {ours:.4f}, plain interval {theirs:.4f}")


def speed():
    print("\nSpeed on this machine")
    rng = np.random.default_rng(0)
    for name, options in {"boundary": {}, "with two margins": {"smallest": 0.02, "margin": 0.005}}.items():
        for disagreement in (0.16, 1.0):
            share = disagreement / 2
            best = []
            for _ in range(7):
                test = SequentialBinary(horizon=1_000, items=5_000, **options)
                results = rng.choice([-1, 0, 1], 900, p=[share, 1 - disagreement, share]).tolist()
                start = perf_counter()
                for d in results:
                    test.update(d)
                best.append((perf_counter() - start) / max(test.n, 1) * 1e6)
            print(f"  update, {name}, disc {disagreement:.2f}: {min(best):.1f} microseconds")
    for horizon in (130, 600, 2_000):
        start = perf_counter()
        calibrate(horizon, 0.0499, 5.0)
        print(f"  calibration, horizon {horizon}: {perf_counter() - start:.2f} s")
    for options in ({}, {"smallest": 0.05}):
        test = SequentialBinary(items=800, **options)
        for d in rng.choice([-1, 0, 1], 400, p=[0.08, 0.84, 0.08]).tolist():
            test.update(d)
        start = perf_counter()
        test.evidence()
        middle = perf_counter()
        test.plan(0.05, 0.16)
        spent = 1e3 * (middle - start), 1e3 * (perf_counter() - middle)
        print(f"  {options}: evidence at {test.n} {spent[0]:.0f} ms, plan {spent[1]:.0f} ms")


PARTS = {part.__name__: part for part in (errors, power, estimates, limits, speed)}

if __name__ == "__main__":
    for name in sys.argv[1:] or PARTS:
        PARTS[name]()
