"""A7, A8, A9, A10 and A13 at full size: the harnesses of the tests with more runs and every figure printed.

    python benchmarks/stats/fixed_size.py [--scale 1.0]

A7 many candidates at once, A8 labels and a judge, A9 a judge that flatters, A10 certified thresholds, A13 thirty
changes on one set of questions.
"""

import argparse
import sys
from pathlib import Path

import numpy as np

TESTS = Path(__file__).resolve().parents[2] / "tests"
sys.path[:0] = [str(TESTS), str(TESTS / "oracles")]

import test_certify  # noqa: E402
import test_online  # noqa: E402
import test_permutations  # noqa: E402
import test_ppi  # noqa: E402

from assay.stats import Spending  # noqa: E402
from assay.stats.agreement import holm  # noqa: E402


def many_candidates(runs: int) -> None:
    null = [(min(result.p), min(holm(alone))) for result, alone in test_permutations.family([0.0] * 10, runs)]
    found, by_holm = (np.array(null) <= 0.05).mean(axis=0)
    print(f"A7  K=10 N=200, all equal: max-T {found:.3f}, Holm {by_holm:.3f} ({runs:,} runs)")
    effects, power, held = [0.11] + [0.0] * 9, np.zeros(3), 0
    for result, alone in test_permutations.family(effects, runs, seed=1):
        power += [result.p[0] <= 0.05, holm(alone)[0] <= 0.05, 10 * alone[0] <= 0.05]
        held += all(i.low <= effect <= i.high for i, effect in zip(result.intervals, effects, strict=True))
    shown = ", ".join(f"{name} {p / runs:.3f}" for name, p in zip(("max-T", "Holm", "Bonferroni"), power, strict=True))
    print(f"A7  one of them +11 points, power: {shown}; all ten intervals hold {held / runs:.3f}")


def labels(runs: int) -> None:
    for agreement in (0.80, 0.85, 0.90, 0.95):
        gain, held, judge = test_ppi.rates(agreement, runs=runs)
        print(f"A8  rate, agreement {agreement}: gain {gain:.2f}, coverage {held:.3f}, judge alone {judge:.3f}")
    for base, n in ((0.9, 100), (0.9, 200)):
        held = test_ppi.rates(0.85, base=base, n=n, runs=runs)[1]
        print(f"A8  rate {base}, {n} labels, agreement 0.85: coverage {held:.3f}")
    for agreement in (0.80, 0.85, 0.90):
        for shared in (0.0, 0.5):
            for total in (30, 200):
                gain, held = test_ppi.differences(agreement, shared=shared, total=total, runs=runs)
                print(
                    f"A8  difference, agreement {agreement}, shared errors {shared}, {total} labels:"
                    f" gain {gain:.2f}, coverage {held:.3f}"
                )
    for agreement in (0.85, 0.95):
        alone, helped = (
            test_ppi.labels_needed(agreement, use_judge=use, runs=max(50, runs // 10)) for use in (False, True)
        )
        print(f"A8  looked at after every label, agreement {agreement}: {alone:.0f} labels, {helped:.0f} with a judge")
    for share in (0.1, 0.2, 0.3):
        judge, people, betting = test_ppi.flattery(share, max(200, runs // 5))
        print(
            f"A9  a tie, judge flatters {share:.0%} of the wrong: promoted by it {judge:.3f}, by labels {people:.3f},"
            f" by labels looked at one by one {betting:.3f}"
        )


def thresholds(runs: int) -> None:
    for epsilon, cases in ((0.01, 3_000), (0.02, 2_000), (0.05, 2_000)):
        broken, empirical, on = test_certify.promises(epsilon, cases, runs)
        print(
            f"A10 epsilon {epsilon}: promise broken {broken:.3f}, by the empirical rule {empirical:.3f},"
            f" switched on {on:.3f}"
        )


def thirty_changes() -> None:
    for name, effects, seed in (("all equal", test_online.NULL, 0), ("half better", test_online.MIXED, 1)):
        p, equal = test_online.p_values(effects, seed=seed), np.array(effects) == 0
        promoted = np.array([test_online.decided(row) for row in p])
        own = np.array([test_online.decided(row, hand_on=False) for row in p])
        print(
            f"A13 30 changes, {name}: any wrong {promoted[:, equal].any(axis=1).mean():.3f},"
            f" at .05 each {(p[:, equal] <= 0.05).any(axis=1).mean():.3f};"
            f" better ones promoted {promoted[:, ~equal].sum() / len(p):.2f}, without handing on"
            f" {own[:, ~equal].sum() / len(p):.2f}, at .05 each {(p[:, ~equal] <= 0.05).sum() / len(p):.2f}"
        )
    budget, after = Spending(), Spending().spent(True)
    print(f"A13 first level {budget.next:.4f}, after a promotion {after.next:.4f}, else {budget.spent(False).next:.4f}")


def main(scale: float) -> None:
    many_candidates(int(3_000 * scale))
    labels(int(4_000 * scale))
    thresholds(int(5_000 * scale))
    thirty_changes()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--scale", type=float, default=1.0)
    main(parser.parse_args().scale)
