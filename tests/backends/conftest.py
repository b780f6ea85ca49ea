"""The back ends that keep one contract: in memory, over HTTP, and on AWS, each with its visitors."""

import itertools
import json
import os
import subprocess
import sys
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.backend import making, real_server
from tests.chain import make_settings
from tests.emulator import Emulator
from workbench.backends.base import BackEnd
from workbench.backends.choice import open_backend
from workbench.backends.fake import FakeBackEnd
from workbench.backends.http import HttpBackEnd
from workbench.manifest import read
from workbench.models.registry import Version
from workbench.services import apache
from workbench.settings import PROJECT

PAGE_PORT = 8081
"""Below 1024 not everybody may listen, where machines are folders."""
_numbers = itertools.count(1)


class Bench:
    """A back end, and what tests need to use it. Tests share it, so each has models and drawings of its own.

    Parameters
    ----------
    correct
        Does as a visitor who says which digit a drawing is; gives the correction's id.
    """

    def __init__(self, backend: BackEnd, correct: Callable[[int], str], folder: Path) -> None:
        self.backend, self.correct, self._folder = backend, correct, folder

    def version(self, name: str, number: int, **manifest: Any) -> Version:
        """A version as the registry would hand it over; it says its number to everything."""
        folder = making.version(self._folder / name / str(number), number, name=name, **manifest)
        return Version(name, number, folder, read(folder))


@pytest.fixture
def name() -> str:
    """Of a model that no other test has."""
    return f"model-{next(_numbers)}"


@pytest.fixture(scope="module")
def fake(tmp_path_factory: pytest.TempPathFactory) -> Bench:
    backend = FakeBackEnd()
    return Bench(backend, lambda digit: backend.correct(digit, 7), tmp_path_factory.mktemp("fake"))


@pytest.fixture(scope="module")
def http(tmp_path_factory: pytest.TempPathFactory, free_ports: Callable[[int], list[int]]) -> Iterator[Bench]:
    folder = tmp_path_factory.mktemp("http")
    server = real_server.start(folder / "home", free_ports(1)[0])
    try:
        real_server.wait_for(lambda: server.ask("GET", "/healthz").status == 200, server)
        yield Bench(HttpBackEnd(server.url, making.TOKEN), visitor(server.url), folder / "made")
    finally:
        real_server.stop(server)


@pytest.fixture(scope="module")
def aws(tmp_path_factory: pytest.TempPathFactory, running_emulator: Emulator) -> Iterator[Bench]:
    """The application, launched by the public command."""
    if apache.find() is None:
        pytest.skip("Apache is not installed")
    folder = tmp_path_factory.mktemp("aws")
    command = [sys.executable, "-m", "workbench.cli", "launch", "app", "--provider", "aws", "--json"]
    more = ["--page-port", str(PAGE_PORT), "--from", f"{running_emulator.outside}/32"]
    with pytest.MonkeyPatch.context() as patch:
        for variable in [v for v in os.environ if v.startswith("AWS_")]:
            patch.delenv(variable)
        for variable, value in running_emulator.environ.items():
            patch.setenv(variable, value)
        patch.setenv("WORKBENCH_HOME", str(folder / "home"))
        try:
            done = subprocess.run([*command, *more], cwd=PROJECT, capture_output=True, text=True, timeout=600)
            assert done.returncode == 0, done.stderr
            page = json.loads(done.stdout)["page_url"]
            backend = open_backend("aws", make_settings(folder / "home"))
            yield Bench(backend, visitor(f"{page}api"), folder / "made")
            assert running_emulator.complaints() == []
        finally:
            running_emulator.reset()


def visitor(url: str) -> Callable[[int], str]:
    """Corrects a new drawing each time."""
    sent = itertools.count(1)

    def correct(digit: int) -> str:
        picture = making.data_url(making.png(making.seven(280 - 3 * next(sent)))).decode()
        body = json.dumps({"image": picture, "predicted": 7, "digit": digit}).encode()
        request = urllib.request.Request(f"{url}/corrections", body, {"Content-Type": "application/json"})
        with urllib.request.urlopen(request, timeout=120) as answer:
            return str(json.loads(answer.read())["id"])

    return correct
