"""The tables as the queries see them; ``workbench/migrations`` makes them, and a test compares the two."""

import sqlalchemy as sa
from sqlalchemy.dialects.mysql import LONGTEXT

LARGEST = 2**63 - 1


class Number(sa.TypeDecorator[int]):
    """A whole number of 64 bits; one that is larger is compared as the largest, which no row has."""

    impl = sa.BigInteger().with_variant(sa.Integer, "sqlite")
    cache_ok = True

    def process_bind_param(self, value: int | None, dialect: sa.Dialect) -> int | None:
        """Keep what people type within what a database takes."""
        return value if value is None else max(-LARGEST, min(value, LARGEST))


ID = Number()
CODE = sa.Text().with_variant(LONGTEXT, "mysql")
NAME = sa.String(255)
WORD = sa.String(16)

metadata = sa.MetaData()

recipes = sa.Table(
    "recipes",
    metadata,
    sa.Column("sha256", sa.String(64), primary_key=True),
    sa.Column("helpers", CODE, nullable=False),
    sa.Column("preprocessing", CODE, nullable=False),
    sa.Column("training", CODE, nullable=False),
    # Packages, a line each; and JSON: path, size and sha256 of each file beside the code, which the home keeps.
    sa.Column("requirements", CODE),
    sa.Column("files", CODE),
)

jobs = sa.Table(
    "jobs",
    metadata,
    sa.Column("id", ID, primary_key=True),
    sa.Column("name", NAME, nullable=False),
    sa.Column("requester", NAME, nullable=False),
    sa.Column("recipe", sa.ForeignKey("recipes.sha256"), nullable=False),
    sa.Column("ps", sa.Integer, nullable=False),
    sa.Column("workers", sa.Integer, nullable=False),
    sa.Column("epochs", sa.Integer),
    sa.Column("provider", NAME, nullable=False),
    sa.Column("instance_type", NAME),
    sa.Column("cluster", NAME),
    sa.Column("price_per_hour", sa.Double),
    sa.Column("state", WORD, nullable=False),
    # How often it was queued, and which of these times it began from nothing.
    sa.Column("attempt", sa.Integer, nullable=False),
    sa.Column("origin", sa.Integer, nullable=False),
    sa.Column("queued_t", sa.Double, nullable=False),
    sa.Column("origin_t", sa.Double, nullable=False),
    # The place of its start among all starts; what makes turns fair.
    sa.Column("turn", ID),
    sa.Column("runner", NAME),
    sa.Column("lease_until", sa.Double),
    sa.Column("terminate_t", sa.Double),
    sa.Column("version", sa.Integer),
    sa.Column("accuracy", sa.Double),
    # Progress: the newest metric, and the newest validation.
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
    # How many rows of each kind `metrics` has since the origin.
    sa.Column("metrics", ID, nullable=False, server_default="0"),
    sa.Column("validations", ID, nullable=False, server_default="0"),
    # JSON: the version and content of each data set that the recipe names.
    sa.Column("datasets", CODE),
    sa.Index("ix_jobs_state", "provider", "state"),
    sa.Index("ix_jobs_requester", "requester", "turn"),
)

job_times = sa.Table(
    "job_times",
    metadata,
    sa.Column("id", ID, primary_key=True),
    sa.Column("job", sa.ForeignKey("jobs.id"), nullable=False),
    sa.Column("attempt", sa.Integer, nullable=False),
    sa.Column("state", WORD, nullable=False),
    sa.Column("t", sa.Double, nullable=False),
    # Of a row of `initializing`: since when machines existed in this attempt; without any, nothing has cost yet.
    sa.Column("machines_t", sa.Double),
    sa.Index("ix_job_times_job", "job"),
)

machines = sa.Table(
    "machines",
    metadata,
    sa.Column("job", sa.ForeignKey("jobs.id"), primary_key=True),
    sa.Column("role", WORD, primary_key=True),
    sa.Column("index", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("state", WORD, nullable=False),
    sa.Column("pid", ID),
    sa.Column("instance", NAME),
)

turns = sa.Table(
    "turns",
    metadata,
    # One row. Who changes it holds it, so that jobs are given out one at a time.
    sa.Column("id", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("taken", ID, nullable=False),
)

metrics = sa.Table(
    "metrics",
    metadata,
    sa.Column("job", sa.ForeignKey("jobs.id"), primary_key=True),
    sa.Column("origin", sa.Integer, primary_key=True, autoincrement=False),
    # A report at an epoch's end gives two rows: one of the training, one of the validation.
    sa.Column("validation", sa.Boolean, primary_key=True),
    sa.Column("step", ID, primary_key=True, autoincrement=False),
    sa.Column("t", sa.Double, primary_key=True),
    sa.Column("epoch", ID, nullable=False),
    sa.Column("loss", sa.Double),
    sa.Column("accuracy", sa.Double),
    sa.Column("images_per_s", sa.Double),
    # False: training went back to a checkpoint before this step and did it again.
    sa.Column("live", sa.Boolean, nullable=False),
    # Every 2nd row has at least level 1, every 4th at least level 2, …: the highest levels are the thinned curve.
    sa.Column("level", sa.Integer, nullable=False),
    sa.Index("ix_metrics_level", "job", "origin", "validation", "live", "level"),
)

phases = sa.Table(
    "phases",
    metadata,
    sa.Column("job", sa.ForeignKey("jobs.id"), primary_key=True),
    sa.Column("role", WORD, primary_key=True),
    sa.Column("index", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("t", sa.Double, primary_key=True),
    sa.Column("phase", WORD, nullable=False),
)

errors = sa.Table(
    "errors",
    metadata,
    sa.Column("id", ID, primary_key=True),
    sa.Column("job", sa.ForeignKey("jobs.id"), nullable=False),
    sa.Column("role", WORD, nullable=False),
    sa.Column("index", sa.Integer, nullable=False),
    sa.Column("t", sa.Double, nullable=False),
    sa.Column("message", CODE, nullable=False),
    sa.Column("field", WORD),
    sa.Column("line", sa.Integer),
    sa.Column("traceback", CODE, nullable=False),
    # The attempt that this error ended; most errors are only part of the story.
    sa.Column("ended", sa.Integer),
    sa.UniqueConstraint("job", "role", "index", "t", name="uq_errors"),
    sa.UniqueConstraint("job", "ended", name="uq_errors_ended"),
)
