"""Decisions in the ledger: opened with their hypothesis before the first result, resumed, closed, read back.

Invariant: a question is opened once; the same one again finds the same decision, finished or not, so asking twice
spends nothing and changes nothing. Proved by `tests/unit/decisions/test_register.py` on both databases.
"""

import json
import secrets
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import sqlalchemy as sa
from sqlalchemy.engine import Row

from assay.decisions.hypothesis import Hypothesis, hypothesis_from
from assay.decisions.tables import decision as table
from assay.errors import BadInput, NotFound
from assay.ledger.claim import is_claimed
from assay.ledger.database import Database

DecisionStatus = Literal["running", "done", "interrupted", "budget", "abandoned"]
Support = Literal["REFERENCE-BASED", "JUDGE-SUPPORTED", "HUMAN-CALIBRATED"]
"""What a verdict on quality rests on: reference answers, a judge alone, or a person's labels on this candidate."""


@dataclass(frozen=True, slots=True)
class Decision:
    """A decision as it stands. `outcome` is the shared object of `assay try --json`, None before the first result.

    `details` holds what is needed to run it again: both systems, the settings of each, the command.
    """

    id: str
    created_ns: int
    finished_ns: int | None
    status: DecisionStatus
    hypothesis: Hypothesis
    incumbent_run: str | None
    candidate_run: str | None
    verdict: str | None
    support: Support | None
    outcome: Mapping[str, Any] | None
    details: Mapping[str, Any]

    @property
    def set_name(self) -> str:
        """The set of cases it is decided on."""
        return self.hypothesis.set_name


class Register:
    """Every decision of a workspace. Safe to share between threads and processes."""

    def __init__(self, database: Database) -> None:
        self.database = database

    def find(self, question_digest: str) -> Decision | None:
        """The newest decision on this question (`Hypothesis.question_digest`) that was not abandoned."""
        query = sa.select(table).where(table.c.question_digest == question_digest, table.c.status != "abandoned")
        with self.database.read() as connection:
            row = connection.execute(query.order_by(table.c.created_ns.desc()).limit(1)).first()
        return _decision(row) if row else None

    def open(self, hypothesis: Hypothesis, *, details: Mapping[str, Any], decision_id: str | None = None) -> Decision:
        """Write a new decision down, running. Nothing of its hypothesis can change from here on."""
        made = decision_id or secrets.token_hex(16)
        with self.database.write() as connection:
            connection.execute(
                table.insert().values(
                    id=made,
                    created_ns=time.time_ns(),
                    status="running",
                    set_name=hypothesis.set_name,
                    season=hypothesis.season,
                    hypothesis=json.dumps(hypothesis.as_json()),
                    hypothesis_digest=hypothesis.digest,
                    question_digest=hypothesis.question_digest,
                    details=json.dumps(dict(details)),
                )
            )
        return self.get(made)

    def update(self, decision_id: str, **values: Any) -> None:
        """Change columns of a decision: `status`, `verdict`, `support`, `outcome` (a mapping), runs, `finished_ns`."""
        if values.get("outcome") is not None:
            values["outcome"] = json.dumps(dict(values["outcome"]), allow_nan=False)
        if values.get("details") is not None:
            values["details"] = json.dumps(dict(values["details"]), allow_nan=False)
        with self.database.write() as connection:
            connection.execute(table.update().where(table.c.id == decision_id).values(**values))

    def get(self, decision_id: str) -> Decision:
        """The decision whose id is or begins so. Raises NotFound, or BadInput where several begin so."""
        prefix = decision_id.strip().lower()
        if not prefix or set(prefix) - set("0123456789abcdef"):
            raise BadInput(f"{decision_id!r} is not the id of a decision.", hint="Run `assay decisions` to see them.")
        query = sa.select(table).where(table.c.id.startswith(prefix)).order_by(table.c.id).limit(2)
        with self.database.read() as connection:
            rows = connection.execute(query).all()
        if not rows:
            raise NotFound(f"There is no decision {decision_id}.", hint="Run `assay decisions` to see them.")
        if len(rows) > 1 and rows[0].id != prefix:
            raise BadInput(f"Several decisions begin with {prefix}.", hint="Give more digits.")
        return _decision(rows[0])

    def state(self, decision: Decision) -> DecisionStatus:
        """How a decision stands: one that says it is running and that no process is at was interrupted."""
        if decision.status == "running" and not is_claimed(self.database, claim_of(decision.hypothesis)):
            # It may have finished between the two questions.
            now = self.get(decision.id).status
            return "interrupted" if now == "running" else now
        return decision.status

    def list(self, limit: int = 50, *, set_name: str | None = None, season: int | None = None) -> list[Decision]:
        """The newest decisions first."""
        query = sa.select(table).order_by(table.c.created_ns.desc(), table.c.id).limit(limit)
        if set_name is not None:
            query = query.where(table.c.set_name == set_name)
        if season is not None:
            query = query.where(table.c.season == season)
        with self.database.read() as connection:
            return [_decision(row) for row in connection.execute(query)]


def claim_of(hypothesis: Hypothesis) -> str:
    """What a process that works on this question holds (see `ledger.claim`)."""
    return f"decision-{hypothesis.question_digest[:24]}"


def _decision(row: Row[Any]) -> Decision:
    return Decision(
        id=row.id,
        created_ns=row.created_ns,
        finished_ns=row.finished_ns,
        status=row.status,
        hypothesis=hypothesis_from(json.loads(row.hypothesis)),
        incumbent_run=row.incumbent_run,
        candidate_run=row.candidate_run,
        verdict=row.verdict,
        support=row.support,
        outcome=json.loads(row.outcome) if row.outcome else None,
        details=json.loads(row.details),
    )
