"""The workbench that is to be shaken: a home of its own with models whose answers are known, and what it stands on."""

import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from backend.deployments.store import Deployments
from tests.browser import made_models
from tests.chain import Chain, answers, end_chain, make_settings, start_chain, wait_until
from tests.jobs import mariadb
from tests.soak.disk import Disk, missing, mounted
from workbench import artifact
from workbench.jobs import Store
from workbench.settings import PROJECT, Settings

NAME = "mnist-cnn"
DIGITS = {1: 3, 2: 8, 3: 5, 4: 0}
"""What each published version says to every drawing."""
SMALL = ("backend", "frontend")


@dataclass(frozen=True)
class World:
    """A workbench that is up.

    Attributes
    ----------
    small
        Without Jupyter and the queue; machines are stubs, so no TensorFlow is anywhere.
    skipped
        What cannot be done here, with the reason.
    """

    chain: Chain
    small: bool
    skipped: tuple[str, ...]
    server: mariadb.Server | None = None
    disk: Disk | None = None

    @property
    def settings(self) -> Settings:
        return self.chain.settings


@contextmanager
def open_world(home: Path, ports: list[int], *, small: bool = False) -> Iterator[World]:
    """Start it all in an empty home, wait until it answers, and end it."""
    skipped = []
    more: dict[str, str] = {}
    with ExitStack() as stack:
        server = small_disk = None
        if small:
            skipped += [
                "Jupyter, the queue, MariaDB, a full disk, TensorFlow: the small world has none of them"
            ]
            more["WORKBENCH_MAX_JOBS"] = "2"
        else:
            if reason := missing():
                skipped.append(f"a full disk: {reason}")
            else:
                try:
                    small_disk = stack.enter_context(mounted(home))
                except OSError as error:
                    skipped.append(f"a full disk: {error}")
            if reason := mariadb.missing():
                skipped.append(f"MariaDB: {reason}; the store is SQLite")
            else:
                server = stack.enter_context(mariadb.run_server(keeps_all=True))
                more["WORKBENCH_DATABASE_URL"] = server.create_database("owner", "soak")
        settings = make_settings(home, **more)
        _deploy_first(settings)
        chain = start_chain(home, ports, only=SMALL if small else (), **more)
        stack.callback(end_chain, chain)
        wait_until(lambda: answers(f"{chain.page}/api/readyz"), 120, "the front end", chain)
        if not small:
            wait_until(lambda: "dashboard ready" in chain.log.read_text(), 120, "the dashboard", chain)
        Store(settings.database_url).close()  # its tables are there before anybody asks
        if small:
            stack.enter_context(_stub_queue(chain))
        yield World(chain, small, tuple(skipped), server, small_disk)


def _deploy_first(settings: Settings) -> None:
    """Publish all versions and have the first one answer, so that ``up`` need not train one."""
    (settings.backend / "models").mkdir(parents=True)
    deployments = Deployments(settings.backend)
    for number, digit in DIGITS.items():
        version = made_models.publish(settings, digit, name=NAME)
        assert version.version == number
        if number == 1:
            with tempfile.TemporaryDirectory() as aside:
                deployments.push(NAME, 1, artifact.pack(version.folder, Path(aside) / "version.zip"))
            deployments.activate(NAME, 1)


@contextmanager
def _stub_queue(chain: Chain) -> Iterator[None]:
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.soak.stub_queue"], env=chain.environment, cwd=PROJECT
    )
    try:
        yield
    finally:
        process.kill()
        process.wait()
