"""Real judges and real people: how many labels a judge is worth, and whether the intervals hold.

    python benchmarks/stats/judges.py [--runs 1000] [--labels 200] [--seed 0]

LLMBar (Zeng et al. 2024): recorded verdicts of six judges in both orders against people's preference. The difference of
two answers is +1 or -1 by people, and +1, 0 (the verdict did not survive swapping) or -1 by the judge. SummEval (Fabbri
et al. 2021): is a summary consistent by three experts, and the score of judges that need no model: the share of its
words, and of its word pairs, that the article has; for differences, two of the 16 systems on the same articles. Cases
are drawn with replacement from the real ones, so the truth is their mean; gain is the ratio of variances to as many
labels without a judge. A fifth of the labels of a difference goes by spreads of .5, .25, .5, the rest by those of the
first. Draws treat the cases of one article as independent, as the formulas do.
"""

import argparse
import csv
import json
import os
import re
import sys
from collections import defaultdict
from collections.abc import Iterator, Sequence
from itertools import combinations, pairwise
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from assay.stats import Stratum, neyman, ppi_difference, ppi_rate, strata
from assay.stats.agreement import pearson
from assay.stats.clusters import Floats

DATA = Path(os.environ.get("ASSAY_DATA", "../shared/data")) / "judge"
POOL = 1_000
PILOT = (0.5, 0.25, 0.5)
WORD = re.compile(r"\w+")


def llmbar(prompt: str) -> Iterator[tuple[str, Floats, Floats]]:
    """Per judge: people's differences and the judge's."""
    found: dict[str, list[tuple[float, float]]] = defaultdict(list)
    sign = {"1": 1.0, "2": -1.0}
    both = ("winner_orig_order", "winner_swapped_order_mapped_back")
    with (DATA / "llmbar" / "recorded_judge_verdicts.csv").open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            if row["subset"].startswith("LLMBar/") and row["method"] == prompt:
                orders = [sign.get(row[order], 0.0) for order in both]
                found[row["evaluator"]].append((sign[row["gold"]], sum(orders) / 2))
    for judge, rows in sorted(found.items()):
        people, scores = np.array(rows).T
        yield f"LLMBar, {judge} {prompt}", people, np.where(np.abs(scores) == 1, scores, 0.0)


def summeval() -> tuple[dict[str, Floats], dict[tuple[str, str], int], Floats]:
    """Judges' scores of every summary, the place of (article, system) in them, and people's labels of consistency."""
    lines = (DATA / "summeval" / "summeval_1600.jsonl").read_text(encoding="utf-8").splitlines()
    rows = [json.loads(line) for line in lines]
    scores: dict[str, list[float]] = {"words": [], "word pairs": []}
    for row in rows:
        for size, name in ((1, "words"), (2, "word pairs")):
            article, summary = (grams(row[part], size) for part in ("src", "summary"))
            known = set(article)
            scores[name].append(float(np.mean([gram in known for gram in summary])) if summary else 0.0)
    people = np.array([float(row["scores"]["consistency"] > 4.99) for row in rows])
    places = {(row["doc_id"], row["system"]): i for i, row in enumerate(rows)}
    return {name: np.array(values) for name, values in scores.items()}, places, people


def grams(text: str, size: int) -> list[object]:
    words = WORD.findall(text.lower())
    return list(words) if size == 1 else list(pairwise(words))


def rate_line(name: str, people: Floats, judge: Floats, labels: int, runs: int, seed: int) -> str:
    rng, truth = np.random.default_rng(seed), people.mean()
    found, alone, held, width = np.empty(runs), np.empty(runs), 0, 0.0
    for run in range(runs):
        picks = rng.integers(0, len(people), labels + POOL)
        y, f = people[picks], judge[picks]
        result = ppi_rate(y[:labels], f[:labels], f[labels:])
        found[run], alone[run] = result.value, y[:labels].mean()
        held += result.low <= truth <= result.high
        width += result.half_width / runs
    rho = pearson(people, judge)
    limit = 1 / (1 - rho**2 * POOL / (POOL + labels))
    return (
        f"{name:44} rate {truth:.2f}  rho {rho:.2f}  gain {alone.var() / found.var():.2f} (limit {limit:.2f})"
        f"  coverage {held / runs:.3f}  ±{width:.3f}"
    )


def difference_line(name: str, people: Floats, judge: Floats, labels: int, runs: int, seed: int) -> str:
    rng, truth = np.random.default_rng(seed), people.mean()
    found, alone, held, by_judge = np.empty(runs), np.empty(runs), 0, 0
    for run in range(runs):
        picks = rng.integers(0, len(people), POOL)
        d, j = people[picks], judge[picks]
        order = [rng.permutation(np.flatnonzero(np.sign(j) == sign)) for sign in (-1, 0, 1)]
        first = labelled(order, d, j, PILOT, labels // 5, (0, 0, 0))
        some = labelled(order, d, j, [s.spread for s in first], labels, [len(s.labels) for s in first])
        result = ppi_difference(some)
        found[run], alone[run] = result.value, rng.choice(d, result.n, replace=False).mean()
        held += result.low <= truth <= result.high
        by_judge += abs(j.mean() - truth) <= 1.96 * j.std() / np.sqrt(POOL)
    return (
        f"{name:44} difference {truth:+.3f}  rho {pearson(people, judge):.2f}  gain {alone.var() / found.var():.2f}"
        f"  coverage {held / runs:.3f}  judge alone covers {by_judge / runs:.3f}"
    )


def labelled(
    order: list[NDArray[np.intp]], d: Floats, j: Floats, sds: Sequence[float], total: int, least: Sequence[int]
) -> tuple[Stratum, ...]:
    """The first cases of every stratum's order labelled, as many as Neyman says and at least as many as before."""
    sizes = [len(places) for places in order]
    counts = neyman(np.array(sizes) / len(d), sds, total, 8, sizes=sizes)
    chosen = [places[: max(count, most)] for places, count, most in zip(order, counts, least, strict=True)]
    return strata(j, {int(place): d[place] for places in chosen for place in places})


def main(runs: int, labels: int, seed: int) -> None:
    if not DATA.exists():
        sys.exit(f"skipped: {DATA} is not there (set ASSAY_DATA)")
    print(f"{labels} labels, {POOL:,} judged cases, {runs:,} draws")
    for prompt in ("Vanilla", "CoT"):
        for name, people, judge in llmbar(prompt):
            print(rate_line(name, (people + 1) / 2, (judge + 1) / 2, labels, runs, seed), flush=True)
            print(difference_line("", people, judge, labels, runs, seed), flush=True)
    scores, places, people = summeval()
    for name, judge in scores.items():
        print(rate_line(f"SummEval, {name}", people, judge, labels, runs, seed), flush=True)
    systems = sorted({system for _, system in places})
    articles = sorted({article for article, _ in places})
    for name, judge in scores.items():
        cut = float(np.quantile(judge, 1 - people.mean()))  # as many good as people say
        for first, second in list(combinations(systems, 2))[::24]:
            of = [[places[article, system] for article in articles] for system in (first, second)]
            d = people[of[1]] - people[of[0]]
            j = (judge[of[1]] >= cut).astype(float) - (judge[of[0]] >= cut)
            print(difference_line(f"SummEval, {name}, {second} - {first}", d, j, labels, runs, seed), flush=True)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=1_000)
    parser.add_argument("--labels", type=int, default=200)
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    main(given.runs, given.labels, given.seed)
