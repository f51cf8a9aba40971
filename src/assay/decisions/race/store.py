"""Races in the ledger: opened before the first call, rewritten as they go, found again to be gone on with.

A race is known by the digest of all that it is (designs, set, metric, budget): the same one again is the same race.
Proved by `tests/unit/decisions/race/test_store.py` on both databases.
"""

import json
import secrets
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal

import sqlalchemy as sa
from sqlalchemy.engine import Row

from assay.decisions.tables import race as table
from assay.errors import BadInput, NotFound
from assay.ledger.claim import is_claimed
from assay.ledger.database import Database

RaceStatus = Literal["running", "done", "interrupted", "budget", "failed"]


@dataclass(frozen=True, slots=True)
class RaceRecord:
    """A race as it stands. `view` is what its page and `--json` show."""

    id: str
    created_ns: int
    finished_ns: int | None
    status: RaceStatus
    set_name: str
    digest: str
    decision_id: str | None
    view: Mapping[str, Any]


class Races:
    """Every race of a workspace. Safe to share between threads and processes."""

    def __init__(self, database: Database) -> None:
        self.database = database

    def find(self, digest: str) -> RaceRecord | None:
        """The newest race of this digest."""
        query = sa.select(table).where(table.c.digest == digest).order_by(table.c.created_ns.desc()).limit(1)
        with self.database.read() as connection:
            row = connection.execute(query).first()
        return self._record(row) if row else None

    def open(self, *, set_name: str, digest: str, view: Mapping[str, Any], race_id: str | None = None) -> RaceRecord:
        """Write a new race down, running."""
        made, now = race_id or secrets.token_hex(16), time.time_ns()
        shape = {**view, "race_id": made, "status": "running", "created_ns": now, "finished_ns": None}
        with self.database.write() as connection:
            connection.execute(
                table.insert().values(
                    id=made,
                    created_ns=now,
                    status="running",
                    set_name=set_name,
                    digest=digest,
                    view=json.dumps(shape, allow_nan=False),
                )
            )
        return self.get(made)

    def update(
        self,
        race_id: str,
        *,
        view: Mapping[str, Any] | None = None,
        status: RaceStatus | None = None,
        decision_id: str | None = None,
    ) -> None:
        """Rewrite what is given. A status that ends a race stamps when."""
        values: dict[str, Any] = {}
        if view is not None:
            values["view"] = json.dumps(dict(view), allow_nan=False)
        if status is not None:
            values["status"] = status
            values["finished_ns"] = time.time_ns() if status in ("done", "failed") else None
        if decision_id is not None:
            values["decision_id"] = decision_id
        if values:
            with self.database.write() as connection:
                connection.execute(table.update().where(table.c.id == race_id).values(**values))

    def get(self, race_id: str) -> RaceRecord:
        """The race whose id is or begins so. Raises NotFound, or BadInput where several begin so."""
        prefix = race_id.strip().lower()
        if not prefix or set(prefix) - set("0123456789abcdef"):
            raise BadInput(f"{race_id!r} is not the id of a race.", hint="Run `assay races` to see them.")
        query = sa.select(table).where(table.c.id.startswith(prefix)).order_by(table.c.id).limit(2)
        with self.database.read() as connection:
            rows = connection.execute(query).all()
        if not rows:
            raise NotFound(f"There is no race {race_id}.", hint="Run `assay races` to see them.")
        if len(rows) > 1 and rows[0].id != prefix:
            raise BadInput(f"Several races begin with {prefix}.", hint="Give more digits.")
        return self._record(rows[0])

    def list(self, limit: int = 50) -> list[RaceRecord]:
        """The newest races first."""
        query = sa.select(table).order_by(table.c.created_ns.desc(), table.c.id).limit(limit)
        with self.database.read() as connection:
            rows = connection.execute(query).all()
        return [self._record(row) for row in rows]

    def _record(self, row: Row[Any]) -> RaceRecord:
        view = json.loads(row.view)
        found = RaceRecord(
            id=row.id,
            created_ns=row.created_ns,
            finished_ns=row.finished_ns,
            status=row.status,
            set_name=row.set_name,
            digest=row.digest,
            decision_id=row.decision_id,
            view={**view, "status": row.status, "created_ns": row.created_ns, "finished_ns": row.finished_ns},
        )
        if found.status == "running" and not is_claimed(self.database, claim_name(found.digest)):
            # Its process was killed: nobody holds it.
            return replace(found, status="interrupted", view={**found.view, "status": "interrupted"})
        return found


def claim_name(digest: str) -> str:
    """What a process that runs this race holds."""
    return f"race-{digest[:24]}"
