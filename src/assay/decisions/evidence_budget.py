"""The evidence budget of a set and season, in the ledger: who spent how much alpha, what was handed on, what is left.

A decision's alpha is spent in the transaction that hands it out, before the first result, so a decision that is
killed, abandoned or undecided has spent it. The rule is online fallback (`stats.online`): only a rejection hands its
alpha on, and only to the very next decision of the season, if that one was not taken before the rejection was known.
Handing it to whichever decision comes next would let the moment a verdict falls, which depends on the same questions,
choose who gets it: with one true gain and two equal changes that errs up to .0615 at .05 (see the tests).

Invariant: ordinals of a season count 1, 2, ... without a gap or a repeat, whatever runs at once; the alphas of
decisions that rejected nothing sum to at most the budget's alpha. Proved by
`tests/unit/decisions/test_evidence_budget.py` on both databases, the error rate by
`tests/oracles/test_evidence_budget.py` through this store.
"""

import time
from dataclasses import dataclass

import sqlalchemy as sa
from sqlalchemy.engine import Connection, Row

from assay.decisions.tables import spending as table
from assay.errors import BadInput, NotFound
from assay.ledger.database import Database
from assay.stats.online import Spending, gamma


@dataclass(frozen=True, slots=True)
class Spent:
    """A line of a budget: a decision (`decision_id`) tested at `alpha`, or a confirm case that was opened (`cluster`).

    `carried` is the part of `alpha` that the decision before handed on; for an opened case `alpha` is the share that
    nobody can be tested at any more.
    """

    ordinal: int
    decision_id: str | None
    cluster: str | None
    alpha: float
    carried: float
    rejected: bool
    spent_ns: int


@dataclass(frozen=True, slots=True)
class Standing:
    """What a set and season have spent, line by line, and the budget as the next decision finds it."""

    set_name: str
    season: int
    lines: tuple[Spent, ...]

    @property
    def spending(self) -> Spending:
        """The state of the rule."""
        last = next((line for line in reversed(self.lines) if line.decision_id is not None), None)
        return Spending(step=len(self.lines) + 1, carried=last.alpha if last and last.rejected else 0.0)

    @property
    def decisions(self) -> tuple[Spent, ...]:
        """The lines of decisions, in the order they were taken."""
        return tuple(line for line in self.lines if line.decision_id is not None)

    @property
    def alpha_next(self) -> float:
        """The level at which the next decision would be tested."""
        return self.spending.next

    @property
    def left(self) -> float:
        """What the next and all later decisions share."""
        return self.spending.left

    def handed_on(self, decision_id: str) -> float:
        """What a decision handed on to the next one; 0 where nothing was, or the next one began too early for it."""
        own = self.decisions
        place = next((i for i, line in enumerate(own) if line.decision_id == decision_id), None)
        if place is None:
            return 0.0
        if place + 1 < len(own):
            return own[place + 1].carried
        return self.spending.carried


class EvidenceBudget:
    """The budgets of every set of a workspace. Safe to share between threads and processes."""

    def __init__(self, database: Database) -> None:
        self.database = database

    def standing(self, set_name: str, season: int) -> Standing:
        """What a season has spent; an unspent budget where nothing was decided yet."""
        with self.database.read() as connection:
            return standing_of(connection, set_name, season)

    def seasons(self, set_name: str) -> list[int]:
        """The seasons of a set that have spent anything."""
        query = sa.select(table.c.season).where(table.c.set_name == set_name).distinct().order_by(table.c.season)
        with self.database.read() as connection:
            return list(connection.execute(query).scalars())

    def take(self, set_name: str, season: int, decision_id: str) -> float:
        """The alpha of a decision, spent from here on. Asked again for the same decision it is the same alpha.

        Raises BadInput where the decision already takes from another budget.
        """
        with self.database.write() as connection:
            hold_set(connection, set_name)
            known = connection.execute(sa.select(table).where(table.c.decision_id == decision_id)).first()
            if known is not None:
                if (known.set_name, known.season) != (set_name, season):
                    raise BadInput(
                        f"Decision {decision_id[:8]} takes its alpha from {known.set_name}, season {known.season}.",
                        hint="Open another decision for another budget.",
                    )
                return float(known.alpha)
            found = standing_of(connection, set_name, season)
            spending = found.spending
            _add(connection, found, decision_id=decision_id, alpha=spending.next, carried=spending.carried)
            return spending.next

    def settle(self, decision_id: str, *, rejected: bool) -> None:
        """Say how a decision ended. Only a rejection changes anything: it hands its alpha on to the next decision.

        Settling twice is the same as once, and a decision that was stopped may still reject when it is resumed. Raises
        NotFound for a decision that took no alpha, BadInput where one that rejected is said not to have.
        """
        with self.database.write() as connection:
            row = connection.execute(sa.select(table).where(table.c.decision_id == decision_id)).first()
            if row is None:
                raise NotFound(f"Decision {decision_id[:8]} has taken no alpha.", hint="Take it before settling.")
            if row.rejected and not rejected:
                raise BadInput(
                    f"Decision {decision_id[:8]} has rejected; that is final.",
                    hint="Open another decision to ask again.",
                )
            if rejected and not row.rejected:
                hold_set(connection, row.set_name)
                where = table.c.decision_id == decision_id
                connection.execute(sa.update(table).where(where).values(rejected=True))

    def charge(self, set_name: str, season: int, cluster: str) -> Standing:
        """Take one step's share away because a cluster was opened; the budget after it."""
        with self.database.write() as connection:
            hold_set(connection, set_name)
            return charge_in(connection, set_name, season, cluster)


def hold_set(connection: Connection, set_name: str) -> None:
    """One writer to a set's split and budget at a time. SQLite's write transactions exclude each other anyway."""
    if connection.dialect.name != "sqlite":
        connection.execute(sa.select(sa.func.pg_advisory_xact_lock(sa.func.hashtext(f"evidence {set_name}"))))


def standing_of(connection: Connection, set_name: str, season: int) -> Standing:
    """What a season has spent, inside a transaction."""
    where = (table.c.set_name == set_name) & (table.c.season == season)
    rows = connection.execute(sa.select(table).where(where).order_by(table.c.ordinal))
    return Standing(set_name, season, tuple(map(_spent, rows)))


def charge_in(connection: Connection, set_name: str, season: int, cluster: str) -> Standing:
    """`charge` inside a transaction that holds the set."""
    found = standing_of(connection, set_name, season)
    spending = found.spending
    _add(connection, found, cluster=cluster, alpha=spending.alpha * gamma(spending.step))
    return standing_of(connection, set_name, season)


def _add(
    connection: Connection,
    found: Standing,
    *,
    alpha: float,
    carried: float = 0.0,
    decision_id: str | None = None,
    cluster: str | None = None,
) -> None:
    line = {
        "set_name": found.set_name,
        "season": found.season,
        "ordinal": len(found.lines) + 1,
        "decision_id": decision_id,
        "cluster": cluster,
        "alpha": alpha,
        "carried": carried,
        "rejected": False,
        "spent_ns": time.time_ns(),
    }
    connection.execute(table.insert(), line)


def _spent(row: Row[tuple[object, ...]]) -> Spent:
    return Spent(
        ordinal=row.ordinal,
        decision_id=row.decision_id,
        cluster=row.cluster,
        alpha=row.alpha,
        carried=row.carried,
        rejected=row.rejected,
        spent_ns=row.spent_ns,
    )
