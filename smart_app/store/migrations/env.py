"""Runs the steps on the connection the store hands over, inside its transaction; there is no ini file."""

from __future__ import annotations

from alembic import context

from smart_app.store.tables import TABLES

context.configure(connection=context.config.attributes["connection"], target_metadata=TABLES)
with context.begin_transaction():
    context.run_migrations()
