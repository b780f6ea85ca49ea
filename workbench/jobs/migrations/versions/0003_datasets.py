"""The versions of data sets that a job was submitted with."""

import sqlalchemy as sa

from workbench.jobs.migrations import CODE, add_columns

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    """Add the column."""
    add_columns("jobs", sa.Column("datasets", CODE))
