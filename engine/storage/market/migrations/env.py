"""Run by Alembic: writes each step as SQL text, which the database's own driver then executes in one transaction."""

from __future__ import annotations

from alembic import context

context.configure(
    dialect_name=context.config.attributes["dialect"],
    as_sql=True,
    output_buffer=context.config.attributes["statements"],
    transactional_ddl=False,
)
context.run_migrations()
