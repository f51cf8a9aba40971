"""Clusters: looks at whole clusters against bets on cluster means and against rules that take questions one by one.

    python benchmarks/stats/clusters.py articles     24 clusters of about 24 questions: type-I, power, questions used
    python benchmarks/stats/clusters.py paragraphs   100 to 240 clusters of about 5: 3 and 4 looks against betting
    python benchmarks/stats/clusters.py spending     how alpha is split between the looks
    python benchmarks/stats/clusters.py estimates    bias and coverage of ClusterLooks on articles

Clusters have the sizes of XQuAD's articles and paragraphs; the questions of one share a normal effect. `icc` is the
share of the variance of a difference that lies between clusters.
"""

import sys
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[2] / "tests"))

from assay.stats.looks import ClusterLooks
from evidence_streams import (
    ARTICLES,
    article_effects,
    ever_past_horizon,
    ever_promoted,
    ever_significant,
    one_by_one,
    promoted_at_looks,
)

# How many of XQuAD's 240 paragraphs have 1, 2, 3, ... questions.
PARAGRAPHS = np.repeat(np.arange(1, 18), [3, 3, 22, 56, 138, 1, 0, 2, 3, 5, 0, 1, 1, 1, 2, 1, 1])
SETTINGS = [(0.02, 0.2), (0.05, 0.2), (0.1, 0.3), (0.25, 0.4)]


def spread_of(icc: float, disagreement: float) -> float:
    return float(np.sqrt(icc * disagreement))


def even_looks(clusters: int, looks: int) -> tuple[int, ...]:
    return ClusterLooks(clusters=clusters, looks=looks).looks


def used(sizes, looks, at):
    ends = np.array([*looks, looks[-1]])[at]
    return np.cumsum(sizes, axis=1)[np.arange(len(sizes)), ends - 1].mean()


def articles(runs: int = 4_000) -> None:
    looks = even_looks(24, 3)
    print(
        "| icc | disagreement | difference | 3 looks | questions | bet per question | exact horizon per question |"
        " t at every question | t once |\n|---|---|---|---|---|---|---|---|---|"
    )
    for icc, disagreement in SETTINGS:
        for difference in (0.0, 0.05, 0.1):
            rng = np.random.default_rng(1)
            spread = spread_of(icc, disagreement)
            sums, sizes, wins, losses = article_effects(
                rng, runs, ARTICLES, difference=difference, spread=spread, disagreement=disagreement
            )
            at = promoted_at_looks(sums, sizes, looks)
            single = one_by_one(rng, sizes, wins, losses)
            horizon = round(float(sizes[0].sum()) * disagreement)
            row = [
                (at < len(looks)).mean(),
                used(sizes, looks, at),
                ever_promoted(single).mean(),
                ever_past_horizon(single, horizon=horizon).mean(),
                ever_significant(single).mean(),
                ever_significant(single, least=single.shape[1]).mean(),
            ]
            cells = [f"{row[0]:.3f}", f"{row[1]:.0f}", *(f"{value:.3f}" for value in row[2:])]
            print(f"| {icc} | {disagreement} | {difference:+.2f} | {' | '.join(cells)} |", flush=True)


def paragraphs(runs: int = 800) -> None:
    print(
        "| clusters | icc | difference | 3 looks | questions | 4 looks | questions | bet on means | questions |"
        " exact horizon per question |\n|---|---|---|---|---|---|---|---|---|---|"
    )
    rng = np.random.default_rng(2)
    for clusters in (100, 150, 240):
        for icc, disagreement in ((0.02, 0.2), (0.1, 0.2), (0.3, 0.2)):
            for difference in (0.0, 0.05, 0.1):
                sizes = rng.choice(PARAGRAPHS, clusters, replace=False)
                sums, cases, wins, losses = article_effects(
                    rng,
                    runs,
                    sizes,
                    difference=difference,
                    spread=spread_of(icc, disagreement),
                    disagreement=disagreement,
                )
                cells = []
                for looks in (even_looks(clusters, 3), even_looks(clusters, 4)):
                    at = promoted_at_looks(sums, cases, looks)
                    cells += [f"{(at < len(looks)).mean():.3f}", f"{used(cases, looks, at):.0f}"]
                share, ended = betting_on_means(sums / cases, cases)
                single = one_by_one(rng, cases, wins, losses)
                per_question = ever_past_horizon(single, horizon=round(float(cases[0].sum()) * disagreement)).mean()
                cells += [f"{share:.3f}", f"{ended:.0f}", f"{per_question:.3f}"]
                print(f"| {clusters} | {icc} | {difference:+.2f} | {' | '.join(cells)} |", flush=True)


def betting_on_means(means, cases):
    promoted = np.stack([ever_promoted(means[:, :k]) for k in range(5, means.shape[1] + 1, 5)], axis=1)
    first = np.where(promoted.any(axis=1), promoted.argmax(axis=1), promoted.shape[1] - 1)
    ended = np.cumsum(cases, axis=1)[np.arange(len(cases)), 5 * first + 4]
    return promoted[:, -1].mean(), ended.mean()


def spending(runs: int = 3_000) -> None:
    print("| looks | exponent | type-I | power at +10 | questions at +10 |\n|---|---|---|---|---|")
    for count in (1, 2, 3, 4):
        looks = even_looks(24, count)
        for exponent in (1.0, 2.0, 3.0) if count > 1 else (1.0,):
            cells = []
            for difference in (0.0, 0.1):
                rng = np.random.default_rng(3)
                sums, sizes, _, _ = article_effects(rng, runs, ARTICLES, difference=difference, spread=0.1)
                at = promoted_at_looks(sums, sizes, looks, spending=exponent)
                cells.append(((at < len(looks)).mean(), used(sizes, looks, at)))
            print(f"| {count} | {exponent:g} | {cells[0][0]:.3f} | {cells[1][0]:.3f} | {cells[1][1]:.0f} |", flush=True)


def estimates(runs: int = 400) -> None:
    print(
        "| truth | icc | bias | raw bias | promoted | its bias | its raw bias | low <= truth | truth <= high |\n"
        "|---|---|---|---|---|---|---|---|---|"
    )
    for icc in (0.02, 0.1):
        for truth in (0.0, 0.03, 0.05, 0.1):
            rng = np.random.default_rng(4)
            sums, sizes, _, _ = article_effects(
                rng, runs, ARTICLES, difference=truth, spread=spread_of(icc, 0.4), disagreement=0.4
            )
            rows = []
            for total, size in zip(sums, sizes, strict=True):
                test = ClusterLooks(clusters=24, smallest=0.1, draws=500)
                for unit in zip(total, size, strict=True):
                    test.update(*unit)
                found = test.evidence()
                promoted = found.verdict == "PROMOTE"
                rows.append((found.value - truth, found.raw - truth, promoted, found.low <= truth, truth <= found.high))
            table = np.array(rows, float)
            won = table[table[:, 2] == 1]
            given = won[:, :2].mean(axis=0) if len(won) else (np.nan, np.nan)
            cells = [*table[:, :2].mean(axis=0), table[:, 2].mean(), *given, *table[:, 3:].mean(axis=0)]
            print(f"| {truth} | {icc} | {' | '.join(f'{cell:+.4f}' for cell in cells)} |", flush=True)


if __name__ == "__main__":
    for name in sys.argv[1:] or ["articles", "paragraphs", "spending", "estimates"]:
        {"articles": articles, "paragraphs": paragraphs, "spending": spending, "estimates": estimates}[name]()
