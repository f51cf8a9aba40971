"""Decisions, evidence budgets, releases and labels; a run may be stopped because a decision was reached."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

_BEFORE = "status in ('running', 'done', 'budget', 'interrupted', 'failed')"
_AFTER = "status in ('running', 'done', 'budget', 'interrupted', 'failed', 'stopped')"


def upgrade() -> None:
    with op.batch_alter_table("run") as batch:
        batch.drop_constraint("ck_run_status", type_="check")
        batch.create_check_constraint("ck_run_status", _AFTER)
    op.create_table(
        "split_cluster",
        sa.Column("set_name", sa.Text, nullable=False),
        sa.Column("cluster", sa.Text, nullable=False),
        sa.Column("part", sa.String(8), nullable=False),
        sa.Column("season", sa.Integer, nullable=False),
        sa.Column("added_ns", sa.BigInteger, nullable=False),
        sa.Column("opened_ns", sa.BigInteger),
        sa.PrimaryKeyConstraint("set_name", "cluster", name="pk_split_cluster"),
        sa.CheckConstraint("part in ('dev', 'confirm')", name="ck_split_cluster_part"),
    )
    op.create_table(
        "split_set",
        sa.Column("set_name", sa.Text, nullable=False),
        sa.Column("salt", sa.String(64), nullable=False),
        sa.Column("dev_share", sa.Double, nullable=False),
        sa.Column("created_ns", sa.BigInteger, nullable=False),
        sa.PrimaryKeyConstraint("set_name", name="pk_split_set"),
    )
    op.create_table(
        "split_case",
        sa.Column("set_name", sa.Text, nullable=False),
        sa.Column("case_id", sa.Text, nullable=False),
        sa.Column("cluster", sa.Text, nullable=False),
        sa.Column("question", sa.String(64), nullable=False),
        sa.PrimaryKeyConstraint("set_name", "case_id", "cluster", name="pk_split_case"),
    )
    op.create_index("ix_split_case_question", "split_case", ["question"])
    op.create_table(
        "tuned",
        sa.Column("key", sa.Text, nullable=False),
        sa.Column("set_name", sa.Text, nullable=False),
        sa.Column("question", sa.String(64), nullable=False),
        sa.Column("cluster", sa.Text, nullable=False),
        sa.Column("at_ns", sa.BigInteger, nullable=False),
        sa.PrimaryKeyConstraint("key", "set_name", "question", name="pk_tuned"),
    )
    op.create_table(
        "decision",
        sa.Column("id", sa.String(32), nullable=False),
        sa.Column("created_ns", sa.BigInteger, nullable=False),
        sa.Column("finished_ns", sa.BigInteger),
        sa.Column("status", sa.String(12), nullable=False),
        sa.Column("set_name", sa.Text, nullable=False),
        sa.Column("season", sa.Integer, nullable=False),
        sa.Column("hypothesis", sa.Text, nullable=False),
        sa.Column("hypothesis_digest", sa.String(64), nullable=False),
        sa.Column("question_digest", sa.String(64), nullable=False),
        sa.Column("incumbent_run", sa.String(32)),
        sa.Column("candidate_run", sa.String(32)),
        sa.Column("verdict", sa.String(12)),
        sa.Column("support", sa.String(20)),
        sa.Column("outcome", sa.Text),
        sa.Column("details", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_decision"),
        sa.CheckConstraint(
            "status in ('running', 'done', 'interrupted', 'budget', 'abandoned')", name="ck_decision_status"
        ),
    )
    op.create_index("ix_decision_question_digest", "decision", ["question_digest"])
    op.create_index("ix_decision_created_ns", "decision", ["created_ns"])
    op.create_table(
        "spending",
        sa.Column("set_name", sa.Text, nullable=False),
        sa.Column("season", sa.Integer, nullable=False),
        sa.Column("ordinal", sa.Integer, nullable=False),
        sa.Column("decision_id", sa.String(32)),
        sa.Column("cluster", sa.Text),
        sa.Column("alpha", sa.Double, nullable=False),
        sa.Column("carried", sa.Double, nullable=False),
        sa.Column("rejected", sa.Boolean, nullable=False),
        sa.Column("spent_ns", sa.BigInteger, nullable=False),
        sa.PrimaryKeyConstraint("set_name", "season", "ordinal", name="pk_spending"),
        sa.UniqueConstraint("decision_id", name="uq_spending_decision_id"),
    )
    op.create_table(
        "release",
        sa.Column("id", sa.String(32), nullable=False),
        sa.Column("created_ns", sa.BigInteger, nullable=False),
        sa.Column("system", sa.Text, nullable=False),
        sa.Column("subject", sa.Text),
        sa.Column("settings", sa.Text, nullable=False),
        sa.Column("prompts", sa.Text, nullable=False),
        sa.Column("decision_id", sa.String(32)),
        sa.Column("verdict", sa.String(12)),
        sa.Column("because", sa.Text, nullable=False),
        sa.Column("without_evidence", sa.Boolean, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_release"),
        sa.ForeignKeyConstraint(["decision_id"], ["decision.id"], name="fk_release_decision_id_decision"),
    )
    op.create_table(
        "release_live",
        sa.Column("ordinal", sa.Integer, nullable=False),
        sa.Column("release_id", sa.String(32), nullable=False),
        sa.Column("action", sa.String(12), nullable=False),
        sa.Column("because", sa.Text, nullable=False),
        sa.Column("at_ns", sa.BigInteger, nullable=False),
        sa.PrimaryKeyConstraint("ordinal", name="pk_release_live"),
        sa.ForeignKeyConstraint(["release_id"], ["release.id"], name="fk_release_live_release_id_release"),
        sa.CheckConstraint("action in ('promote', 'rollback')", name="ck_release_live_action"),
    )
    op.create_table(
        "label",
        sa.Column("id", sa.String(32), nullable=False),
        sa.Column("decision_id", sa.String(32), nullable=False),
        sa.Column("case_id", sa.Text, nullable=False),
        sa.Column("ordinal", sa.Integer, nullable=False),
        sa.Column("stratum", sa.Integer, nullable=False),
        sa.Column("incumbent", sa.Double, nullable=False),
        sa.Column("candidate", sa.Double, nullable=False),
        sa.Column("labeller", sa.Text, nullable=False),
        sa.Column("undone", sa.Boolean, nullable=False),
        sa.Column("labelled_ns", sa.BigInteger, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_label"),
        sa.ForeignKeyConstraint(["decision_id"], ["decision.id"], name="fk_label_decision_id_decision"),
    )
    op.create_index("ix_label_decision_id", "label", ["decision_id", "labelled_ns"])


def downgrade() -> None:
    op.drop_index("ix_label_decision_id", "label")
    op.drop_table("label")
    op.drop_table("release_live")
    op.drop_table("release")
    op.drop_table("spending")
    op.drop_index("ix_decision_created_ns", "decision")
    op.drop_index("ix_decision_question_digest", "decision")
    op.drop_table("decision")
    op.drop_table("tuned")
    op.drop_index("ix_split_case_question", "split_case")
    op.drop_table("split_case")
    op.drop_table("split_set")
    op.drop_table("split_cluster")
    with op.batch_alter_table("run") as batch:
        batch.drop_constraint("ck_run_status", type_="check")
        batch.create_check_constraint("ck_run_status", _BEFORE)
