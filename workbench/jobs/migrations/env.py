"""Alembic runs this for every upgrade; the job store gives it the connection that it holds."""

from alembic import context

context.configure(connection=context.config.attributes["connection"])
with context.begin_transaction():
    context.run_migrations()
