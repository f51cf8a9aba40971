"""What the decision pages show, read from the ledger: the decision, its budget, its releases, questions to read.

Invariant: no confirm question's answers or scores get into a view. Questions to read come from the runs on dev
questions alone, and each is asked of the split again before it is shown.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from assay.decisions.evidence_budget import Standing
from assay.decisions.register import Decision
from assay.decisions.releases import Release
from assay.evals.case import Case
from assay.evals.result import Result
from assay.evals.runs import RunRecord

State = str
"""`running`, `done`, `interrupted` (also one whose process died), `budget` or `abandoned`."""


@dataclass(frozen=True, slots=True)
class DevPair:
    """A dev question as both systems answered it; a score is None where the metric says nothing about it."""

    case: Case
    incumbent: Result
    candidate: Result
    scores: tuple[float | None, float | None]

    @property
    def difference(self) -> float:
        """Candidate minus incumbent; 0 where either is not scored."""
        before, after = self.scores
        return 0.0 if before is None or after is None else after - before


@dataclass(frozen=True, slots=True)
class DevReading:
    """The dev questions both systems answered, biggest differences first, and the two runs they are of."""

    pairs: Sequence[DevPair]
    runs: tuple[str, str]

    @property
    def won(self) -> int:
        """Questions the candidate answered better."""
        return sum(pair.difference > 0 for pair in self.pairs)

    @property
    def lost(self) -> int:
        """Questions it answered worse."""
        return sum(pair.difference < 0 for pair in self.pairs)


@dataclass(frozen=True, slots=True)
class DecisionView:
    """A decision to be shown. `budget` is that of its set and season now; `runs` are its incumbent's, candidate's."""

    decision: Decision
    state: State
    budget: Standing
    releases: Sequence[Release] = ()
    live_release: str | None = None
    runs: tuple[RunRecord | None, RunRecord | None] = (None, None)
    command: str = ""
    changes: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)

    @property
    def outcome(self) -> Mapping[str, Any]:
        """The shared object; empty before the first result."""
        return self.decision.outcome or {}

    @property
    def word(self) -> str:
        """The verdict, or the state where there is none."""
        return self.decision.verdict or self.state if self.state == "done" else self.state


@dataclass(frozen=True, slots=True)
class Checked:
    """What folding the results again says; `problem` where it cannot be done."""

    agrees: bool
    written: str = ""
    replayed: str = ""
    n: int = 0
    wins: int = 0
    losses: int = 0
    problem: str = ""
