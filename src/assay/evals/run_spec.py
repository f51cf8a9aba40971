"""What a run measures: the system, the cases, the scorers. Its digest is what resuming matches."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

from assay.evals.scorer import AGAINST, Scorer

Status = Literal["running", "done", "budget", "interrupted", "failed", "stopped"]
"""`stopped`: whoever asked for the run has seen enough (a decision was reached); it can be gone on with."""

SHOWN = "shown"
"""Of a run's details: the metrics that were asked for by name."""


@dataclass(frozen=True, slots=True)
class RunSpec:
    """What is measured on what by what. `digest` is what resuming matches; `details` is for people and not in it.

    `scorers` describe themselves (see `described`). Without a `subject`, the system's name and its `identity` (a digest
    of what can be known of it, such as its source) stand for it.
    """

    system: str
    subject: str | None
    kind: str
    set_digest: str
    set_name: str
    cases: int
    replicas: int
    scorers: tuple[Mapping[str, Any], ...]
    details: Mapping[str, Any] = field(default_factory=dict)
    identity: str = ""

    @property
    def digest(self) -> str:
        """SHA-256 (hex) of system, cases, scorers and replicas."""
        scorers = sorted(scorer["digest"] for scorer in self.scorers)
        system = self.subject or ["named", self.system, self.identity]
        what = [system, self.kind, self.set_digest, self.replicas, scorers]
        return hashlib.sha256(json.dumps(what).encode()).hexdigest()


def described(scorer: Scorer) -> dict[str, Any]:
    """A scorer as a run records it: metrics, digest, its judge with the last check, and whom it compares with."""
    opponent = getattr(scorer, "opponent", None)
    return {
        "metrics": list(scorer.metrics),
        "digest": scorer.digest,
        "judge": asdict(scorer.judge) if scorer.judge else None,
        **({AGAINST: opponent.as_json()} if opponent else {}),
    }
