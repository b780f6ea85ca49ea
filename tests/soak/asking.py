"""What users do meanwhile: submit and terminate jobs, deploy and roll back; by the commands, and by what pages call."""

import json
import time
from pathlib import Path

from tests import stub_runner
from tests.soak.notes import Change, Notes
from tests.soak.schedule import LAYOUTS
from tests.soak.world import DIGITS, NAME, World
from workbench import recipes
from workbench.errors import WorkbenchError
from workbench.jobs import ENDED, Store
from workbench.verbs.requests import Request
from workbench.verbs.workbench import Workbench

RECIPE = Path(__file__).with_name("recipe")
MOST_OPEN = 5
"""Jobs that wait or run; more would only wait for the end."""


class Users:
    """They note what they were told; a command that fails is noted with what it said."""

    def __init__(self, world: World, notes: Notes) -> None:
        self._world, self._notes = world, notes
        self._ended: set[int] = set()

    def submit(self, number: int) -> None:
        """Ask for a training, unless many wait already."""
        if len(set(self._notes.submitted) - self._ended - self._notes.asked_to_end) >= MOST_OPEN:
            self._look()
            return
        ps, workers = LAYOUTS[number % len(LAYOUTS)]
        if self._world.small:
            self._submit_stub(ps, workers)
            return
        done = self._run(
            "submit", str(RECIPE), "--name", "soak", "--ps", str(ps), "--workers", str(workers),
            "--requester", ("ann", "bob")[number % 2],
        )  # fmt: skip
        if done is not None:
            self._notes.submitted.append(int(done))

    def terminate(self, number: int) -> None:
        """Ask for the end of one of the jobs that were submitted."""
        if not self._notes.submitted:
            return
        id = self._notes.submitted[-1 - number % min(2, len(self._notes.submitted))]
        self._notes.asked_to_end.add(id)
        if self._world.small:
            with self._store() as store:
                store.ask_terminate(id)
        else:
            self._run("terminate", str(id))

    def deploy(self, number: int) -> None:
        """Let one of the versions answer."""
        version = 1 + number % len(DIGITS)
        began = time.monotonic()
        done = self._run("deploy", f"{NAME}:{version}")
        self._notes.changes.append(Change(began, time.monotonic(), version, done is not None))

    def rollback(self) -> None:
        """Let the version before answer; which that is, the command says."""
        began = time.monotonic()
        done = self._run("rollback", NAME, "--json")
        version = None if done is None else int(json.loads(done)["version"])
        self._notes.changes.append(Change(began, time.monotonic(), version, done is not None))

    def _run(self, *arguments: str) -> str | None:
        """What the command printed; ``None`` if it failed."""
        done = self._world.chain.workbench(*arguments, check=False)
        if done.returncode == 0:
            return done.stdout
        self._notes.refused.append(f"{' '.join(arguments[:1])}: {done.stderr.strip()[-300:]}")
        return None

    def _submit_stub(self, ps: int, workers: int) -> None:
        """As a page does: its runners are started by what it was given."""
        settings = self._world.settings
        request = Request(name="soak", requester="ann", recipe=recipes.read(RECIPE), ps=ps, workers=workers)
        try:
            with self._store() as store:
                workbench = Workbench(
                    settings, store, start=lambda id, name: stub_runner.start(id, name, settings)
                )
                self._notes.submitted.append(workbench.jobs.submit(request))
        except WorkbenchError as error:
            self._notes.refused.append(f"submit: {error}")

    def _look(self) -> None:
        """Which of the jobs have ended meanwhile."""
        try:
            with self._store() as store:
                self._ended = {job.id for job in store.jobs(limit=1_000) if job.state in ENDED}
        except WorkbenchError as error:
            self._notes.refused.append(f"jobs: {error}")

    def _store(self) -> Store:
        return Store(self._world.settings.database_url)
