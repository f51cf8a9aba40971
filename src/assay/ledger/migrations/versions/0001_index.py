"""Documents, passages, vectors, and what derived indexes catch up by."""

import secrets

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

_KEY = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
_BYTEWISE = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")


def upgrade() -> None:
    op.create_table(
        "document",
        sa.Column("number", _KEY, nullable=False),
        sa.Column("id", sa.String(length=16), nullable=False),
        sa.Column("source", _BYTEWISE, nullable=False),
        sa.Column("source_hash", sa.String(length=32), nullable=False),
        sa.Column("content_hash", sa.Text(), nullable=False),
        sa.Column("recipe", sa.String(length=32), nullable=False),
        sa.Column("digest", sa.Text(), nullable=False),
        sa.Column("origin", sa.Text(), nullable=False),
        sa.Column("title", sa.Text(), nullable=False),
        sa.Column("media_type", sa.Text(), nullable=False),
        sa.Column("characters", sa.BigInteger(), nullable=False),
        sa.Column("passages", sa.BigInteger(), nullable=False),
        sa.Column("pages", sa.JSON(), nullable=False),
        sa.Column("headings", sa.JSON(), nullable=False),
        sa.Column("added_ns", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("number", name=op.f("pk_document")),
        sa.UniqueConstraint("id", name=op.f("uq_document_id")),
        sa.UniqueConstraint("source_hash", name=op.f("uq_document_source_hash")),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "index_state",
        sa.Column("id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("instance", sa.String(length=32), nullable=False),
        sa.Column("generation", sa.BigInteger(), nullable=False),
        sa.Column("log_floor", sa.BigInteger(), nullable=False),
        sa.Column("unfinished", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_index_state")),
    )
    op.create_table(
        "removal",
        sa.Column("id", _KEY, nullable=False),
        sa.Column("generation", sa.BigInteger(), nullable=False),
        sa.Column("first_id", sa.BigInteger(), nullable=False),
        sa.Column("last_id", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_removal")),
        sqlite_autoincrement=True,
    )
    op.create_index(op.f("ix_removal_generation"), "removal", ["generation"], unique=False)
    op.create_table(
        "vector",
        sa.Column("text_hash", sa.String(length=32), nullable=False),
        sa.Column("digest", sa.Text(), nullable=False),
        sa.Column("data", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("text_hash", "digest", name=op.f("pk_vector")),
    )
    op.create_table(
        "content",
        sa.Column("document", _KEY, nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["document"], ["document.number"], name=op.f("fk_content_document_document"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("document", name=op.f("pk_content")),
    )
    op.create_table(
        "document_group",
        sa.Column("document", _KEY, nullable=False),
        sa.Column("name", sa.String(length=255), nullable=False),
        sa.ForeignKeyConstraint(
            ["document"], ["document.number"], name=op.f("fk_document_group_document_document"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("document", "name", name=op.f("pk_document_group")),
    )
    op.create_index(op.f("ix_document_group_name"), "document_group", ["name"], unique=False)
    op.create_table(
        "document_metadata",
        sa.Column("document", _KEY, nullable=False),
        sa.Column("key", sa.String(length=255), nullable=False),
        sa.Column("value", sa.Text(), nullable=False),
        sa.Column("pair", sa.String(length=32), nullable=False),
        sa.ForeignKeyConstraint(
            ["document"], ["document.number"], name=op.f("fk_document_metadata_document_document"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("document", "key", name=op.f("pk_document_metadata")),
    )
    op.create_index(op.f("ix_document_metadata_pair"), "document_metadata", ["pair"], unique=False)
    op.create_table(
        "passage",
        sa.Column("id", _KEY, nullable=False),
        sa.Column("document", _KEY, nullable=False),
        sa.Column("ordinal", sa.Integer(), nullable=False),
        sa.Column("start", sa.BigInteger(), nullable=False),
        sa.Column("end", sa.BigInteger(), nullable=False),
        sa.Column("page", sa.Integer(), nullable=True),
        sa.Column("heading", sa.Text(), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("text_hash", sa.String(length=32), nullable=False),
        sa.ForeignKeyConstraint(
            ["document"], ["document.number"], name=op.f("fk_passage_document_document"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_passage")),
        sa.UniqueConstraint("document", "ordinal", name=op.f("uq_passage_document_ordinal")),
        sqlite_autoincrement=True,
    )
    op.create_index(op.f("ix_passage_text_hash"), "passage", ["text_hash"], unique=False)
    op.execute(
        sa.table(
            "index_state", *(sa.column(name) for name in ("id", "instance", "generation", "log_floor", "unfinished"))
        )
        .insert()
        .values(id=1, instance=secrets.token_hex(16), generation=0, log_floor=0, unfinished=sa.false())
    )


def downgrade() -> None:
    op.drop_index(op.f("ix_passage_text_hash"), table_name="passage")
    op.drop_table("passage")
    op.drop_index(op.f("ix_document_metadata_pair"), table_name="document_metadata")
    op.drop_table("document_metadata")
    op.drop_index(op.f("ix_document_group_name"), table_name="document_group")
    op.drop_table("document_group")
    op.drop_table("content")
    op.drop_table("vector")
    op.drop_index(op.f("ix_removal_generation"), table_name="removal")
    op.drop_table("removal")
    op.drop_table("index_state")
    op.drop_table("document")
