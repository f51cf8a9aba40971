"""Tables of budgets. Money is in nano-dollars, integers: sums of them are exact."""

import sqlalchemy as sa

from assay.ledger.database import metadata

budget = sa.Table(
    "budget",
    metadata,
    sa.Column("id", sa.String(64), primary_key=True),
    sa.Column("limit_nano", sa.BigInteger, nullable=False),
    sa.Column("created_ns", sa.BigInteger, nullable=False),
)

# One row for each process that ever spent from a budget, written by that process alone. It outlives a process that is
# killed: what was held then may have been paid.
budget_owner = sa.Table(
    "budget_owner",
    metadata,
    sa.Column("budget_id", sa.String(64), sa.ForeignKey("budget.id"), primary_key=True),
    sa.Column("owner", sa.String(32), primary_key=True),
    sa.Column("held_nano", sa.BigInteger, nullable=False),  # reserved for calls under way
    sa.Column("spent_nano", sa.BigInteger, nullable=False),
)
