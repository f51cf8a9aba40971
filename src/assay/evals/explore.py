"""Which cases to look at first, and what became of each: for the report, the page and the terminal.

Invariant: every case of a run has exactly one outcome and one place in the order.
"""

from collections.abc import Mapping, Sequence
from typing import Literal

import numpy as np

from assay.evals.case import Case
from assay.evals.columns import Columns
from assay.evals.result import Result
from assay.evals.scorer import Score

CORRECTNESS = ("token_f1", "exact_match", "rubric", "g_eval", "declined_when_it_should")
"""What says whether a case was answered rightly: the first of these it has."""

Outcome = Literal[
    "failed", "answered unanswerable", "declined answerable", "wrong", "partly right", "right", "declined rightly",
    "not judged", "retrieved",
]  # fmt: skip
OUTCOMES: tuple[Outcome, ...] = (
    "failed", "answered unanswerable", "declined answerable", "wrong", "partly right", "not judged", "retrieved",
    "right", "declined rightly",
)  # fmt: skip
"""Worst first."""


def outcome_of(case: Case, result: Result) -> Outcome:
    """What became of a case. An answer is right at a correctness of 1, wrong at 0, and partly right between them."""
    output = result.output
    if result.error or output is None:
        return "failed"
    if not case.answerable and (output.declined or output.text):
        return "declined rightly" if output.declined else "answered unanswerable"
    if output.declined:
        return "declined answerable"
    value = correctness_of(result.scores)
    if value is None:
        return "not judged" if output.text else "retrieved"
    return "right" if value >= 1 else "wrong" if value <= 0 else "partly right"


def correctness_of(scores: Mapping[str, Score], metrics: Sequence[str] = CORRECTNESS) -> float | None:
    """The first score that says whether the answer is right; None where none does or the judge failed."""
    return next((scores[name].value for name in metrics if name in scores), None)


def worst_first(columns: Columns, metrics: Sequence[str] = CORRECTNESS) -> list[int]:
    """Ordinals of all cases: where the system failed, then by correctness, then by the mean of all scores.

    A case without correctness is placed by its mean. What a judge failed to score counts as 0.
    """
    count = columns.count
    total, scored = np.zeros(count), np.zeros(count)
    for name in columns.metrics:
        scores = columns.scores(name)
        total[scores.cases] += scores.worst
        scored[scores.cases] += 1
    mean = np.divide(total, scored, out=np.zeros(count), where=scored > 0)
    first = np.full(count, np.nan)
    for name in metrics:
        if name in columns.metrics:
            scores = columns.scores(name)
            new = np.isnan(first[scores.cases])
            first[scores.cases[new]] = scores.worst[new]
    failed = np.zeros(count, dtype=bool)
    failed[columns.failed_cases] = True
    ordinals = np.frombuffer(columns.ordinals, dtype=np.int64) if count else np.zeros(0, dtype=np.int64)
    order = np.lexsort((ordinals, mean, np.where(np.isnan(first), mean, first), ~failed))
    return [int(ordinal) for ordinal in ordinals[order]]
