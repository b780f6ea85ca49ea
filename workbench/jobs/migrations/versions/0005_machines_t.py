"""Since when a job's machines existed, from which its cost counts: not while the recipe was checked, or no machine could be had."""

import sqlalchemy as sa
from alembic import op

from workbench.jobs.migrations import add_columns

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    """Add the column; for jobs from before, their time counts as it did."""
    add_columns("job_times", sa.Column("machines_t", sa.Double))
    times = sa.table("job_times", sa.column("state"), sa.column("t"), sa.column("machines_t"))
    begun = sa.and_(times.c.state == "initializing", times.c.machines_t.is_(None))
    op.execute(times.update().where(begun).values(machines_t=times.c.t))
