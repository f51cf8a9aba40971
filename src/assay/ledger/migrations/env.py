"""Alembic's entry: runs on the connection `assay.ledger.database` passes in."""

from alembic import context

from assay.ledger.database import metadata

connection = context.config.attributes["connection"]
context.configure(connection=connection, target_metadata=metadata, render_as_batch=connection.dialect.name == "sqlite")
with context.begin_transaction():
    context.run_migrations()
