"""The table of review decisions: a log, so that any of them can be taken back and none is ever overwritten."""

import sqlalchemy as sa

from assay.ledger.database import metadata

review = sa.Table(
    "review",
    metadata,
    sa.Column("id", sa.String(32), primary_key=True),
    sa.Column("set_digest", sa.String(64), sa.ForeignKey("case_set.digest"), nullable=False),
    sa.Column("case_digest", sa.String(64), sa.ForeignKey("case_row.digest"), nullable=False),
    sa.Column("decision", sa.String(12), nullable=False),
    sa.Column("fixed", sa.Text),  # JSON: Case.as_json of the case as it should be
    sa.Column("note", sa.Text, nullable=False),
    sa.Column("undone", sa.Boolean, nullable=False),
    sa.Column("decided_ns", sa.BigInteger, nullable=False),
    sa.CheckConstraint("decision in ('accepted', 'fixed', 'rejected', 'skipped')", name="ck_review_decision"),
    sa.Index("ix_review_set_digest", "set_digest", "decided_ns"),
)
