"""What all tests share: a home of their own, free ports, the data sets, and the whole chain running once."""

import os
import socket
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.chain import Chain, answers, end_chain, make_settings, start_chain, wait_until
from workbench import datasets
from workbench.settings import Settings, from_environment

pytest_plugins = ("tests.machines",)


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
    """Gives so many TCP ports of 127.0.0.1 that nobody listens on."""

    def give(count: int) -> list[int]:
        sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
        ports = [s.getsockname()[1] for s in sockets]
        for s in sockets:
            s.close()
        return ports

    return give


@pytest.fixture(scope="session")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with MNIST in it, fetched at most once."""
    folder = tmp_path_factory.mktemp("shared") / "data"
    at_home = from_environment({}).data / "mnist.npz"
    if at_home.exists():
        folder.mkdir()
        (folder / "mnist.npz").symlink_to(at_home)
    datasets.load("mnist", make_settings(folder.parent))
    return folder


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """Settings with an empty home."""
    return make_settings(tmp_path / "home")


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
