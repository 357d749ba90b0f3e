"""Alembic's entry point: run the steps on the connection that `migrate.py` hands over, inside its transaction."""

from alembic import context

from hlscam.adapters.catalog.schema import METADATA

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=METADATA,
    # SQLite rolls DDL back when we begin ourselves, which `engine.py` does; Alembic assumes otherwise.
    transactional_ddl=True,
    # SQLite changes a constraint only by copying the table.
    render_as_batch=True,
)
with context.begin_transaction():
    context.run_migrations()
