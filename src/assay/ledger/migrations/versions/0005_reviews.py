"""Review decisions on the cases of a set."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "review",
        sa.Column("id", sa.String(32), nullable=False),
        sa.Column("set_digest", sa.String(64), nullable=False),
        sa.Column("case_digest", sa.String(64), nullable=False),
        sa.Column("decision", sa.String(12), nullable=False),
        sa.Column("fixed", sa.Text),
        sa.Column("note", sa.Text, nullable=False),
        sa.Column("undone", sa.Boolean, nullable=False),
        sa.Column("decided_ns", sa.BigInteger, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_review"),
        sa.ForeignKeyConstraint(["set_digest"], ["case_set.digest"], name="fk_review_set_digest_case_set"),
        sa.ForeignKeyConstraint(["case_digest"], ["case_row.digest"], name="fk_review_case_digest_case_row"),
        sa.CheckConstraint("decision in ('accepted', 'fixed', 'rejected', 'skipped')", name="ck_review_decision"),
    )
    op.create_index("ix_review_set_digest", "review", ["set_digest", "decided_ns"])


def downgrade() -> None:
    op.drop_index("ix_review_set_digest", "review")
    op.drop_table("review")
