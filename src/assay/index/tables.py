"""The index room's tables. The database is the truth; the tantivy index and the vector matrix are derived.

Passages refer to vectors by the hash of the text that was embedded, so an unchanged text is never
embedded twice, not even after its document was cut anew. Every write transaction first takes the
row of `index_state` and counts its generation up: writers are therefore serialised, passage ids
grow in commit order, and whoever saw generation g catches up with passages above the last id seen
and `removal` rows above g. Keys long enough to overflow a PostgreSQL index are indexed by hash.
"""

import sqlalchemy as sa

from assay.ledger.database import metadata

_Key = sa.BigInteger().with_variant(sa.Integer, "sqlite")
_Bytewise = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")

index_state = sa.Table(
    "index_state",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("instance", sa.String(32), nullable=False),  # random: tells one database from another
    sa.Column("generation", sa.BigInteger, nullable=False),
    sa.Column("log_floor", sa.BigInteger, nullable=False),  # removals up to this generation were forgotten
    sa.Column("unfinished", sa.Boolean, nullable=False),  # an ingest is under way, or was interrupted
)

document = sa.Table(
    "document",
    metadata,
    sa.Column("number", _Key, primary_key=True),
    sa.Column("id", sa.String(16), nullable=False, unique=True),
    sa.Column("source", _Bytewise, nullable=False),
    sa.Column("source_hash", sa.String(32), nullable=False, unique=True),
    sa.Column("content_hash", sa.Text, nullable=False),
    sa.Column("recipe", sa.String(32), nullable=False),  # everything but the content that made the passages
    sa.Column("digest", sa.Text, nullable=False),  # of the embedder whose vectors the passages have
    sa.Column("origin", sa.Text, nullable=False),  # `file`, or the name of a collection in memory
    sa.Column("title", sa.Text, nullable=False),
    sa.Column("media_type", sa.Text, nullable=False),
    sa.Column("characters", sa.BigInteger, nullable=False),
    sa.Column("passages", sa.BigInteger, nullable=False),
    sa.Column("pages", sa.JSON, nullable=False),
    sa.Column("headings", sa.JSON, nullable=False),
    sa.Column("added_ns", sa.BigInteger, nullable=False),
    sqlite_autoincrement=True,
)

content = sa.Table(
    "content",
    metadata,
    sa.Column("document", _Key, sa.ForeignKey("document.number", ondelete="CASCADE"), primary_key=True),
    sa.Column("text", sa.Text, nullable=False),
)

document_group = sa.Table(
    "document_group",
    metadata,
    sa.Column("document", _Key, sa.ForeignKey("document.number", ondelete="CASCADE"), primary_key=True),
    sa.Column("name", sa.String(255), primary_key=True, index=True),
)

document_metadata = sa.Table(
    "document_metadata",
    metadata,
    sa.Column("document", _Key, sa.ForeignKey("document.number", ondelete="CASCADE"), primary_key=True),
    sa.Column("key", sa.String(255), primary_key=True),
    sa.Column("value", sa.Text, nullable=False),
    sa.Column("pair", sa.String(32), nullable=False, index=True),  # hash of key and value
)

passage = sa.Table(
    "passage",
    metadata,
    sa.Column("id", _Key, primary_key=True),
    sa.Column("document", _Key, sa.ForeignKey("document.number", ondelete="CASCADE"), nullable=False),
    sa.Column("ordinal", sa.Integer, nullable=False),
    sa.Column("start", sa.BigInteger, nullable=False),
    sa.Column("end", sa.BigInteger, nullable=False),
    sa.Column("page", sa.Integer),
    sa.Column("heading", sa.Text, nullable=False),
    sa.Column("text", sa.Text, nullable=False),
    sa.Column("text_hash", sa.String(32), nullable=False, index=True),
    sa.UniqueConstraint("document", "ordinal"),
    sqlite_autoincrement=True,
)

vector = sa.Table(
    "vector",
    metadata,
    sa.Column("text_hash", sa.String(32), primary_key=True),
    sa.Column("digest", sa.Text, primary_key=True),
    sa.Column("data", sa.LargeBinary, nullable=False),  # little-endian float32
)

removal = sa.Table(
    "removal",
    metadata,
    sa.Column("id", _Key, primary_key=True),
    sa.Column("generation", sa.BigInteger, nullable=False, index=True),
    sa.Column("first_id", sa.BigInteger, nullable=False),
    sa.Column("last_id", sa.BigInteger, nullable=False),
    sqlite_autoincrement=True,
)
