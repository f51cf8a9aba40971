"""Recorded outcomes of real models replayed through the rules of `assay try`, all pairs of models.

    python benchmarks/decisions/replay.py [--data OUTCOMES.csv] [--seeds 10]

The matrix (a CSV: item, then one column an arm) is the whole population, so the truth is known: a promotion is wrong
where the candidate is not better over all items. Orders are drawn as a trial draws them; every pair is tried in both
directions at each of three levels of alpha: all of it, the first decision of a budget, about the fifth.

A/A: (1) the two outcomes of a question swapped at random, which makes any pair exactly equal while keeping how often
it differs; (2) a model against itself on random disjoint halves of the questions. Standard errors of A/B rates are over
orders, those of A/A over independent streams. `results/replay_pairs.csv` has a line a pair.
"""

import argparse
import csv
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from printed import GSM, RESULTS, of_trials, share, table, write

from assay.decisions.hypothesis import Hypothesis
from assay.decisions.replay import Matrix, Replays, hypothesis_of, read_matrix, replay, replay_many, replay_set
from assay.decisions.settings import DecisionSettings
from assay.stats.power import sample_size
from assay.stats.verdict import Verdict
from peers import fixed_mcnemar

ALPHAS = (0.05, 0.025, 0.0017)
BINS = (("0-1", 0.0, 0.01), ("1-2", 0.01, 0.02), ("2-5", 0.02, 0.05), ("5-10", 0.05, 0.10), (">10", 0.10, 2.0))
ORDER = (Verdict.PROMOTE, Verdict.NOT_WORSE, Verdict.UNDECIDED, Verdict.NOT_BETTER, Verdict.WORSE)
SLOW = 3  # orders for the rules that take seconds an order


@dataclass(frozen=True)
class Pairs:
    """All ordered pairs of arms: columns of the incumbents and candidates, and candidate minus incumbent in truth."""

    incumbents: NDArray[np.int64]
    candidates: NDArray[np.int64]
    gaps: NDArray[np.float64]

    def inside(self, low: float, high: float) -> NDArray[np.bool_]:
        """Pairs that truly gain more than `low` and at most `high`."""
        return (self.gaps > low + 1e-9) & (self.gaps <= high + 1e-9)


def all_pairs(matrix: Matrix) -> Pairs:
    """Both directions of every pair."""
    arms = len(matrix.arms)
    first, second = np.nonzero(~np.eye(arms, dtype=bool))
    means = matrix.scores.mean(axis=0)
    return Pairs(first, second, means[second] - means[first])


def streams_of(matrix: Matrix, pairs: Pairs, places: NDArray[np.int64]) -> NDArray[Any]:
    """Differences of all pairs in one order, shape (pairs, items)."""
    scores = matrix.scores[places].T
    scores = scores.astype(np.int8) if matrix.is_binary else scores
    return scores[pairs.candidates] - scores[pairs.incumbents]


Rule = Callable[[NDArray[Any]], Replays]


def rules_of(matrix: Matrix) -> dict[str, tuple[int, Rule]]:
    """By name: over how many orders at most, and the rule."""
    ordering = matrix.ordered("any")

    def declared(alpha: float, **changes: Any) -> Hypothesis:
        return hypothesis_of(matrix, ordering, alpha=alpha, options=DecisionSettings(**changes))

    def tried(hypothesis: Hypothesis) -> Rule:
        return lambda streams: replay_many(hypothesis, streams)

    first = declared(0.05)
    rules: dict[str, tuple[int, Rule]] = {
        f"{first.rule}, alpha {alpha:g}": (10**9, tried(declared(alpha))) for alpha in ALPHAS
    }
    if matrix.is_binary:
        rules["  the same, what matters is 2 points"] = (10**9, tried(declared(0.05, smallest=0.02, margin=0.01)))
        planned = sample_size(0.05, disc=0.2, power=0.9, two_sided=False)
        for name, n in ((f"fixed n = {planned}, McNemar .05", planned), ("fixed n = all, McNemar .05", first.items)):
            rules[name] = (10**9, _fixed(n))
        rules["betting, alpha 0.05"] = (SLOW, tried(replace(first, rule="betting", horizon=None)))
    rules["winner on this set, alpha 0.05"] = (SLOW, replay_set)
    return rules


def _fixed(n: int) -> Rule:
    def rule(streams: NDArray[Any]) -> Replays:
        promoted, items = fixed_mcnemar(streams[:, :n])
        return Replays(np.where(promoted, str(Verdict.PROMOTE), str(Verdict.UNDECIDED)), items)

    return rule


def mean_and_error(per_order: list[float]) -> str:
    """The mean of rates over orders with its standard error."""
    values = np.array(per_order)
    error = float(values.std(ddof=1) / len(values) ** 0.5) if len(values) > 1 else None
    return share(float(values.mean()), error)


def against_truth(found: dict[str, list[Replays]], pairs: Pairs) -> list[list[str]]:
    """Per rule: wrong promotions, missed gains by size, questions."""
    rows = []
    for name, orders in found.items():
        row = [name, str(len(orders))]
        masks = [(pairs.gaps <= 1e-9, True)] + [(pairs.inside(low, high), False) for _, low, high in BINS]
        for mask, wrong in masks:
            rates = [float((one.verdicts[mask] == Verdict.PROMOTE).mean()) if mask.any() else 0.0 for one in orders]
            row.append(mean_and_error(rates if wrong else [1 - rate for rate in rates]) if mask.any() else "-")
        items = np.concatenate([one.items for one in orders])
        row += [f"{items.mean():.0f}", *(f"{np.quantile(items, q):.0f}" for q in (0.1, 0.5, 0.9, 0.99))]
        rows.append(row)
    return rows


def by_gap(orders: list[Replays], pairs: Pairs) -> list[list[str]]:
    """Verdicts and questions by the true difference, both directions."""
    bins = [(f"worse by {name}", -high - 2e-9, -low - 2e-9) for name, low, high in reversed(BINS)]
    bins += [("equal", -1e-9, 0.0)] + [(f"better by {name}", low, high) for name, low, high in BINS]
    rows = []
    for name, low, high in bins:
        mask = np.abs(pairs.gaps) <= 1e-9 if name == "equal" else pairs.inside(low, high)
        if not mask.any():
            continue
        verdicts = np.concatenate([one.verdicts[mask] for one in orders])
        items = np.concatenate([one.items[mask] for one in orders])
        shares = [share(float((verdicts == verdict).mean())) for verdict in ORDER]
        middle = [f"{items.mean():.0f}", *(f"{np.quantile(items, q):.0f}" for q in (0.1, 0.5, 0.9))]
        rows.append([name, str(int(mask.sum())), *shares, *middle])
    return rows


def claims(orders: list[Replays], pairs: Pairs, hypothesis: Hypothesis) -> list[list[str]]:
    """How often each verdict is false, of all the times it could be and of all the times it was said."""
    margins = hypothesis.margins
    false_where = {
        Verdict.PROMOTE: ("the candidate is not better", pairs.gaps <= 1e-9),
        Verdict.NOT_WORSE: ("it is worse by the margin", pairs.gaps <= -margins.margin + 1e-9),
        Verdict.NOT_BETTER: ("it gains what matters", pairs.gaps >= margins.smallest - 1e-9),
        Verdict.WORSE: ("it is not worse", pairs.gaps >= -1e-9),
    }
    rows = []
    for verdict, (what, mask) in false_where.items():
        wrong = [float((one.verdicts[mask] == verdict).mean()) for one in orders]
        said = sum(int((one.verdicts == verdict).sum()) for one in orders)
        untrue = sum(int((one.verdicts[mask] == verdict).sum()) for one in orders)
        rows.append([str(verdict), what, mean_and_error(wrong), str(said), share(untrue / said) if said else "-"])
    return rows


def null_rates(matrix: Matrix, pairs: Pairs, seeds: int) -> list[list[str]]:
    """A/A: exactly equal by swapping, and a model against itself on halves."""
    rng = np.random.default_rng(11)
    one_way = pairs.incumbents < pairs.candidates
    half = len(matrix.items) // 2
    halves = Matrix(matrix.items[:half], matrix.arms, matrix.scores[:half])
    rows = []
    kinds: tuple[tuple[str, Matrix], ...] = (("swapped outcomes", matrix), ("split halves", halves))
    for name, shaped in kinds:
        counted: dict[float, list[Replays]] = {alpha: [] for alpha in ALPHAS}
        hypotheses = {alpha: hypothesis_of(shaped, shaped.ordered("any"), alpha=alpha) for alpha in ALPHAS}
        for _ in range(seeds):
            if shaped is matrix:
                streams = streams_of(matrix, pairs, rng.permutation(len(matrix.items)))[one_way]
                streams = streams * (1 - 2 * rng.integers(0, 2, streams.shape, dtype=np.int8))
            else:
                # An order of its own for every arm and repeat, so that streams are independent given the matrix.
                drawn = [rng.permuted(matrix.scores, axis=0).T for _ in range(20)]
                streams = np.concatenate([one[:, :half] - one[:, half : 2 * half] for one in drawn])
            for alpha in ALPHAS:
                counted[alpha].append(replay_many(hypotheses[alpha], streams))
        for alpha, found in counted.items():
            verdicts = np.concatenate([one.verdicts for one in found])
            items = np.concatenate([one.items for one in found])
            shares = [share(float((verdicts == verdict).mean())) for verdict in ORDER[1:]]
            wrong = of_trials(float((verdicts == Verdict.PROMOTE).sum()), len(verdicts))
            rows.append(
                [
                    name,
                    f"{alpha:g}",
                    str(len(verdicts)),
                    wrong,
                    *shares,
                    f"{items.mean():.0f}",
                    f"{np.median(items):.0f}",
                ]
            )
    return rows


def write_pairs(path: Path, matrix: Matrix, pairs: Pairs, found: dict[str, list[Replays]]) -> None:
    """A line for every pair, the better arm as the candidate, then the other way round."""
    means = matrix.scores.mean(axis=0)
    where = {(int(a), int(b)): row for row, (a, b) in enumerate(zip(pairs.incumbents, pairs.candidates, strict=True))}
    names = [name for name in found if "alpha" in name]
    fields = ["worse_arm", "better_arm", "gap_points", "wins", "losses"]
    for name in names:
        key = name.replace(",", "").replace(" ", "_")
        fields += [f"{key}:promoted", f"{key}:items", f"{key}:reverse_promoted", f"{key}:reverse_items"]
    path.parent.mkdir(exist_ok=True)
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(fields)
        for (a, b), row in where.items():
            if (means[a], a) > (means[b], b):
                continue
            back = where[b, a]
            difference = matrix.scores[:, b] - matrix.scores[:, a]
            line: list[Any] = [matrix.arms[a], matrix.arms[b], f"{100 * (means[b] - means[a]):.2f}"]
            line += [int((difference > 0).sum()), int((difference < 0).sum())]
            for name in names:
                for place in (row, back):
                    promoted = np.mean([one.verdicts[place] == Verdict.PROMOTE for one in found[name]])
                    line += [f"{promoted:.2f}", f"{np.mean([one.items[place] for one in found[name]]):.0f}"]
            writer.writerow(line)


def same_as_real(matrix: Matrix, pairs: Pairs, sample: int) -> str:
    """The fold and rule of a trial on some pairs against the arithmetic used here."""
    ordering = matrix.ordered("0")
    places = matrix.places(ordering)
    hypothesis = hypothesis_of(matrix, ordering)
    quick = replay_many(hypothesis, streams_of(matrix, pairs, places))
    scores = matrix.scores[places]
    equal = 0
    for row in np.random.default_rng(3).choice(len(pairs.gaps), sample, replace=False):
        slow = replay(hypothesis, scores[:, pairs.incumbents[row]].tolist(), scores[:, pairs.candidates[row]].tolist())
        equal += slow.verdict == quick.verdicts[row] and slow.items == quick.items[row]
    return f"{equal} of {sample} pairs, replayed through the fold and rule of a trial, end in the same verdict and item"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=GSM, help="CSV: item, then one column an arm")
    parser.add_argument("--seeds", type=int, default=10, help="random orders")
    parser.add_argument("--sample", type=int, default=40, help="pairs also replayed through the real objects")
    arguments = parser.parse_args()
    if not arguments.data.exists():
        parser.exit(0, f"skipped: there is no {arguments.data}; set ASSAY_DATA or give --data\n")
    began = time.perf_counter()
    matrix = read_matrix(arguments.data)
    pairs = all_pairs(matrix)
    rules = rules_of(matrix)
    found: dict[str, list[Replays]] = {name: [] for name in rules}
    for seed in range(arguments.seeds):
        streams = streams_of(matrix, pairs, matrix.places(matrix.ordered(str(seed))))
        for name, (most, rule) in rules.items():
            if seed < most:
                found[name].append(rule(streams))
    hypothesis = hypothesis_of(matrix, matrix.ordered("any"))
    first = next(iter(found))
    margins = hypothesis.margins
    print(
        f"{len(matrix.arms)} arms, {len(matrix.items)} items, {len(pairs.gaps)} ordered pairs, "
        f"{arguments.seeds} orders; rule {hypothesis.rule}, horizon {hypothesis.horizon}, "
        f"what matters {margins.smallest}, margin {margins.margin}"
    )
    sizes = [int(pairs.inside(low, high).sum()) for _, low, high in BINS]
    counts = ["pairs", "", str(int((pairs.gaps <= 1e-9).sum())), *map(str, sizes), "", "", "", "", ""]
    missed = [f"missed {name}" for name, _, _ in BINS]
    asked = ["mean items", "10%", "50%", "90%", "99%"]
    rows = [counts, *against_truth(found, pairs)]
    tables = [
        table("A/B against the truth over all items", ["rule", "orders", "wrong", *missed, *asked], rows),
        table(
            f"Verdicts by true difference in points: {first}",
            ["candidate is", "pairs", *ORDER, "mean items", "10%", "50%", "90%"],
            by_gap(found[first], pairs),
        ),
        table(
            f"False verdicts: {first}",
            ["verdict", "false where", "of pairs where false", "said", "false of said"],
            claims(found[first], pairs, hypothesis),
        ),
        table(
            "A/A",
            ["null", "alpha", "streams", "PROMOTE", *ORDER[1:], "mean items", "50%"],
            null_rates(matrix, pairs, arguments.seeds),
        ),
    ]
    same = same_as_real(matrix, pairs, arguments.sample)
    print(f"\n{same}")
    write_pairs(RESULTS / "replay_pairs.csv", matrix, pairs, found)
    took = round(time.perf_counter() - began)
    print(f"{took} s")
    write("replay", tables, data=arguments.data.name, orders=arguments.seeds, same_as_real=same)


if __name__ == "__main__":
    main()
