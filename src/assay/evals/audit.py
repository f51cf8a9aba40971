"""Whether a synthetic set ranks configurations as a set of people's questions does, and what choosing by it would cost.

Four or more configurations are measured on both sets. Agreement about ranks says nothing about absolute scores. What is
wrong in a set by itself is `set_audit.py`'s matter. Proved by `tests/unit/evals/test_audit.py`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from assay.errors import BadInput
from assay.evals.case import Case
from assay.evals.columns import Columns
from assay.evals.generation.generated import EVIDENCE
from assay.stats.interval import Interval
from assay.stats.ranks import rank_agreement

LEAST_CONFIGURATIONS = 4


@dataclass(frozen=True, slots=True)
class ScoreTable:
    """One metric of several configurations on one set: scores by configuration and case, and the cases' clusters.

    A case without a cluster is one of its own.
    """

    scores: Mapping[str, Mapping[str, float]]
    clusters: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class RankAudit:
    """How a synthetic set ranks configurations against a human one. Means by configuration, in the human set's order.

    Of `regret`: what choosing by the synthetic set loses on the human one. `left_out` counts cases that not every
    configuration has a score for. `sentence` is the finding in words.
    """

    metric: str
    configurations: tuple[str, ...]
    synthetic_means: tuple[float, ...]
    human_means: tuple[float, ...]
    synthetic_cases: int
    human_cases: int
    left_out: int
    kendall: Interval
    spearman: Interval
    same_best: float
    regret: Interval
    ceiling: float
    sentence: str

    def as_json(self) -> dict[str, Any]:
        """For programs."""
        return asdict(self)


def audit(
    synthetic: ScoreTable,
    human: ScoreTable,
    *,
    metric: str = "",
    alpha: float = 0.05,
    draws: int = 2_000,
    seed: int = 0,
) -> RankAudit:
    """Compare how two sets rank the configurations measured on both. Raises BadInput for fewer than four of them."""
    names = [name for name in human.scores if name in synthetic.scores]
    if len(names) < LEAST_CONFIGURATIONS:
        raise BadInput(
            f"{len(names)} configurations were measured on both sets; a ranking needs {LEAST_CONFIGURATIONS} or more.",
            hint="Run the same configurations on both sets.",
        )
    (one, labels_one, lost_one), (other, labels_other, lost_other) = (
        _matrix(table, names, which=which) for table, which in ((synthetic, "synthetic"), (human, "human"))
    )
    found = rank_agreement(
        one, other, clusters_first=labels_one, clusters_second=labels_other, alpha=alpha, draws=draws, seed=seed
    )
    order = np.argsort(-other.mean(axis=0), kind="stable")
    return RankAudit(
        metric=metric,
        configurations=tuple(names[place] for place in order),
        synthetic_means=tuple(float(mean) for mean in one.mean(axis=0)[order]),
        human_means=tuple(float(mean) for mean in other.mean(axis=0)[order]),
        synthetic_cases=len(one),
        human_cases=len(other),
        left_out=lost_one + lost_other,
        kendall=found.kendall,
        spearman=found.spearman,
        same_best=found.same_best,
        regret=found.regret,
        ceiling=found.ceiling,
        sentence=_sentence(len(names), found.kendall, found.same_best, found.regret, found.ceiling),
    )


def table_of(runs: Mapping[str, Columns], metric: str, cases: Sequence[Case]) -> ScoreTable:
    """One metric of several runs on the same cases, by configuration. What a judge failed to score counts as 0.

    Raises BadInput where a run does not have the metric.
    """
    scores: dict[str, dict[str, float]] = {}
    for name, columns in runs.items():
        if metric not in columns.metrics:
            raise BadInput(
                f"{name} was not scored with {metric}.", hint=f"Use one of {', '.join(sorted(columns.metrics))}."
            )
        found = columns.scores(metric)
        ids = [columns.case_ids[case] for case in found.cases]
        scores[name] = dict(zip(ids, map(float, found.worst), strict=True))
    return ScoreTable(scores, {case.id: case.cluster for case in cases})


def _matrix(table: ScoreTable, names: Sequence[str], *, which: str) -> tuple[NDArray[np.float64], list[str], int]:
    every = {case for name in names for case in table.scores[name]}
    shared = [case for case in table.scores[names[0]] if all(case in table.scores[name] for name in names)]
    if len(shared) < 2:
        raise BadInput(
            f"The configurations share {len(shared)} scored cases of the {which} set.",
            hint="Run all configurations on the same cases.",
        )
    scores = np.array([[table.scores[name][case] for name in names] for case in shared], dtype=np.float64)
    if not np.isfinite(scores).all():
        raise BadInput(f"Scores of the {which} set are not all finite numbers.", hint="Give a number for each case.")
    return scores, [table.clusters.get(case) or f"\0{which}:{case}" for case in shared], len(every) - len(shared)


def _sentence(count: int, kendall: Interval, same_best: float, regret: Interval, ceiling: float) -> str:
    level = f"{1 - kendall.alpha:.0%}"
    bounds = f"Kendall's tau {kendall.value:.2f}, {level} interval {kendall.low:.2f} to {kendall.high:.2f}"
    if kendall.low >= 0.5:
        finding = f"The set ranks these {count} configurations much as people's questions do ({bounds})."
    elif kendall.low > 0:
        finding = f"The set tends to rank these {count} configurations as people's questions do ({bounds})."
    elif kendall.high < 0:
        finding = f"The set ranks these {count} configurations against people's questions ({bounds})."
    else:
        finding = (
            f"Whether the set ranks these {count} configurations as people's questions do is not shown ({bounds})."
        )
    return (
        f"{finding} A second set of people's questions, as large, would itself reach about {ceiling:.2f}. Both choose "
        f"the same best in {same_best:.0%} of resamples; choosing by this set costs {regret.value:.3f} "
        f"({regret.low:.3f} to {regret.high:.3f}) of the score on people's questions. {EVIDENCE}"
    )
