"""Machines for tests: providers with a stub node in place of TensorFlow, one warm process for a whole session."""

import json
import os
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.chain import make_settings
from workbench.machines import Machine, Provider
from workbench.machines.fake import FakeProvider
from workbench.machines.local.provider import LocalProvider, end_all

ENDLESS = "STEPS = 10**6\n"


@dataclass
class Bench:
    """A provider and what tests need to use it."""

    provider: Provider
    again: Callable[[], Provider]
    """Another one for the same machines, as another process would have it."""
    home: Path
    crash: Callable[[Machine], None]
    """Ends a machine's process from outside with signal 9."""
    works: bool = True
    """Whether machines do what their job's recipe says."""

    def job(self, number: int = 1, recipe: str = ENDLESS) -> Path:
        """A job's folder as the runner leaves it to the machines."""
        folder = self.home / "jobs" / str(number)
        (folder / "recipe").mkdir(parents=True)
        (folder / "recipe" / "training.py").write_text(recipe)
        (folder / "job.json").write_text(json.dumps({"job": number}))
        return folder


def make_local(home: Path, *, isolate: bool = True) -> LocalProvider:
    """The local provider with the stub node."""
    return LocalProvider(
        make_settings(home), node="tests.stub_node", imported=["tests.stub_node"], isolate=isolate
    )


@pytest.fixture(scope="session")
def warm_home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """One home, so one warm process, for all tests with the stub node."""
    home = tmp_path_factory.mktemp("warm") / "home"
    home.mkdir()
    try:
        yield home
    finally:
        end_all(make_settings(home))


@pytest.fixture
def local_bench(warm_home: Path) -> Callable[[bool], Bench]:
    """Gives the local provider, with a sandbox or without."""

    def give(isolate: bool) -> Bench:
        provider = make_local(warm_home, isolate=isolate)
        if isolate and provider.warnings:
            pytest.skip(f"this system does not shut machines in: {provider.warnings[0]}")
        return Bench(provider, lambda: make_local(warm_home, isolate=isolate), warm_home, _kill)

    return give


@pytest.fixture
def local(local_bench: Callable[[bool], Bench], warm_home: Path) -> Iterator[Bench]:
    """The local provider as it is used; nothing is left of what a test did with it."""
    yield local_bench(True)
    clear(warm_home)


@pytest.fixture
def open_local(local_bench: Callable[[bool], Bench], warm_home: Path) -> Iterator[Bench]:
    """The local provider where the system allows no isolation."""
    yield local_bench(False)
    clear(warm_home)


@pytest.fixture
def fake(tmp_path: Path) -> Bench:
    """The provider in memory."""
    provider = FakeProvider()
    return Bench(provider, lambda: provider, tmp_path, lambda m: provider.end(m.cluster, m.place, -9), False)


def clear(home: Path) -> None:
    """End the clusters of a home and forget its jobs."""
    provider = make_local(home)
    for name in {machine.cluster for machine in provider.machines()}:
        provider.terminate(name)
    shutil.rmtree(home / "jobs", ignore_errors=True)
    (home / "jobs").mkdir(mode=0o711)


def _kill(machine: Machine) -> None:
    assert machine.pid is not None
    os.kill(machine.pid, 9)
