"""A gate for every pull request: not worse than the baseline by more than a margin, or it does not pass.

A fixed number of cases, one look, one interval with each limit at `alpha`. The error rate is that of one gate run: what
is to be served is decided by `assay try`, which counts every question it ever asks of a set.
Invariant: 0 only where the lower limit lies above -margin, 1 only where the upper limit lies below it; a gate never
passes for lack of evidence. Proved by `tests/unit/decisions/test_gate.py`.
"""

from dataclasses import dataclass
from enum import IntEnum
from typing import Any

from assay.decisions.compare import Scored, compare, comparison_shape
from assay.decisions.comparison import Comparison
from assay.decisions.figures import points
from assay.decisions.hypothesis import Margins, Objective
from assay.decisions.joint import Joint, joint
from assay.decisions.needed import further_cases
from assay.decisions.rules import read_verdict
from assay.errors import BadInput
from assay.stats.verdict import Verdict

OBJECTIVE: Objective = "not_worse"


class Passing(IntEnum):
    """Exit codes of `assay gate`."""

    PASSED = 0
    WORSE = 1
    NOT_SHOWN = 2


@dataclass(frozen=True, slots=True)
class Called:
    """What a gate's sides and metric are called, for people."""

    incumbent: str = "baseline"
    candidate: str = "candidate"
    metric: str = "score"


@dataclass(frozen=True, slots=True)
class Gate:
    """A comparison held against a margin. `needed` counts further cases that would show it; None: not known."""

    comparison: Comparison
    margins: Margins
    alpha: float
    joint: Joint
    passing: Passing
    needed: int | None
    called: Called = Called()

    @property
    def verdict(self) -> Verdict:
        """PROMOTE, NOT_WORSE, WORSE, NOT_BETTER or UNDECIDED."""
        return self.joint.verdict

    def as_json(self) -> dict[str, Any]:
        """The shared object of `assay try --json`, with the exit code."""
        shape = comparison_shape(self.comparison)
        return {
            **shape,
            "verdict": str(self.verdict),
            "alpha": self.alpha,
            "margin": self.margins.margin,
            "smallest": self.margins.smallest,
            "needed": self.needed,
            "quality": str(self.joint.quality),
            "reasons": list(self.joint.reasons),
            "exit_code": int(self.passing),
            "metric": self.called.metric,
            "sentence": self.sentence(),
        }

    def sentence(self) -> str:
        """What was found, in words."""
        difference, margin = self.comparison.difference, f"{100 * self.margins.margin:g} points"
        where = f"{points(difference.value)} points ({points(difference.low)} to {points(difference.high)}), on "
        where += f"{self.comparison.n:,} cases"
        if self.comparison.clusters is not None:
            where += f" in {self.comparison.clusters:,} clusters"
        if self.passing is Passing.WORSE:
            return f"Worse by more than the margin of {margin}: {where}."
        if self.passing is Passing.PASSED:
            better = self.verdict is Verdict.PROMOTE
            return f"{'Better' if better else f'Not worse by more than {margin}'}: {where}."
        lacking = self.comparison.unpaired.incumbent
        if lacking:
            return f"{lacking:,} cases of the baseline have no result in the candidate, so nothing is shown: {where}."
        said = f"Not shown to be within the margin of {margin}: {where}."
        if self.joint.reasons and self.joint.quality in (Verdict.PROMOTE, Verdict.NOT_WORSE):
            said = f"Quality holds ({where}), but not all of the rest: {'; '.join(self.joint.reasons)}."
        elif self.needed:
            said += f" About {self.needed:,} more cases like these would show it, if nothing changed in truth."
        return said


def gate(
    baseline: list[Scored],
    candidate: list[Scored],
    *,
    margins: Margins,
    alpha: float = 0.05,
    called: Called = Called(),
) -> Gate:
    """Hold `candidate` against `baseline`. Raises BadInput as `compare` does, and for scores that are not in 0 to 1."""
    comparison = compare(baseline, candidate, alpha=2 * alpha, margin=margins.margin)
    if not comparison.unit_scale:
        raise BadInput(
            "A gate needs scores between 0 and 1: its margin is in points of 100.",
            hint="Rescale the scores, or use assay compare.",
        )
    difference = comparison.difference
    quality = read_verdict(difference.low, difference.high, margins, OBJECTIVE)
    joined = _held(quality, comparison, margins)
    lacking = comparison.unpaired.incumbent
    if difference.high < -margins.margin:
        passing = Passing.WORSE
    elif lacking:
        # A run that broke off half-way must not pass for what it did before.
        passing = Passing.NOT_SHOWN
    elif joined.verdict in (Verdict.PROMOTE, Verdict.NOT_WORSE):
        passing = Passing.PASSED
    else:
        passing = Passing.NOT_SHOWN
    return Gate(comparison, margins, alpha, joined, passing, _needed(comparison, margins), called)


def _held(quality: Verdict, comparison: Comparison, margins: Margins) -> Joint:
    """Cost and latency with a stated margin must hold for a pass too."""
    shown = joint(
        Verdict.PROMOTE if quality is Verdict.NOT_WORSE else quality,
        cost=comparison.cost,
        latency=comparison.latency,
        margins=margins,
        objective="better",
    )
    passes = quality in (Verdict.PROMOTE, Verdict.NOT_WORSE)
    verdict = quality if not passes or shown.promotable else shown.verdict
    return Joint(verdict, quality, passes and shown.promotable, shown.reasons)


def _needed(comparison: Comparison, margins: Margins) -> int | None:
    """Further cases until a true difference of 0 would be shown to be within the margin, 4 times in 5."""
    if comparison.difference.low > -margins.margin:
        return 0
    return further_cases(comparison.difference, comparison.n, effect=margins.margin)
