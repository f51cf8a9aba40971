"""Metrics by tag, with error bars that hold together: who looks at many slices finds a bad one by chance.

Each metric's slice intervals are at level 1 - alpha/m for the m slices shown (Bonferroni), so all of a metric's slices
contain their true values at once with probability 1 - alpha, however the slices overlap.
Proved by `tests/unit/evals/test_slices.py`.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from assay.evals.columns import CaseScores, Indexes
from assay.stats.mean import mean_interval


@dataclass(frozen=True, slots=True)
class Slice:
    """One metric over the cases of one tag. `value`, `low`, `high` as in the scoreboard, `level` their confidence."""

    tag: str
    metric: str
    value: float
    low: float
    high: float
    n: int
    failed: int
    method: str
    level: float


@dataclass(frozen=True, slots=True)
class Slices:
    """Slices by metric, lowest first; `looked_at` tags are large enough, `too_small` are not."""

    by_metric: Mapping[str, tuple[Slice, ...]]
    looked_at: int
    too_small: int
    fewest: int
    alpha: float

    @property
    def statement(self) -> str:
        """What was looked at and what its intervals promise, in words; empty where there are no tags."""
        if not self.looked_at:
            return f"No tag has {self.fewest} cases or more." if self.too_small else ""
        level = 100 * (1 - self.alpha / self.looked_at)
        small = f" {_tags(self.too_small)} with fewer than {self.fewest} cases not shown." if self.too_small else ""
        if self.looked_at == 1:
            return f"1 tag looked at; its intervals are at {level:.4g}%.{small}"
        return (
            f"{self.looked_at} tags looked at: each interval is at {level:.4g}%, so that all {self.looked_at} of a "
            f"metric hold together with {100 * (1 - self.alpha):g}%.{small}"
        )

    def as_json(self) -> dict[str, Any]:
        """Per metric a list of slices, and what the intervals promise."""
        keys = ("tag", "value", "low", "high", "n", "failed", "method", "level")
        return {
            "metrics": {
                name: [{key: getattr(one, key) for key in keys} for one in slices]
                for name, slices in self.by_metric.items()
            },
            "looked_at": self.looked_at,
            "too_small": self.too_small,
            "fewest": self.fewest,
            "statement": self.statement,
        }


def slice_by_tag(
    scores: Mapping[str, CaseScores],
    tags: Mapping[str, Indexes],
    clusters: Indexes,
    *,
    fewest: int = 20,
    alpha: float = 0.05,
) -> Slices:
    """Every metric over every tag that has `fewest` cases or more; a tag all cases have is no slice."""
    sizes = {tag: len(cases) for tag, cases in tags.items() if len(cases) < len(clusters)}
    large = [tag for tag, size in sizes.items() if size >= fewest]
    found: dict[str, tuple[Slice, ...]] = {}
    marks = {}
    for tag in large:
        marks[tag] = np.zeros(len(clusters), dtype=bool)
        marks[tag][tags[tag]] = True
    for metric, column in scores.items():
        inside = {tag: marks[tag][column.cases] for tag in large}
        parts = [
            _slice(metric, tag, column.only(keep), clusters, alpha=alpha / len(large))
            for tag, keep in inside.items()
            if int(keep.sum()) >= fewest
        ]
        if parts:
            found[metric] = tuple(sorted(parts, key=lambda one: (one.value, one.tag)))
    return Slices(found, len(large), len(sizes) - len(large), fewest, alpha)


def _slice(metric: str, tag: str, scores: CaseScores, clusters: Indexes, *, alpha: float) -> Slice:
    codes = clusters[scores.cases]
    low = mean_interval(scores.worst, clusters=codes, alpha=alpha)
    high = mean_interval(scores.best, clusters=codes, alpha=alpha) if scores.unscored.any() else low
    failed = int((scores.errors | scores.unscored).sum())
    return Slice(tag, metric, low.value, low.low, high.high, len(codes), failed, low.method, 1 - alpha)


def _tags(number: int) -> str:
    return f"{number:,} tag" if number == 1 else f"{number:,} tags"
