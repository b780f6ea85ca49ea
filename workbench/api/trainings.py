"""Trainings: ask for one, follow it, end it."""

from pathlib import Path
from typing import TYPE_CHECKING

from workbench.errors import JobFailed
from workbench.events import Error
from workbench.jobs import Job as Row
from workbench.recipes import Recipe
from workbench.settings import Settings, from_environment
from workbench.system.waiting import wait_until
from workbench.verbs import logs
from workbench.verbs import recipes as recipe_verbs
from workbench.verbs.jobs import has_ended
from workbench.verbs.requests import Request
from workbench.verbs.workbench import opened

if TYPE_CHECKING:
    from ipywidgets import Widget

__all__ = ["Job", "Jobs", "Recipe", "job", "jobs", "submit"]

POLL_S = 0.5


class Job:
    """One training request; whatever is asked of it is as of now."""

    def __init__(self, id: int, settings: Settings) -> None:
        self._id, self._settings = id, settings

    def __repr__(self) -> str:
        row = self._row()
        return f"<Job {row.id} {row.name}: {row.state}>"

    @property
    def id(self) -> int:
        """Its number."""
        return self._id

    @property
    def name(self) -> str:
        """Name of the model that comes out of it."""
        return self._row().name

    @property
    def state(self) -> str:
        """``queued``, ``initializing``, ``training``, ``exporting``, ``completed``, ``failed`` or ``terminated``."""
        return self._row().state

    @property
    def accuracy(self) -> float | None:
        """Share of the held-out part that its version gets right, 0 to 1; ``None`` before, and for a regression."""
        return self._row().accuracy

    @property
    def error(self) -> Error | None:
        """Cause of its end, if it failed: ``role``, ``index``, ``message``, ``traceback``."""
        return self._row().error

    @property
    def step(self) -> int | None:
        """Steps done; ``None`` before the first."""
        return self._row().step

    @property
    def of(self) -> int | None:
        """Steps to do in all."""
        return self._row().of

    @property
    def version(self) -> int | None:
        """Number of the version that it has published."""
        return self._row().version

    def wait(self, timeout: float | None = None) -> "Job":
        """Wait until it has ended; meanwhile the queue goes on.

        Parameters
        ----------
        timeout
            Seconds; ``None`` for as long as it takes.

        Raises
        ------
        JobFailed
            It failed, with the user's own line, or was terminated.
        Unavailable
            It has not ended in this time; it goes on.
        """
        with opened(self._settings) as workbench:

            def look() -> Row | None:
                workbench.jobs.tick()
                row = workbench.store.job(self._id)
                return row if has_ended(row) else None

            row = wait_until(
                look,
                float("inf") if timeout is None else timeout,
                POLL_S,
                lambda: (
                    f"job {self._id} has not ended within {timeout:g} s; "
                    f"it is {workbench.store.job(self._id).state} and goes on"
                ),
            )
        assert row is not None
        if row.state == "completed":
            return self
        if row.error is None:
            raise JobFailed(f"job {self._id} was {row.state}", job=self._id)
        error = row.error
        raise JobFailed(
            f"job {self._id} {row.state}: {error.role} {error.index}: {error.message}",
            job=self._id,
            traceback=error.traceback,
        )

    def logs(self, role: str | None = None, index: int | None = None) -> str:
        """All that its machines wrote, each line behind its machine; of some machines where ``role`` is given."""
        written = []
        for log in logs.list_logs(self._row().id, self._settings):
            if role in (None, log.place.role) and index in (None, log.place.index):
                lines, _ = logs.read_lines(log)
                written += [f"{log.place}  {line}\n" for line in lines]
        return "".join(written)

    def terminate(self) -> "Job":
        """End it and its machines, and wait for that; one that has ended already stays as it is."""
        with opened(self._settings) as workbench:
            workbench.jobs.terminate(self._id)
        return self

    def retry(self, *, anew: bool = False) -> "Job":
        """Queue it again, from its checkpoint or ``anew``; raises ``BadInput`` unless it failed or was terminated."""
        with opened(self._settings) as workbench:
            workbench.jobs.retry(self._id, anew=anew)
        return self

    def show(self) -> "Widget":
        """Show it in a notebook, live: its curves, machines and logs, and the buttons to end, repeat and deploy it."""
        from workbench.ui import parts

        return parts.job(self._id, self._settings)

    def draw(self) -> "Widget":
        """Show a canvas whose answers come from its newest checkpoint, while it trains on this computer."""
        from workbench.ui import parts

        return parts.draw_at_jobs(self._settings, self._id)

    def _row(self) -> Row:
        with opened(self._settings) as workbench:
            return workbench.store.job(self._id)


def submit(
    recipe: str | Path | Recipe,
    *,
    name: str,
    ps: int = 0,
    workers: int = 1,
    provider: str = "local",
    cluster: str | None = None,
    epochs: int | None = None,
    requester: str | None = None,
    instance_type: str | None = None,
) -> Job:
    """Queue a training, and start it if it is its turn.

    Parameters
    ----------
    recipe
        A notebook, a folder, the name of a shipped recipe, or a ``Recipe``.
    name
        Of the model that comes out of it.
    cluster
        A standing cluster; else the job gets machines of its own.
    instance_type
        Of its machines, where the provider has types.

    Raises
    ------
    RecipeError
        With the field and line.
    BadInput, NotFound, Unavailable
        A value that no job can have; no such recipe or cluster; no such provider here.
    """
    settings = from_environment()
    request = Request(
        name=name,
        requester=requester or settings.requester,
        recipe=recipe if isinstance(recipe, Recipe) else recipe_verbs.read(recipe),
        ps=ps,
        workers=workers,
        epochs=epochs,
        provider=provider,
        cluster=cluster,
        instance_type=instance_type,
    )
    with opened(settings) as workbench:
        return Job(workbench.jobs.submit(request), settings)


def job(id: int) -> Job:
    """The job of that number; raises ``NotFound``."""
    settings = from_environment()
    with opened(settings) as workbench:
        return Job(workbench.store.job(id).id, settings)


class Jobs(list[Job]):
    """Jobs, the newest first; shown, they are the list of all, live."""

    def show(self) -> "Widget":
        """Show everybody's jobs in a notebook, live: open one, compare several, end or repeat your own."""
        from workbench.ui import parts

        return parts.jobs(from_environment())

    def draw(self) -> "Widget":
        """Show a canvas for the model of a job that trains now; its answers change as it learns."""
        from workbench.ui import parts

        return parts.draw_at_jobs(from_environment())


def jobs(*, state: str | None = None, requester: str | None = None, limit: int = 50) -> Jobs:
    """The newest jobs."""
    settings = from_environment()
    with opened(settings) as workbench:
        found = workbench.store.jobs(state=state, requester=requester, limit=limit)
    return Jobs(Job(row.id, settings) for row in found)
