"""Jobs whose leading machine does its work, and harm in its own folder.

The machines are entries of a dictionary; what a hostile recipe does in its process is done here.
"""

import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.chain import PATIENCE
from tests.runner.stand import RULES, leads, submit, train
from tests.stub_tools import measures, passes
from workbench import runner
from workbench.jobs import Job, Store
from workbench.machines import Machine
from workbench.machines.fake import FakeProvider
from workbench.settings import Settings

SECRET = '{"token": "5EcReT", "labels": ["5EcReT"]}'
Deed = Callable[[Path, Path], None]
"""Does harm in the job's folder; the second path is a file that only the workbench may read."""


@pytest.fixture
def secret(settings: Settings, store: Store) -> Path:
    del store
    place = settings.home / "run" / "services.json"
    place.parent.mkdir()
    place.write_text(SECRET)
    return place


def attack(store: Store, settings: Settings, deed: Deed, secret: Path, *, first: bool = False) -> Job:
    """Run a job whose leading machine does its work and harm; ``first``: before it has reported anything."""
    submit(store)

    def does_harm(provider: FakeProvider, machine: Machine, folder: Path) -> None:
        if leads(machine, folder):
            if first:
                deed(folder, secret)
            else:
                train(machine, folder)
                deed(folder, secret)
        provider.end(machine.cluster, machine.place, 0)

    job = store.claim("me", cap=1)
    assert job is not None
    began = time.monotonic()
    runner.run(
        job.id,
        "me",
        store,
        settings,
        provider=FakeProvider(does_harm),
        check=passes,
        measure=measures,
        rules=RULES,
    )
    assert time.monotonic() - began < 15 * PATIENCE
    return store.job(job.id)


def nothing_leaked(settings: Settings) -> None:
    """The secret stands nowhere but in its own file, not in what is published, shown or kept."""
    for path in settings.home.rglob("*"):
        if (
            path.is_file()
            and not path.is_symlink()
            and path.stat().st_nlink == 1
            and path.name != "services.json"
        ):
            assert b"5EcReT" not in path.read_bytes(), path
