"""Budgets: what was allowed, and what each process spent and holds."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "budget",
        sa.Column("id", sa.String(64), nullable=False),
        sa.Column("limit_nano", sa.BigInteger, nullable=False),
        sa.Column("created_ns", sa.BigInteger, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_budget"),
    )
    op.create_table(
        "budget_owner",
        sa.Column("budget_id", sa.String(64), nullable=False),
        sa.Column("owner", sa.String(32), nullable=False),
        sa.Column("held_nano", sa.BigInteger, nullable=False),
        sa.Column("spent_nano", sa.BigInteger, nullable=False),
        sa.PrimaryKeyConstraint("budget_id", "owner", name="pk_budget_owner"),
        sa.ForeignKeyConstraint(["budget_id"], ["budget.id"], name="fk_budget_owner_budget_id_budget"),
    )


def downgrade() -> None:
    op.drop_table("budget_owner")
    op.drop_table("budget")
