"""The table of spans: immutable wide rows, one per span, written once when the span ends.

Times are integer nanoseconds since 1970 (a timestamp with a zone does not survive SQLite). What
is asked for across traces has a column; the rest is a JSON object in `attributes`. The trace's
own start stands in every row, so that a trace is listed and pruned as a whole even when its
root was never written because the process died.
"""

import sqlalchemy as sa

from assay.ledger.database import metadata

_KEY = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
_HEX = sa.String(32).with_variant(sa.String(32, collation="C"), "postgresql")  # ids are found by prefix, bytewise

span = sa.Table(
    "span",
    metadata,
    sa.Column("id", _KEY, primary_key=True, autoincrement=True),
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
    sa.CheckConstraint("status in ('ok', 'error', 'cancelled')", name="ck_span_status"),
    # Unique so that a batch sent again after a lost acknowledgement writes nothing twice; its order serves id prefixes.
    sa.Index("uq_span_trace_id_span_id", "trace_id", "span_id", unique=True),
    sa.Index("ix_span_trace_start_ns_trace_id", "trace_start_ns", "trace_id"),
)
