"""AWS for tests: one emulator for a session, a new account for each test."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.emulator import Emulator
from tests.packages import made

NOTICE = "Only a 'test'"


@pytest.fixture(scope="session")
def running_emulator(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Emulator]:
    """The process, with the most real machines that this system allows; their uv finds two packages made here."""
    folder = _folder(tmp_path_factory, "machines")
    made.environment(folder.parent / "packages")
    wheels = folder.parent / "packages" / "wheels"
    with Emulator(folder, minute_s=1, notice=NOTICE, packages=wheels) as emulator:
        yield emulator


@pytest.fixture
def emulator(running_emulator: Emulator, monkeypatch: pytest.MonkeyPatch) -> Iterator[Emulator]:
    """A new account, its keys in the environment; nothing of it is left afterwards."""
    yield from _new_account(running_emulator, monkeypatch)


@pytest.fixture(scope="session")
def running_folders(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Emulator]:
    """One whose machines are folders, whatever else the system allows: they start at once."""
    with Emulator(_folder(tmp_path_factory, "folders"), "proc", minute_s=1, notice=NOTICE) as emulator:
        yield emulator


@pytest.fixture
def proc_emulator(running_folders: Emulator, monkeypatch: pytest.MonkeyPatch) -> Iterator[Emulator]:
    """A new account where machines are folders and loopback addresses."""
    yield from _new_account(running_folders, monkeypatch)


@pytest.fixture(scope="session")
def running_states(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Emulator]:
    """One whose machines do not run."""
    with Emulator(_folder(tmp_path_factory, "states"), "proc", boot=False) as emulator:
        yield emulator


@pytest.fixture
def still_emulator(running_states: Emulator, monkeypatch: pytest.MonkeyPatch) -> Iterator[Emulator]:
    """A new account where machines are states only, for thousands of them."""
    yield from _new_account(running_states, monkeypatch)


def _new_account(emulator: Emulator, monkeypatch: pytest.MonkeyPatch) -> Iterator[Emulator]:
    for name in [n for n in os.environ if n.startswith("AWS_")]:
        monkeypatch.delenv(name)
    for name, value in emulator.environ.items():
        monkeypatch.setenv(name, value)
    try:
        yield emulator
        if complaints := emulator.complaints():
            raise AssertionError(f"the emulator could not do its own part: {complaints}")
    finally:
        emulator.reset()


def _folder(tmp_path_factory: pytest.TempPathFactory, name: str) -> Path:
    return tmp_path_factory.mktemp("aws") / name
