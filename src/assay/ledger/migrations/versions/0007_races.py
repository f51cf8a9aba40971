"""Races: searches over designs, as their pages show them."""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "race",
        sa.Column("id", sa.String(32), nullable=False),
        sa.Column("created_ns", sa.BigInteger, nullable=False),
        sa.Column("finished_ns", sa.BigInteger),
        sa.Column("status", sa.String(12), nullable=False),
        sa.Column("set_name", sa.Text, nullable=False),
        sa.Column("digest", sa.String(64), nullable=False),
        sa.Column("decision_id", sa.String(32)),
        sa.Column("view", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_race"),
        sa.ForeignKeyConstraint(["decision_id"], ["decision.id"], name="fk_race_decision_id_decision"),
        sa.CheckConstraint("status in ('running', 'done', 'interrupted', 'budget', 'failed')", name="ck_race_status"),
    )
    op.create_index("ix_race_digest", "race", ["digest"])
    op.create_index("ix_race_created_ns", "race", ["created_ns"])


def downgrade() -> None:
    op.drop_table("race")
