"""Jobs, their recipes, the times of their states and their machines."""

import sqlalchemy as sa
from alembic import op

from workbench.jobs.migrations import CODE, ID, NAME, create_index, create_table

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Create the first tables."""
    create_table(
        "recipes",
        sa.Column("sha256", sa.String(64), primary_key=True),
        sa.Column("helpers", CODE, nullable=False),
        sa.Column("preprocessing", CODE, nullable=False),
        sa.Column("training", CODE, nullable=False),
    )
    create_table(
        "jobs",
        sa.Column("id", ID, primary_key=True),
        sa.Column("name", NAME, nullable=False),
        sa.Column("requester", NAME, nullable=False),
        sa.Column("recipe", sa.String(64), sa.ForeignKey("recipes.sha256"), nullable=False),
        sa.Column("ps", sa.Integer, nullable=False),
        sa.Column("workers", sa.Integer, nullable=False),
        sa.Column("epochs", sa.Integer),
        sa.Column("provider", NAME, nullable=False),
        sa.Column("instance_type", NAME),
        sa.Column("cluster", NAME),
        sa.Column("price_per_hour", sa.Double),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("attempt", sa.Integer, nullable=False),
        sa.Column("origin", sa.Integer, nullable=False),
        sa.Column("queued_t", sa.Double, nullable=False),
        sa.Column("origin_t", sa.Double, nullable=False),
        sa.Column("turn", ID),
        sa.Column("runner", NAME),
        sa.Column("lease_until", sa.Double),
        sa.Column("terminate_t", sa.Double),
        sa.Column("version", sa.Integer),
        sa.Column("accuracy", sa.Double),
    )
    create_index("ix_jobs_state", "jobs", ["provider", "state"])
    create_index("ix_jobs_requester", "jobs", ["requester", "turn"])
    create_table(
        "job_times",
        sa.Column("id", ID, primary_key=True),
        sa.Column("job", ID, sa.ForeignKey("jobs.id"), nullable=False),
        sa.Column("attempt", sa.Integer, nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("t", sa.Double, nullable=False),
    )
    create_index("ix_job_times_job", "job_times", ["job"])
    create_table(
        "machines",
        sa.Column("job", ID, sa.ForeignKey("jobs.id"), primary_key=True),
        sa.Column("role", sa.String(16), primary_key=True),
        sa.Column("index", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("pid", ID),
        sa.Column("instance", NAME),
    )
    create_table(
        "turns",
        sa.Column("id", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("taken", ID, nullable=False),
    )
    turns = sa.table("turns", sa.column("id"), sa.column("taken"))
    if not op.get_bind().execute(sa.select(turns.c.id)).first():
        op.bulk_insert(turns, [{"id": 1, "taken": 0}])
