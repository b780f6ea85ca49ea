"""What machines report: metrics, phases and errors, and the job's progress."""

import sqlalchemy as sa

from workbench.jobs.migrations import CODE, ID, add_columns, create_index, create_table

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Add the tables that events are replayed into."""
    add_columns(
        "jobs",
        sa.Column("step", ID),
        sa.Column("of", ID),
        sa.Column("epoch", ID),
        sa.Column("loss", sa.Double),
        sa.Column("train_accuracy", sa.Double),
        sa.Column("val_loss", sa.Double),
        sa.Column("val_accuracy", sa.Double),
        sa.Column("images_per_s", sa.Double),
        sa.Column("eta_s", sa.Double),
        sa.Column("metric_t", sa.Double),
        sa.Column("validation_t", sa.Double),
        sa.Column("metrics", ID, nullable=False, server_default="0"),
        sa.Column("validations", ID, nullable=False, server_default="0"),
    )
    create_table(
        "metrics",
        sa.Column("job", ID, sa.ForeignKey("jobs.id"), primary_key=True, autoincrement=False),
        sa.Column("origin", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("validation", sa.Boolean, primary_key=True),
        sa.Column("step", ID, primary_key=True, autoincrement=False),
        sa.Column("t", sa.Double, primary_key=True),
        sa.Column("epoch", ID, nullable=False),
        sa.Column("loss", sa.Double),
        sa.Column("accuracy", sa.Double),
        sa.Column("images_per_s", sa.Double),
        sa.Column("live", sa.Boolean, nullable=False),
        sa.Column("level", sa.Integer, nullable=False),
    )
    create_index("ix_metrics_level", "metrics", ["job", "origin", "validation", "live", "level"])
    create_table(
        "phases",
        sa.Column("job", ID, sa.ForeignKey("jobs.id"), primary_key=True, autoincrement=False),
        sa.Column("role", sa.String(16), primary_key=True),
        sa.Column("index", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("t", sa.Double, primary_key=True),
        sa.Column("phase", sa.String(16), nullable=False),
    )
    create_table(
        "errors",
        sa.Column("id", ID, primary_key=True),
        sa.Column("job", ID, sa.ForeignKey("jobs.id"), nullable=False),
        sa.Column("role", sa.String(16), nullable=False),
        sa.Column("index", sa.Integer, nullable=False),
        sa.Column("t", sa.Double, nullable=False),
        sa.Column("message", CODE, nullable=False),
        sa.Column("field", sa.String(16)),
        sa.Column("line", sa.Integer),
        sa.Column("traceback", CODE, nullable=False),
        sa.Column("ended", sa.Integer),
        sa.UniqueConstraint("job", "role", "index", "t", name="uq_errors"),
        sa.UniqueConstraint("job", "ended", name="uq_errors_ended"),
    )
