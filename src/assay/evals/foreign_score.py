"""A score that another tool gave: the one shape its importers make, and what scoreboards and comparisons take."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from math import nan
from pathlib import Path
from typing import Any

from assay.errors import BadInput
from assay.evals.columns import Row

DEFAULT_METRIC = "score"


@dataclass(frozen=True, slots=True)
class ForeignScore:
    """One metric of one answer. `score` None: it could not be scored; with `error`, the system failed.

    `cost_usd` and `latency_ms` are None where unknown. `replica` counts answers to the same case from 0.
    """

    case: str
    score: float | None
    metric: str = DEFAULT_METRIC
    replica: int = 0
    cluster: str = ""
    tags: tuple[str, ...] = ()
    cost_usd: float | None = None
    latency_ms: float | None = None
    error: str = ""


def rows_of_scores(scores: Iterable[ForeignScore]) -> list[Row]:
    """Scores as `scoreboard` takes them, one row an answer. Raises BadInput for one that is not from 0 to 1."""
    ordinals: dict[str, int] = {}
    found: dict[tuple[str, int], dict[str, Any]] = {}
    for score in scores:
        if score.score is not None and not 0 <= score.score <= 1:
            raise BadInput(
                f"{score.metric} of case {score.case} is {score.score:g}; a scoreboard shows scores from 0 to 1.",
                hint="Divide by the largest possible score.",
            )
        ordinal = ordinals.setdefault(score.case, len(ordinals))
        row = found.setdefault((score.case, score.replica), {"ordinal": ordinal, "scores": {}, "latency_ms": nan})
        if not _is_failure(score):
            row["scores"][score.metric] = score.score
        row |= {"cluster": score.cluster or row.get("cluster", ""), "tags": score.tags or row.get("tags", ())}
        row["error"] = score.error or row.get("error", "")
        row["cost_usd"] = row.get("cost_usd") if score.cost_usd is None else score.cost_usd
        row["latency_ms"] = row["latency_ms"] if score.latency_ms is None else score.latency_ms
    return [Row(case_id=case, replica=replica, **row) for (case, replica), row in found.items()]


def metrics_of(scores: Iterable[ForeignScore]) -> list[str]:
    """Names of the metrics, in the order they appear; what failed has none."""
    return list(dict.fromkeys(score.metric for score in scores if not _is_failure(score)))


def lines_of(scores: Iterable[ForeignScore], metric: str) -> list[Mapping[str, Any]]:
    """One line a case for `assay compare`: replicas averaged, null where one of them failed. Raises BadInput (none)."""
    by_case: dict[str, list[ForeignScore]] = {}
    scores = list(scores)
    for score in scores:
        if _is_failure(score) or score.metric == metric:
            by_case.setdefault(score.case, []).append(score)
    if metric not in (known := metrics_of(scores)):
        raise BadInput(f"There is no metric {metric!r}.", hint=f"Choose one of: {', '.join(known) or 'none'}.")
    return [_line(case, some, metric) for case, some in by_case.items()]


def write_lines(path: Path, scores: Iterable[ForeignScore], metric: str) -> int:
    """Write `lines_of` as a JSONL file; how many."""
    lines = lines_of(scores, metric)
    with path.open("w", encoding="utf-8", newline="\n") as file:
        file.writelines(json.dumps(line, ensure_ascii=False) + "\n" for line in lines)
    return len(lines)


def _is_failure(score: ForeignScore) -> bool:
    """Whether the system failed, which is a fact about the answer and about no metric."""
    return bool(score.error) and score.score is None


def _line(case: str, some: list[ForeignScore], metric: str) -> dict[str, Any]:
    errors = [score.error for score in some if score.error]
    line: dict[str, Any] = {"case": case, "score": _mean([score.score for score in some]), "metric": metric}
    if some[0].cluster:
        line["cluster"] = some[0].cluster
    for name, values in (
        ("cost_usd", [score.cost_usd for score in some]),
        ("latency_ms", [score.latency_ms for score in some]),
    ):
        if (mean := _mean(values)) is not None:
            line[name] = mean
    return line | ({"error": errors[0]} if errors else {})


def _mean(values: list[float | None]) -> float | None:
    there = [value for value in values if value is not None]
    return sum(there) / len(there) if there and len(there) == len(values) else None
