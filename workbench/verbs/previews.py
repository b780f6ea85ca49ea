"""Previews: drawing at a job while it trains."""

from workbench.jobs import Job
from workbench.settings import Settings
from workbench.tasks.preview import Preview, Wanted

__all__ = ["Preview", "Wanted", "open_preview"]


def open_preview(job: Job, settings: Settings) -> Preview:
    """A preview of a job that trains on this computer; nothing is started yet."""
    return Preview(job, settings)
