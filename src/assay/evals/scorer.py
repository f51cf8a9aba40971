"""A scorer: case and output in, scores in [0, 1] out. With a model (a judge) or without.

Invariants: a metric that does not apply to a case (exact match without reference answers) is absent from the result and
not in that metric's denominator; a scorer that *failed* says so and stays in the denominator as bounds.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol, runtime_checkable

from assay.evals.case import Case
from assay.evals.output import Output

AGAINST, ORDERS_AGREE = "against", "orders_agree"
"""Details of a score that compares two answers: with whose, and whether both orders gave the same verdict."""


@dataclass(frozen=True, slots=True)
class Gold:
    """Evidence of a case resolved in the corpus: characters `start` to `end` of `document`, and their `quote`.

    `document` is the corpus's own source name. Offsets are None where the text of the document is not at hand (a
    foreign system): then `quote` is all there is. An empty quote without offsets stands for the whole document.
    """

    document: str
    quote: str = ""
    start: int | None = None
    end: int | None = None
    grade: int = 1


@dataclass(frozen=True, slots=True)
class Score:
    """One metric of one case. `value` is None where the scorer failed (`error` says how, in one line).

    `reasoning` is the judge's own words, untrusted text. `details` are what the page shows (statements, verdicts).
    """

    value: float | None
    error: str = ""
    reasoning: str = ""
    details: Mapping[str, Any] = field(default_factory=dict)


@runtime_checkable
class Scorer(Protocol):
    """Scores one case. `metrics` are the names it may return; `digest` names everything that can change a score
    (definition, version, judge's model, prompts). Judges' `judge` describes the instrument, None for formulas.

    A judge applies to every case unless it has `applies_to(case)`; one that compares with an `opponent` names it.
    """

    digest: str
    judge: "Instrument | None"

    @property
    def metrics(self) -> tuple[str, ...]: ...

    async def score(self, case: Case, output: Output, gold: tuple[Gold, ...]) -> Mapping[str, Score]:
        """Scores by metric name; absent where the metric does not apply. Never raises for what a judge replied:
        that is a Score without a value."""
        ...


@dataclass(frozen=True, slots=True)
class Instrument:
    """A judge as a measuring instrument: its model, the digests of its prompts, and its last check against people."""

    name: str
    model: str
    prompts: Mapping[str, str]
    last_check: str = ""
