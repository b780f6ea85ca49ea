"""The packages that a recipe needs, and the files that lie beside its code."""

import sqlalchemy as sa

from workbench.jobs.migrations import CODE, add_columns

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    """Add the columns."""
    add_columns("recipes", sa.Column("requirements", CODE), sa.Column("files", CODE))
