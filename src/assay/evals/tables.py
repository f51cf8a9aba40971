"""Tables of cases and runs: a case is stored once, by content, whatever sets it is in; a result is a line of a run."""

import sqlalchemy as sa

from assay.ledger.database import metadata

case_row = sa.Table(
    "case_row",
    metadata,
    sa.Column("digest", sa.String(64), primary_key=True),
    sa.Column("case_id", sa.Text, nullable=False),
    sa.Column("data", sa.Text, nullable=False),  # Case.as_json
)

case_set = sa.Table(
    "case_set",
    metadata,
    sa.Column("digest", sa.String(64), primary_key=True),
    sa.Column("size", sa.Integer, nullable=False),
    sa.Column("created_ns", sa.BigInteger, nullable=False),
)

case_member = sa.Table(
    "case_member",
    metadata,
    sa.Column("set_digest", sa.String(64), sa.ForeignKey("case_set.digest"), primary_key=True),
    sa.Column("ordinal", sa.Integer, primary_key=True),
    sa.Column("case_digest", sa.String(64), sa.ForeignKey("case_row.digest"), nullable=False),
)

# Versions of a named set; the newest is in force.
case_name = sa.Table(
    "case_name",
    metadata,
    sa.Column("name", sa.Text, primary_key=True),
    sa.Column("created_ns", sa.BigInteger, primary_key=True),
    sa.Column("set_digest", sa.String(64), sa.ForeignKey("case_set.digest"), nullable=False),
    sa.Column("origin", sa.Text, nullable=False),  # a file's name, "generated", "reviewed"
)

run = sa.Table(
    "run",
    metadata,
    sa.Column("id", sa.String(32), primary_key=True),
    sa.Column("created_ns", sa.BigInteger, nullable=False),
    sa.Column("finished_ns", sa.BigInteger),
    sa.Column("status", sa.String(12), nullable=False),
    sa.Column("system", sa.Text, nullable=False),
    sa.Column("subject", sa.Text),
    sa.Column("set_digest", sa.String(64), nullable=False),
    sa.Column("spec_digest", sa.String(64), nullable=False),  # system, cases, scorers, replicas: what resuming matches
    sa.Column("spec", sa.Text, nullable=False),  # JSON: all of it, for people
    sa.Column("cost_usd", sa.Double, nullable=False, server_default="0"),
    sa.Column("unpriced", sa.Integer, nullable=False, server_default="0"),
    sa.Column("paid_calls", sa.BigInteger, nullable=False, server_default="0"),
    sa.Column("cached_calls", sa.BigInteger, nullable=False, server_default="0"),
    sa.Column("progress", sa.Text),  # JSON: results so far, those to be tried again, sums by metric
    sa.Column("summary", sa.Text),  # JSON of the scoreboard, once finished
    sa.CheckConstraint(
        "status in ('running', 'done', 'budget', 'interrupted', 'failed', 'stopped')", name="ck_run_status"
    ),
    sa.Index("ix_run_spec_digest", "spec_digest"),
    sa.Index("ix_run_created_ns", "created_ns"),
)

result = sa.Table(
    "result",
    metadata,
    sa.Column("run_id", sa.String(32), sa.ForeignKey("run.id"), primary_key=True),
    sa.Column("ordinal", sa.Integer, primary_key=True),
    sa.Column("replica", sa.Integer, primary_key=True),
    sa.Column("case_id", sa.Text, nullable=False),
    sa.Column("error", sa.Text, nullable=False),  # the system's failure: code and message
    sa.Column("output", sa.Text),  # JSON of Output; null where the system failed
    sa.Column("scores", sa.Text, nullable=False),  # JSON: metric -> value, or [null, error, reasoning, details]
    sa.Column("cost_usd", sa.Double),  # of the system's output, null where unpriced
    sa.Column("latency_ms", sa.Double, nullable=False),
    sa.Column("retry", sa.Boolean, nullable=False),  # the system or a scorer failed: tried again on resuming
    sa.Column("judge_calls", sa.Integer, nullable=False),  # by the scorers, cached ones too; the rest is of paid ones
    sa.Column("judge_paid_calls", sa.Integer, nullable=False),
    sa.Column("judge_cost_usd", sa.Double),  # null where unpriced
    sa.Column("judge_ms", sa.Double, nullable=False),
)

prompt = sa.Table(
    "prompt",
    metadata,
    sa.Column("digest", sa.String(16), primary_key=True),
    sa.Column("name", sa.Text, primary_key=True),
    sa.Column("text", sa.Text, nullable=False),
    sa.Column("created_ns", sa.BigInteger, nullable=False),
)

judge_check = sa.Table(
    "judge_check",
    metadata,
    sa.Column("id", sa.String(32), primary_key=True),
    sa.Column("created_ns", sa.BigInteger, nullable=False),
    sa.Column("judge", sa.Text, nullable=False),  # Instrument: name@prompt digests@model, as one key
    sa.Column("report", sa.Text, nullable=False),  # JSON
    sa.Index("ix_judge_check_judge", "judge"),
)
