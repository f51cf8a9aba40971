"""Where the noise of a comparison comes from, and what to buy against it: questions, resamples or judgements.

A difference = mean + cluster + question + resample + judgement, each nested in the one before. The variances are
estimated by moments: analysis of variance with expected sums of squares for unequal numbers (Henderson 1953, Biometrics
9:226, method I; Searle, Casella and McCulloch 1992, "Variance Components", chapter 5), so nothing is assumed normal.
Invariant: a level that the table cannot tell from the next one is never reported; its variance is in the one above.
Proved by planted components in tables with gaps: `tests/oracles/test_variance.py`.
"""

from collections.abc import Hashable, Sequence
from dataclasses import dataclass, replace
from math import nan, sqrt
from typing import Any

import numpy as np
from numpy.typing import NDArray

from assay.stats.clusters import Codes, Floats, as_values, cluster_codes

LEVELS = ("cluster", "question", "resample", "judge")


def difference_variance(
    *, question: float, incumbent: float, candidate: float, n: int, k_incumbent: int = 1, k_candidate: int = 1
) -> float:
    """Var(mean difference) = (question + incumbent/k_incumbent + candidate/k_candidate)/n for `n` questions.

    `question` is the variance of true differences between questions, `incumbent` and `candidate` those of one system's
    answers to one question, each asked k times (Miller 2024, arXiv 2411.00640, section 3).
    """
    if n < 1 or min(k_incumbent, k_candidate) < 1:
        raise ValueError("there must be at least one question and one answer to each")
    return (question + incumbent / k_incumbent + candidate / k_candidate) / n


@dataclass(frozen=True, slots=True)
class Components:
    """Variances of one difference by source, NaN where the table cannot tell (it is then part of the level above), and
    the design: numbers of clusters and questions (`clusters` counts equally large ones worth as much), resamples per
    question, judgements per resample."""

    mean: float
    cluster: float
    question: float
    resample: float
    judge: float
    clusters: float
    questions: int
    resamples: float
    judgements: float

    def standard_error(self) -> float:
        """Of the mean difference, averaged within each question first: the square root of
        cluster/C + question/Q + resample/(QK) + judge/(QKJ)."""
        asked = self.questions * self.resamples
        known = [
            0.0 if np.isnan(variance) else variance / count
            for variance, count in (
                (self.cluster, self.clusters),
                (self.question, float(self.questions)),
                (self.resample, asked),
                (self.judge, asked * self.judgements),
            )
        ]
        return sqrt(sum(known))


def variance_components(
    differences: Sequence[float] | NDArray[Any],
    *,
    questions: Sequence[Hashable] | NDArray[Any],
    clusters: Sequence[Hashable] | NDArray[Any] | None = None,
    resamples: Sequence[Hashable] | NDArray[Any] | None = None,
) -> Components:
    """The four variances from a table with a row per judgement: its difference (candidate minus incumbent), question,
    cluster of the question, and resample of the pair of answers. Rows alike in all three are repeats of the judge.

    Numbers per level may differ. A level without repeats below it is NaN: one judgement per resample leaves the judge's
    variance in the resamples', one resample per question leaves both in the questions'. Estimates below zero are zero.
    Raises `ValueError` for under two questions.
    """
    values = as_values(differences)
    groups = _nested(len(values), clusters=clusters, questions=questions, resamples=resamples)
    count = [int(codes.max()) + 1 for codes in groups] if len(values) else [0, 0, 0, 0]
    if count[1] < 2:
        raise ValueError("variance between questions needs two questions or more")
    # A level is kept where it has more groups than the one above; the first, where it has two.
    kept = [level for level in range(4) if count[level] > max(1, count[level - 1] if level else 1)]
    found = dict(zip(kept, _moments(values, [groups[level] for level in kept]), strict=True))
    variances = [max(found[level], 0.0) if level in found else nan for level in range(4)]
    if clusters is None or count[0] < 2:
        variances[0] = nan
    per_cluster = np.bincount(groups[0][_first(groups[1])]).astype(np.float64)
    return Components(
        mean=_mean_of_means(values, groups[1]),
        cluster=variances[0],
        question=variances[1],
        resample=variances[2],
        judge=variances[3],
        clusters=float(per_cluster.sum() ** 2 / (per_cluster**2).sum()),
        questions=count[1],
        resamples=count[2] / count[1],
        judgements=count[3] / count[2],
    )


def _nested(
    n: int,
    *,
    clusters: Sequence[Hashable] | NDArray[Any] | None,
    questions: Sequence[Hashable] | NDArray[Any],
    resamples: Sequence[Hashable] | NDArray[Any] | None,
) -> list[Codes]:
    """Codes of clusters, questions, resamples and rows; each names a group within one of the level above."""
    none = np.zeros(n, dtype=np.intp)
    levels = [none if labels is None else cluster_codes(labels) for labels in (clusters, questions, resamples)]
    if any(len(level) != n for level in levels):
        raise ValueError(f"{n} differences need as many questions, clusters and resamples")
    top, question = levels[0], levels[1]
    pairs = len(np.unique(np.stack([top, question]), axis=1).T)
    if n and pairs > int(question.max()) + 1:
        raise ValueError("a question lies in two clusters")
    asked = question if resamples is None else cluster_codes(question * (int(levels[2].max(initial=0)) + 1) + levels[2])
    return [top, question, asked, np.arange(n)]


def _moments(values: Floats, groups: list[Codes]) -> list[float]:
    """One variance per level, coarse to fine, solving E[T_level] = N·mu² + sum of k(level, v)·variance_v.

    T of a level is the sum of (total of a group)²/(its rows); k(level, v) is N where v is that level or coarser, else
    the sum over groups of (sum of squared sizes of the v-groups in it)/(its size).
    """
    n = len(values)
    whole = np.zeros(n, dtype=np.intp)
    levels = [whole, *groups]
    sizes = [np.bincount(codes).astype(np.float64) for codes in levels]
    totals = [
        float((np.bincount(codes, weights=values) ** 2 / size).sum()) for codes, size in zip(levels, sizes, strict=True)
    ]
    coefficients = np.full((len(levels), len(groups)), float(n))
    for row, (codes, size) in enumerate(zip(levels, sizes, strict=True)):
        for column, finer in enumerate(groups):
            if column + 1 > row:
                parent = codes[_first(finer)]
                squares = np.bincount(parent, weights=sizes[column + 1] ** 2)
                coefficients[row, column] = float((squares / size).sum())
    # Differences of neighbouring levels lose the unknown mean.
    solved = np.linalg.solve(np.diff(coefficients, axis=0), np.diff(np.array(totals)))
    return [float(variance) for variance in solved]


def _first(codes: Codes) -> Codes:
    """The row at which each group first appears, by code."""
    return np.asarray(np.unique(codes, return_index=True)[1], dtype=np.intp)


def _mean_of_means(values: Floats, questions: Codes) -> float:
    return float((np.bincount(questions, weights=values) / np.bincount(questions)).mean())


@dataclass(frozen=True, slots=True)
class Purchase:
    """One thing to buy: the standard error it leaves, what it costs, and the precision gained per unit of cost."""

    what: str
    standard_error: float
    cost: float
    gain: float


@dataclass(frozen=True, slots=True)
class Advice:
    """What the standard error is, what each purchase would make of it, best first, and the same in words."""

    standard_error: float
    purchases: tuple[Purchase, ...]
    words: tuple[str, ...]


def advise(components: Components, *, answer_cost: float = 1.0, judge_cost: float = 1.0, unit: str = "calls") -> Advice:
    """What to buy: twice the questions (from new clusters, or from those at hand), resamples or judgements.

    Costs are those of one answer and one judgement, in `unit`; a pair of answers takes two of each. The gain of a
    purchase is the precision (1/variance) it adds per unit of cost. What the table could not tell apart is not offered.
    """
    now = components.standard_error()
    one_answer, one_label = 2 * answer_cost, 2 * judge_cost
    q, k, j = components.questions, components.resamples, components.judgements
    per_question = k * (one_answer + j * one_label)
    clustered = not np.isnan(components.cluster)
    options = [
        (
            "questions" + (" from new clusters" if clustered else ""),
            replace(components, questions=2 * q, clusters=2 * components.clusters),
            q * per_question,
        )
    ]
    if clustered:
        options.append(("questions from the clusters at hand", replace(components, questions=2 * q), q * per_question))
    if not np.isnan(components.resample):
        options.append(("resamples of every question", replace(components, resamples=2 * k), q * per_question))
    if not np.isnan(components.judge):
        options.append(("judgements of every answer", replace(components, judgements=2 * j), q * k * j * one_label))
    purchases = sorted(
        (_purchase(what, then.standard_error(), now, cost) for what, then, cost in options), key=lambda p: -p.gain
    )
    words = [f"The standard error is {now:.4f}."]
    words += [
        f"Twice the {some.what}: {some.standard_error:.4f}, for {some.cost:,.10g} more {unit}." for some in purchases
    ]
    best = purchases[0]
    words.append(f"Best buy: {best.what}." if best.gain > 0 else "Nothing to buy: the differences do not vary.")
    return Advice(now, tuple(purchases), tuple(words))


def _purchase(what: str, then: float, now: float, cost: float) -> Purchase:
    gained = 1 / then**2 - 1 / now**2 if then > 0 else 0.0
    return Purchase(what, then, cost, max(gained, 0.0) / cost if cost > 0 else 0.0)
