"""Releases in the ledger: what serves, since when, and the verdict that put it there.

Releases and the log of what served are only ever added to: a rollback is another line of the log, not an erasure.
Invariants: a release without a supporting verdict says so for ever; lines of the log have one order, whoever writes at
the same time; a line that was decided on an older state of the log is refused, not appended.
Proved by `tests/unit/decisions/test_releases.py` on both databases.
"""

import json
import secrets
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import sqlalchemy as sa
from sqlalchemy.engine import Connection, Row

from assay.decisions.served import Served, served_from
from assay.decisions.tables import release as release_table
from assay.decisions.tables import release_live as log_table
from assay.errors import BadInput, Conflict, NotFound
from assay.ledger.database import Database

Action = Literal["promote", "rollback"]

FIRST = "serving before the first release"
"""Why release zero is there: so that the first promotion can be rolled back."""

_NAME_IT = "Run `assay releases` to see them."


@dataclass(frozen=True, slots=True)
class Draft:
    """A release to be. `because` is a person's reason; `verdict` what the decision said, which may support nothing."""

    served: Served
    because: str = ""
    decision_id: str | None = None
    verdict: str | None = None
    without_evidence: bool = True


@dataclass(frozen=True, slots=True)
class Release:
    """What served at some time, and why. Times are nanoseconds since 1970."""

    id: str
    created_ns: int
    served: Served
    because: str
    decision_id: str | None
    verdict: str | None
    without_evidence: bool


@dataclass(frozen=True, slots=True)
class Line:
    """A line of the log: from `at_ns` on `release_id` served. `ordinal` counts from 1."""

    ordinal: int
    release_id: str
    action: Action
    because: str
    at_ns: int


class Releases:
    """Every release of a workspace. Safe to share between threads and processes."""

    def __init__(self, database: Database) -> None:
        self.database = database

    def ordinal(self) -> int:
        """The number of the newest line of the log, 0 where nothing was released. Cheap: for asking every second."""
        with self.database.read() as connection:
            return _newest(connection)

    def live(self) -> Release | None:
        """What serves; None before the first release."""
        with self.database.read() as connection:
            lines = _lines(connection, limit=1)
            return _releases(connection, [lines[0].release_id])[0] if lines else None

    def live_own(self) -> Release | None:
        """The newest of Assay's own in the log: what `assay up` serves, also where a user's own system is live."""
        with self.database.read() as connection:
            # A user's own system says what it is in its settings; there are few of them, and few lines.
            for line in _lines(connection):
                found = _releases(connection, [line.release_id])[0]
                if found.served.is_own:
                    return found
        return None

    def get(self, release_id: str) -> Release:
        """The release whose id is or begins so. Raises NotFound, or BadInput where several begin so."""
        prefix = release_id.strip().lower()
        if not prefix or set(prefix) - set("0123456789abcdef"):
            raise BadInput(f"{release_id!r} is not the id of a release.", hint=_NAME_IT)
        query = sa.select(release_table).where(release_table.c.id.startswith(prefix)).limit(2)
        with self.database.read() as connection:
            rows = connection.execute(query.order_by(release_table.c.id)).all()
        if not rows:
            raise NotFound(f"There is no release {release_id}.", hint=_NAME_IT)
        if len(rows) > 1 and rows[0].id != prefix:
            raise BadInput(f"Several releases begin with {prefix}.", hint="Give more digits.")
        return _release(rows[0])

    def log(self, limit: int | None = None) -> list[Line]:
        """What served, the newest line first."""
        with self.database.read() as connection:
            return _lines(connection, limit=limit)

    def list(self, limit: int = 50) -> list[Release]:
        """The newest releases first."""
        order = (release_table.c.created_ns.desc(), release_table.c.id)
        with self.database.read() as connection:
            return [_release(row) for row in connection.execute(sa.select(release_table).order_by(*order).limit(limit))]

    def promote(self, draft: Draft, *, before: Served | None = None, seen: int | None = None) -> Release | None:
        """Make `draft` what serves; None, and nothing written, where the same serves already.

        `before` is what serves where nothing was released yet: it becomes release zero. With `seen`, the `ordinal` that
        the evidence was read at, Conflict where the log has moved on. The release of a decision that was promoted
        before, on its evidence, serves again under its old id.
        """
        if draft.without_evidence and not draft.because.strip():
            raise ValueError("a release without evidence needs a reason")
        with self.database.write() as connection:
            newest = self._locked(connection, seen)
            if newest:
                live = _releases(connection, [_lines(connection, limit=1)[0].release_id])[0].served
                if live.same_as(draft.served):
                    return None
            elif before is not None:
                if before.same_as(draft.served):
                    return None
                zero = _insert(connection, Draft(before, FIRST))
                newest = _append(connection, 0, zero.id, "promote", FIRST)
            made = _promoted_before(connection, draft) or _insert(connection, draft)
            _append(connection, newest, made.id, "promote", draft.because)
            return made

    def rollback(
        self, release_id: str | None = None, *, because: str = "", seen: int | None = None
    ) -> tuple[Release, bool]:
        """What serves from now on: the release `release_id`, or the one that served before; and whether it is new.

        False where it is live already, and nothing was written. Raises NotFound where there is none before it, and as
        `get` and `promote` do.
        """
        named = self.get(release_id).id if release_id is not None else None
        with self.database.write() as connection:
            newest = self._locked(connection, seen)
            served = still_there(_lines(connection))
            if not served:
                raise NotFound("Nothing was released yet.", hint="assay promote makes the first release.")
            if named is None and len(served) == 1:
                raise NotFound(
                    f"Nothing served before release {served[0][:8]}.", hint="Name a release: assay rollback RELEASE"
                )
            target = named or served[-2]
            release = _releases(connection, [target])[0]
            if target == served[-1]:
                return release, False
            _append(connection, newest, target, "rollback", because)
            return release, True

    def _locked(self, connection: Connection, seen: int | None) -> int:
        """The number of the newest line, which stays the newest until this transaction ends."""
        if not self.database.is_sqlite:  # SQLite's write transactions exclude each other by themselves
            connection.execute(sa.select(sa.func.pg_advisory_xact_lock(sa.func.hashtext("release_live"))))
        newest = _newest(connection)
        if seen is not None and seen != newest:
            raise Conflict("Something else was released in this moment.", hint="Look at `assay releases`, and decide.")
        return newest


def still_there(newest_first: Sequence[Line]) -> list[str]:
    """The releases that rolling back step by step would pass, the live one last.

    A promotion goes on top; a rollback takes away what lies above its release, so that two rollbacks go two steps back
    and not there and back again.
    """
    stack: list[str] = []
    for line in reversed(newest_first):
        if line.action == "rollback" and line.release_id in stack:
            while stack[-1] != line.release_id:
                stack.pop()
        else:
            stack.append(line.release_id)
    return stack


def _newest(connection: Connection) -> int:
    return connection.execute(sa.select(sa.func.max(log_table.c.ordinal))).scalar() or 0


def _lines(connection: Connection, *, limit: int | None = None) -> list[Line]:
    rows = connection.execute(sa.select(log_table).order_by(log_table.c.ordinal.desc()).limit(limit))
    return [Line(row.ordinal, row.release_id, row.action, row.because, row.at_ns) for row in rows]


def _releases(connection: Connection, ids: Sequence[str]) -> list[Release]:
    rows = {row.id: row for row in connection.execute(sa.select(release_table).where(release_table.c.id.in_(ids)))}
    return [_release(rows[release_id]) for release_id in ids]


def _promoted_before(connection: Connection, draft: Draft) -> Release | None:
    if draft.decision_id is None or draft.without_evidence:
        return None
    wanted = (release_table.c.decision_id == draft.decision_id) & ~release_table.c.without_evidence
    row = connection.execute(sa.select(release_table).where(wanted).limit(1)).first()
    return _release(row) if row else None


def _insert(connection: Connection, draft: Draft) -> Release:
    made = secrets.token_hex(16)
    served = draft.served
    connection.execute(
        release_table.insert().values(
            id=made,
            created_ns=time.time_ns(),
            system=served.name,
            subject=served.subject,
            settings=json.dumps(served.as_json(), allow_nan=False),
            prompts=json.dumps(dict(served.prompts)),
            decision_id=draft.decision_id,
            verdict=draft.verdict,
            because=draft.because,
            without_evidence=draft.without_evidence,
        )
    )
    return _releases(connection, [made])[0]


def _append(connection: Connection, newest: int, release_id: str, action: Action, because: str) -> int:
    ordinal = newest + 1
    connection.execute(
        log_table.insert().values(
            ordinal=ordinal, release_id=release_id, action=action, because=because, at_ns=time.time_ns()
        )
    )
    return ordinal


def _release(row: Row[Any]) -> Release:
    shape = json.loads(row.settings)
    return Release(
        id=row.id,
        created_ns=row.created_ns,
        served=served_from(shape, name=row.system, subject=row.subject, prompts=json.loads(row.prompts)),
        because=row.because,
        decision_id=row.decision_id,
        verdict=row.verdict,
        without_evidence=row.without_evidence,
    )
