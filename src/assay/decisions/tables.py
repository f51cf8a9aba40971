"""Tables of decisions: what was asked, what it cost in evidence, what was found, what serves because of it."""

import sqlalchemy as sa

from assay.ledger.database import metadata

# A set that was split: what membership is drawn with.
split_set = sa.Table(
    "split_set",
    metadata,
    sa.Column("set_name", sa.Text, primary_key=True),
    sa.Column("salt", sa.String(64), nullable=False),
    sa.Column("dev_share", sa.Double, nullable=False),
    sa.Column("created_ns", sa.BigInteger, nullable=False),
)

# Whether the cases of a cluster may be looked at (dev) or are kept for decisions (confirm). Decided once.
split_cluster = sa.Table(
    "split_cluster",
    metadata,
    sa.Column("set_name", sa.Text, primary_key=True),
    sa.Column("cluster", sa.Text, primary_key=True),  # "=" + the case's id where a case names no cluster
    sa.Column("part", sa.String(8), nullable=False),
    sa.Column("season", sa.Integer, nullable=False),  # which evidence budget its cases belong to
    sa.Column("added_ns", sa.BigInteger, nullable=False),
    sa.Column("opened_ns", sa.BigInteger),  # when a person looked at a confirm case of it, which moved it to dev
    sa.CheckConstraint("part in ('dev', 'confirm')", name="ck_split_cluster_part"),
)

# Every cluster a case was ever in, so that another label for its cluster gives it no second draw.
split_case = sa.Table(
    "split_case",
    metadata,
    sa.Column("set_name", sa.Text, primary_key=True),
    sa.Column("case_id", sa.Text, primary_key=True),
    sa.Column("cluster", sa.Text, primary_key=True),
    sa.Column("question", sa.String(64), nullable=False),  # SHA-256: the same question in another set is found
    sa.Index("ix_split_case_question", "question"),
)

# What was tuned on which questions; it is never certified on them.
tuned = sa.Table(
    "tuned",
    metadata,
    sa.Column("key", sa.Text, primary_key=True),  # a subject, a prompt's digest, a digest of settings
    sa.Column("set_name", sa.Text, primary_key=True),
    sa.Column("question", sa.String(64), primary_key=True),
    sa.Column("cluster", sa.Text, nullable=False),
    sa.Column("at_ns", sa.BigInteger, nullable=False),
)

decision = sa.Table(
    "decision",
    metadata,
    sa.Column("id", sa.String(32), primary_key=True),
    sa.Column("created_ns", sa.BigInteger, nullable=False),
    sa.Column("finished_ns", sa.BigInteger),
    sa.Column("status", sa.String(12), nullable=False),
    sa.Column("set_name", sa.Text, nullable=False),
    sa.Column("season", sa.Integer, nullable=False),
    sa.Column("hypothesis", sa.Text, nullable=False),  # JSON: Hypothesis, written before the first result
    sa.Column("hypothesis_digest", sa.String(64), nullable=False),
    sa.Column("question_digest", sa.String(64), nullable=False),  # what is asked, whatever the alpha and the order
    sa.Column("incumbent_run", sa.String(32)),
    sa.Column("candidate_run", sa.String(32)),
    sa.Column("verdict", sa.String(12)),
    sa.Column("support", sa.String(20)),  # JUDGE-SUPPORTED, HUMAN-CALIBRATED, or REFERENCE-BASED
    sa.Column("outcome", sa.Text),  # JSON: the shared object of `assay try --json`
    sa.Column("details", sa.Text, nullable=False),  # JSON: systems to run again, settings of both, the command
    sa.CheckConstraint(
        "status in ('running', 'done', 'interrupted', 'budget', 'abandoned')", name="ck_decision_status"
    ),
    sa.Index("ix_decision_question_digest", "question_digest"),
    sa.Index("ix_decision_created_ns", "created_ns"),
)

# A search over designs. It makes no claim; the decision on its winner does.
race = sa.Table(
    "race",
    metadata,
    sa.Column("id", sa.String(32), primary_key=True),
    sa.Column("created_ns", sa.BigInteger, nullable=False),
    sa.Column("finished_ns", sa.BigInteger),
    sa.Column("status", sa.String(12), nullable=False),
    sa.Column("set_name", sa.Text, nullable=False),
    sa.Column("digest", sa.String(64), nullable=False),  # all that it is: the same race again is found by it
    sa.Column("decision_id", sa.String(32), sa.ForeignKey("decision.id")),
    sa.Column("view", sa.Text, nullable=False),  # JSON: what its page shows, as it stands
    sa.CheckConstraint("status in ('running', 'done', 'interrupted', 'budget', 'failed')", name="ck_race_status"),
    sa.Index("ix_race_digest", "digest"),
    sa.Index("ix_race_created_ns", "created_ns"),
)

# The evidence budget of a set and season: one line for each decision, and for each look at a confirm case.
spending = sa.Table(
    "spending",
    metadata,
    sa.Column("set_name", sa.Text, primary_key=True),
    sa.Column("season", sa.Integer, primary_key=True),
    sa.Column("ordinal", sa.Integer, primary_key=True),
    sa.Column("decision_id", sa.String(32)),  # null: a cluster was opened
    sa.Column("cluster", sa.Text),
    sa.Column("alpha", sa.Double, nullable=False),  # the level of the decision; the share lost where one was opened
    sa.Column("carried", sa.Double, nullable=False),  # the part of alpha that the decision before handed on
    sa.Column("rejected", sa.Boolean, nullable=False),  # True: what it was tested at goes on to the next decision
    sa.Column("spent_ns", sa.BigInteger, nullable=False),
    sa.UniqueConstraint("decision_id", name="uq_spending_decision_id"),
)

release = sa.Table(
    "release",
    metadata,
    sa.Column("id", sa.String(32), primary_key=True),
    sa.Column("created_ns", sa.BigInteger, nullable=False),
    sa.Column("system", sa.Text, nullable=False),  # what people call it
    sa.Column("subject", sa.Text),  # names its behaviour, as in the run that measured it
    sa.Column("settings", sa.Text, nullable=False),  # JSON: the settings an answer depends on, or the --system given
    sa.Column("prompts", sa.Text, nullable=False),  # JSON: name -> digest
    sa.Column("decision_id", sa.String(32), sa.ForeignKey("decision.id")),  # the verdict that put it there
    sa.Column("verdict", sa.String(12)),
    sa.Column("because", sa.Text, nullable=False),  # a person's reason; required where no verdict supports it
    sa.Column("without_evidence", sa.Boolean, nullable=False),
)

# What served from when on: a log, so that nothing is forgotten. The newest line is live.
release_live = sa.Table(
    "release_live",
    metadata,
    sa.Column("ordinal", sa.Integer, primary_key=True),
    sa.Column("release_id", sa.String(32), sa.ForeignKey("release.id"), nullable=False),
    sa.Column("action", sa.String(12), nullable=False),
    sa.Column("because", sa.Text, nullable=False),
    sa.Column("at_ns", sa.BigInteger, nullable=False),
    sa.CheckConstraint("action in ('promote', 'rollback')", name="ck_release_live_action"),
)

# What a person said about both answers to one case of a decision, blind and in a random order.
label = sa.Table(
    "label",
    metadata,
    sa.Column("id", sa.String(32), primary_key=True),
    sa.Column("decision_id", sa.String(32), sa.ForeignKey("decision.id"), nullable=False),
    sa.Column("case_id", sa.Text, nullable=False),
    sa.Column("ordinal", sa.Integer, nullable=False),  # the case's place in the decision's order
    sa.Column("stratum", sa.Integer, nullable=False),  # sign of the judge's difference: -1, 0, 1
    sa.Column("incumbent", sa.Double, nullable=False),  # 0 to 1, as the person scored it
    sa.Column("candidate", sa.Double, nullable=False),
    sa.Column("labeller", sa.Text, nullable=False),
    sa.Column("undone", sa.Boolean, nullable=False),
    sa.Column("labelled_ns", sa.BigInteger, nullable=False),
    sa.Index("ix_label_decision_id", "decision_id", "labelled_ns"),
)
