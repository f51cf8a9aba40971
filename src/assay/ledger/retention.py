"""Keeping traces for a number of days: old ones go in small steps, whole traces in order of age.

A step is one short transaction, so that writers of the same database wait milliseconds for it,
never for the whole clean-up.
"""

import time

import sqlalchemy as sa

from assay.ledger.database import Database
from assay.ledger.tables import span

STEP_SPANS = 300
CHECK_SECONDS = 3600.0
PAUSE_SECONDS = 0.05
_DAY_NS = 86_400 * 1_000_000_000


def prune(database: Database, *, before_ns: int, limit: int = STEP_SPANS) -> int:
    """Delete up to `limit` spans of traces that began before `before_ns` (ns since 1970), oldest first.

    Returns how many went.
    """
    oldest = (
        sa.select(span.c.id)
        .where(span.c.trace_start_ns < before_ns)
        .order_by(span.c.trace_start_ns, span.c.trace_id)
        .limit(limit)
    )
    with database.write() as connection:
        return connection.execute(sa.delete(span).where(span.c.id.in_(oldest))).rowcount


class Retention:
    """When the next step is due. `keep_days` 0 keeps for ever."""

    def __init__(self, database: Database, *, keep_days: int) -> None:
        self._database = database
        self._keep_ns = keep_days * _DAY_NS
        self._due = time.monotonic() if keep_days else float("inf")

    def seconds_until_due(self) -> float | None:
        """Seconds to wait; None for never."""
        return None if not self._keep_ns else max(0.0, self._due - time.monotonic())

    def step(self) -> int:
        """Take one step if it is due; how many spans went."""
        if not self._keep_ns or time.monotonic() < self._due:
            return 0
        self._due = time.monotonic() + CHECK_SECONDS
        gone = prune(self._database, before_ns=time.time_ns() - self._keep_ns)
        if gone == STEP_SPANS:
            self._due = time.monotonic() + PAUSE_SECONDS
        return gone
