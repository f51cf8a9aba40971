"""The table of spans."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None
_KEY = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
_HEX = sa.String(32).with_variant(sa.String(32, collation="C"), "postgresql")  # ids are found by prefix, bytewise


def upgrade() -> None:
    op.create_table(
        "span",
        sa.Column("id", _KEY, autoincrement=True, nullable=False),
        sa.Column("trace_id", _HEX, nullable=False),
        sa.Column("span_id", sa.String(16), nullable=False),
        sa.Column("parent_id", sa.String(16)),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("trace_start_ns", sa.BigInteger, nullable=False),
        sa.Column("start_ns", sa.BigInteger, nullable=False),
        sa.Column("end_ns", sa.BigInteger, nullable=False),
        sa.Column("status", sa.String(10), nullable=False),
        sa.Column("error_code", sa.Text),
        sa.Column("operation", sa.Text),
        sa.Column("provider", sa.Text),
        sa.Column("model", sa.Text),
        sa.Column("input_tokens", sa.BigInteger),
        sa.Column("output_tokens", sa.BigInteger),
        sa.Column("cost_usd", sa.Double),
        sa.Column("attributes", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_span"),
        sa.CheckConstraint("status in ('ok', 'error', 'cancelled')", name="ck_span_status"),
    )
    op.create_index("uq_span_trace_id_span_id", "span", ["trace_id", "span_id"], unique=True)
    op.create_index("ix_span_trace_start_ns_trace_id", "span", ["trace_start_ns", "trace_id"])


def downgrade() -> None:
    op.drop_table("span")
