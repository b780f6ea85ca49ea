"""What all tests share: a home of their own, free ports, the data sets, and the whole chain running once.

Several processes run the suite (pytest-xdist). What is slow to start is shared within one of them, so all tests that
use the same one form a group that stays together.
"""

import contextlib
import itertools
import os
import socket
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import hypothesis
import psutil
import pytest

from tests.chain import Chain, answers, end_chain, make_settings, start_chain, wait_until
from workbench import datasets
from workbench.settings import Settings, from_environment
from workbench.system.locks import locked

hypothesis.settings.register_profile(  # the same examples in every run; other work on the computer is no flaw
    "ours", deadline=None, derandomize=True, suppress_health_check=[hypothesis.HealthCheck.too_slow]
)
hypothesis.settings.load_profile("ours")

pytest_plugins = ("tests.emulator.fixtures", "tests.machines.bench")

SHARED_BY_FOLDER = {
    "backend": "backend",
    "jobs": "jobs",
    "node": "node",
    "tasks": "tasks",
    "application": "application",
    "backends": "backends",
    "browser/drawing_page": "drawing_page",
    "browser/page_modules": "page_modules",
    "ui/serving": "serving_page",
    "machines": "machines",
    **dict.fromkeys(("aws", "emulator"), "emulator"),
}
"""Folders below ``tests`` and what their files share: a server, a database, a process that has imported TensorFlow, a
page, or an emulator of AWS."""
LONGEST_FIRST = (
    "chain",
    "machines",
    "node",
    "backend",
    "application",
    "notebook_page",
    "faults",
    "drawing_page",
    "dashboard",
    "emulator",
    "cluster_page",
    "soak",
    "jobs",
    "notebooks",
    "serving",
)
"""Parts of the names of groups; what is not named comes after them."""
SLOW = {
    # folders that start services, machines, browsers or TensorFlow
    *(
        "application",
        "attack",
        "aws",
        "browser",
        "emulator",
        "faults",
        "fuzz",
        "machines",
        "node",
        "notebooks",
    ),
    *("screenshots", "soak", "upstream"),
    # files of the other folders that do, or that take long
    "backend/corrections/test_corrections.py",
    "backend/deployments/test_kinds.py",
    "backend/deployments/test_load.py",
    "backend/http/test_openapi.py",
    "backend/inside/test_inside.py",
    "backend/server/test_clients.py",
    "backend/server/test_gunicorn.py",
    "backend/tfserving/test_grpc.py",
    "backend/untrusted/test_brought_files.py",
    "backend/untrusted/test_brought_models.py",
    "backend/untrusted/test_confined.py",
    "backend/untrusted/test_model_servers.py",
    "backend/untrusted/test_serve.py",
    "backends/test_contract.py",
    "backends/test_http.py",
    "dashboard/forked",
    "dashboard/test_descriptors.py",
    "dashboard/test_download.py",
    "dashboard/test_ending.py",
    "dashboard/test_kernels.py",
    "datasets/test_datasets.py",
    "datasets/test_killed.py",
    "diagnosis/test_account.py",
    "jobs/test_together.py",
    "pictures/test_bitstreams.py",
    "pictures/test_papers.py",
    "runner/test_asked.py",
    "runner/test_deaths.py",
    "runner/test_runner.py",
    "runner/test_turns.py",
    "services/test_apache.py",
    "services/test_up_only.py",
    "sweeps/test_driving.py",
    "sweeps/test_unattended.py",
    "tasks",
    "test_api.py",
    "test_chain.py",
    "test_extras.py",
    "test_first_model.py",
    "test_layers.py",
    "test_supply.py",
    "test_wheel.py",
}
"""What ``make test-fast`` leaves out, below ``tests``."""
SLOW_TESTS = {
    "test_the_code_is_formatted_linted_and_typed",
    "test_the_examples_in_docstrings_are_true[workbench/layers.py]",  # imports TensorFlow
    "test_the_site_is_built_without_a_complaint_and_loads_nothing_from_elsewhere",
    "test_weights_of_classes_are_computed_of_the_data_as_in_the_notebook",  # imports TensorFlow
}
"""With their parameters, or all that have the name."""
LONGEST_NAME = 24
"""Bytes of a parameter that still stand in a test's name."""
SLOW_FIXTURES = {
    "chain",
    "data",
    "emulator",
    "mariadb",
    "proc_emulator",
    "server",
    "still_emulator",
    "strange",
    "warm_home",
}
"""Of tests in the other files; ``mariadb`` is the parameter of one."""
PORTS = range(12_000, 20_000)
"""Below those that Linux gives to outgoing connections, and beside the machines' (``machines.local.provider.PORTS``)."""
PORTS_EACH = 1_000
MOST_PROCESSES = 4
MEMORY_EACH = 4 * 1024**3
"""Bytes for one of the processes that run the tests, with what its tests start."""


def pytest_make_parametrize_id(val: object, argname: str) -> str | None:
    """Name a test by what it is given, but not by the bytes of a file, which may hold the time when it was made."""
    return argname if isinstance(val, bytes) and len(val) > LONGEST_NAME else None


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--fast", action="store_true", help="leave out what starts services, browsers or TensorFlow"
    )


def pytest_xdist_auto_num_workers(config: pytest.Config) -> int:
    """Run two processes a core: many tests wait, for a browser, a machine's start or a job's end."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    room = psutil.virtual_memory().total // MEMORY_EACH
    return max(1, min(cores * 2, room, MOST_PROCESSES))


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """Do not even import what is slow, if only the fast tests are asked for."""
    name = str(collection_path.relative_to(Path(__file__).parent))
    return True if config.option.fast and name in SLOW else None


@pytest.hookimpl(tryfirst=True)  # before xdist reads the marks
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Keep together what shares something, and begin with what takes longest."""
    if config.option.fast:
        if "tensorflow" in sys.modules:
            raise pytest.UsageError(
                "one of the fast tests imports TensorFlow: five CPU seconds for each process"
            )
        slow = [item for item in items if _is_slow(item)]
        config.hook.pytest_deselected(items=slow)
        items[:] = [item for item in items if item not in slow]
    for item in items:
        item.add_marker(pytest.mark.xdist_group(_group(item)))
    items.sort(key=lambda item: _turn(_group(item)))


def _is_slow(item: pytest.Item) -> bool:
    parameters = getattr(item, "callspec", None)
    asked = [*getattr(item, "fixturenames", ()), *(parameters.params.values() if parameters else ())]
    names = {item.name, getattr(item, "originalname", item.name)}
    return bool(names & SLOW_TESTS) or any(isinstance(one, str) and one in SLOW_FIXTURES for one in asked)


def _group(item: pytest.Item) -> str:
    if "chain" in getattr(item, "fixturenames", ()):
        return "chain"
    path = item.path.relative_to(Path(__file__).parent)
    shared = (SHARED_BY_FOLDER.get(folder.as_posix()) for folder in path.parents)
    return next((name for name in shared if name), str(path))


def _turn(group: str) -> int:
    return next((n for n, part in enumerate(LONGEST_FIRST) if part in group), len(LONGEST_FIRST))


@pytest.fixture(autouse=True, scope="session")
def _no_settings_from_outside() -> Iterator[None]:
    """The tests' own settings, not those of whoever runs them."""
    kept = {
        name: os.environ.pop(name) for name in list(os.environ) if name.startswith(("WORKBENCH_", "AWS_"))
    }
    yield
    os.environ.update(kept)


@pytest.fixture(scope="session")
def free_ports() -> Callable[[int], list[int]]:
    """Gives so many TCP ports of 127.0.0.1 that nobody listens on; never one that it gave before, if it can.

    It begins anywhere among its own: another run of the tests on this computer has the same ones.
    """
    number = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))
    first = PORTS.start + number * PORTS_EACH % len(PORTS)
    own = itertools.cycle(range(first, first + PORTS_EACH))
    candidates = itertools.islice(own, os.getpid() % PORTS_EACH, None)

    def give(count: int) -> list[int]:
        return list(itertools.islice(filter(_is_free, candidates), count))

    return give


def _is_free(port: int) -> bool:
    with socket.socket() as trial, contextlib.suppress(OSError):
        trial.bind(("127.0.0.1", port))
        return True
    return False


@pytest.fixture(scope="session")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with MNIST and the pen strokes in it, fetched and drawn at most once by all processes of a run."""
    own = tmp_path_factory.getbasetemp()
    folder = (own.parent if "PYTEST_XDIST_WORKER" in os.environ else own) / "shared" / "data"
    folder.mkdir(parents=True, exist_ok=True)
    home = from_environment({})
    with locked(folder.parent / ".lock"):
        for name in ("mnist", "pen-strokes"):
            file = folder / f"{name}.npz"
            if not file.exists() and datasets.is_here(name, home):
                file.symlink_to(home.data / file.name)
            datasets.load(name, make_settings(folder.parent))
    return folder


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """Settings with an empty home."""
    return make_settings(tmp_path / "home")


@pytest.fixture
def own_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home that is not there yet, which the test's own process and its commands take for theirs."""
    home = tmp_path / "home"
    monkeypatch.setenv("WORKBENCH_HOME", str(home))
    return home


@pytest.fixture(scope="session")
def chain(
    tmp_path_factory: pytest.TempPathFactory, data: Path, free_ports: Callable[[int], list[int]]
) -> Iterator[Chain]:
    """The whole chain, from ``workbench up`` in an empty home to a deployed first model; shared, so leave it whole."""
    home = tmp_path_factory.mktemp("chain") / "home"
    home.mkdir()
    (home / "data").symlink_to(data)
    began = time.monotonic()
    chain = start_chain(home, free_ports(3))
    try:
        wait_until(lambda: answers(f"{chain.backend}/readyz"), 280, "the first model", chain)
        chain.first_digit_s = time.monotonic() - began
        wait_until(lambda: "dashboard ready" in chain.log.read_text(), 90, "the dashboard", chain)
        yield chain
    finally:
        end_chain(chain)
