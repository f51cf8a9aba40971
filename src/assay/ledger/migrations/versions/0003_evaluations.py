"""Cases, runs, results, prompts, judge checks and values named by their content."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "case_row",
        sa.Column("digest", sa.String(64), nullable=False),
        sa.Column("case_id", sa.Text, nullable=False),
        sa.Column("data", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("digest", name="pk_case_row"),
    )
    op.create_table(
        "case_set",
        sa.Column("digest", sa.String(64), nullable=False),
        sa.Column("size", sa.Integer, nullable=False),
        sa.Column("created_ns", sa.BigInteger, nullable=False),
        sa.PrimaryKeyConstraint("digest", name="pk_case_set"),
    )
    op.create_table(
        "case_member",
        sa.Column("set_digest", sa.String(64), nullable=False),
        sa.Column("ordinal", sa.Integer, nullable=False),
        sa.Column("case_digest", sa.String(64), nullable=False),
        sa.PrimaryKeyConstraint("set_digest", "ordinal", name="pk_case_member"),
        sa.ForeignKeyConstraint(["set_digest"], ["case_set.digest"], name="fk_case_member_set_digest_case_set"),
        sa.ForeignKeyConstraint(["case_digest"], ["case_row.digest"], name="fk_case_member_case_digest_case_row"),
    )
    op.create_table(
        "case_name",
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("created_ns", sa.BigInteger, nullable=False),
        sa.Column("set_digest", sa.String(64), nullable=False),
        sa.Column("origin", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("name", "created_ns", name="pk_case_name"),
        sa.ForeignKeyConstraint(["set_digest"], ["case_set.digest"], name="fk_case_name_set_digest_case_set"),
    )
    op.create_table(
        "run",
        sa.Column("id", sa.String(32), nullable=False),
        sa.Column("created_ns", sa.BigInteger, nullable=False),
        sa.Column("finished_ns", sa.BigInteger),
        sa.Column("status", sa.String(12), nullable=False),
        sa.Column("system", sa.Text, nullable=False),
        sa.Column("subject", sa.Text),
        sa.Column("set_digest", sa.String(64), nullable=False),
        sa.Column("spec_digest", sa.String(64), nullable=False),
        sa.Column("spec", sa.Text, nullable=False),
        sa.Column("cost_usd", sa.Double, nullable=False, server_default="0"),
        sa.Column("unpriced", sa.Integer, nullable=False, server_default="0"),
        sa.Column("paid_calls", sa.BigInteger, nullable=False, server_default="0"),
        sa.Column("cached_calls", sa.BigInteger, nullable=False, server_default="0"),
        sa.Column("progress", sa.Text),
        sa.Column("summary", sa.Text),
        sa.PrimaryKeyConstraint("id", name="pk_run"),
        sa.CheckConstraint("status in ('running', 'done', 'budget', 'interrupted', 'failed')", name="ck_run_status"),
    )
    op.create_index("ix_run_spec_digest", "run", ["spec_digest"])
    op.create_index("ix_run_created_ns", "run", ["created_ns"])
    op.create_table(
        "result",
        sa.Column("run_id", sa.String(32), nullable=False),
        sa.Column("ordinal", sa.Integer, nullable=False),
        sa.Column("replica", sa.Integer, nullable=False),
        sa.Column("case_id", sa.Text, nullable=False),
        sa.Column("error", sa.Text, nullable=False),
        sa.Column("output", sa.Text),
        sa.Column("scores", sa.Text, nullable=False),
        sa.Column("cost_usd", sa.Double),
        sa.Column("latency_ms", sa.Double, nullable=False),
        sa.Column("retry", sa.Boolean, nullable=False),
        sa.Column("judge_calls", sa.Integer, nullable=False),
        sa.Column("judge_paid_calls", sa.Integer, nullable=False),
        sa.Column("judge_cost_usd", sa.Double),
        sa.Column("judge_ms", sa.Double, nullable=False),
        sa.PrimaryKeyConstraint("run_id", "ordinal", "replica", name="pk_result"),
        sa.ForeignKeyConstraint(["run_id"], ["run.id"], name="fk_result_run_id_run"),
    )
    op.create_table(
        "prompt",
        sa.Column("digest", sa.String(16), nullable=False),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("text", sa.Text, nullable=False),
        sa.Column("created_ns", sa.BigInteger, nullable=False),
        sa.PrimaryKeyConstraint("digest", "name", name="pk_prompt"),
    )
    op.create_table(
        "judge_check",
        sa.Column("id", sa.String(32), nullable=False),
        sa.Column("created_ns", sa.BigInteger, nullable=False),
        sa.Column("judge", sa.Text, nullable=False),
        sa.Column("report", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_judge_check"),
    )
    op.create_index("ix_judge_check_judge", "judge_check", ["judge"])
    op.create_table(
        "value",
        sa.Column("key", sa.String(64), nullable=False),
        sa.Column("kind", sa.String(12), nullable=False),
        sa.Column("data", sa.LargeBinary, nullable=False),
        sa.Column("created_ns", sa.BigInteger, nullable=False),
        sa.PrimaryKeyConstraint("key", name="pk_value"),
    )
    op.create_index("ix_value_created_ns", "value", ["created_ns"])


def downgrade() -> None:
    op.drop_table("value")
    op.drop_table("judge_check")
    op.drop_table("prompt")
    op.drop_table("result")
    op.drop_table("run")
    op.drop_table("case_name")
    op.drop_table("case_member")
    op.drop_table("case_set")
    op.drop_table("case_row")
