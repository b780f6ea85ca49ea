"""What the back end's tests share: an application with a model, and one real gunicorn."""

import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from flask import Flask

from backend.app import create_app
from backend.deployments import limits
from tests.backend import making
from tests.backend.client import Client
from tests.backend.real_server import BEARER, Server, start, stop, wait_for
from workbench.settings import PROJECT, Settings, from_environment


@pytest.fixture(autouse=True)
def _patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """A model in the tests' own process may answer as late as the largest request: others use this computer too."""
    monkeypatch.setattr(limits, "ANSWER_S", limits.LONGEST_S)


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """Settings of a back end with an empty home and the tests' token."""
    monkeypatch.setenv("WORKBENCH_DEPLOY_TOKEN", making.TOKEN)
    return from_environment({"WORKBENCH_HOME": str(tmp_path / "home")})


@pytest.fixture
def app(here: Settings) -> Flask:
    return create_app(here)


@pytest.fixture(scope="session")
def strange(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the models of ``strange_models``, made once, with TensorFlow in a process of its own."""
    folder = tmp_path_factory.mktemp("strange")
    done = subprocess.run(
        [sys.executable, "-m", "tests.backend.untrusted.strange_models", str(folder)],
        cwd=PROJECT,
        capture_output=True,
        text=True,
        timeout=200,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return folder


@pytest.fixture
def client(app: Flask) -> Client:
    """A back end where nothing is deployed."""
    return Client(app)


@pytest.fixture(scope="session")
def zips(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., bytes]:
    """Gives a version as a zip; each is made once."""
    made: dict[str, bytes] = {}

    def give(number: int, **more: Any) -> bytes:
        key = repr((number, more))
        if key not in made:
            folder = tmp_path_factory.mktemp("version")
            made[key] = making.zipped(making.version(folder / "it", number, **more), folder / "it.zip")
        return made[key]

    return give


@pytest.fixture
def push(client: Client, zips: Callable[..., bytes]) -> Callable[..., Any]:
    """Pushes a version with the token; gives the answer."""

    def send(number: int, *, name: str = "mnist-cnn", **more: Any) -> Any:
        body = zips(number, name=name, **more)
        return client.put(f"/models/{name}/versions/{number}", data=body, headers=BEARER)

    return send


@pytest.fixture
def activate(client: Client) -> Callable[..., Any]:
    def send(number: Any, *, name: str = "mnist-cnn", **more: Any) -> Any:
        return client.post(f"/models/{name}:activate", json={"version": number, **more}, headers=BEARER)

    return send


@pytest.fixture(scope="session")
def deployed(tmp_path_factory: pytest.TempPathFactory, zips: Callable[..., bytes]) -> Path:
    """What a back end keeps of ``mnist-cnn``, whose version 7 is active: tried once, for it takes a process of its own."""
    settings = _settings(tmp_path_factory.mktemp("deployed"))
    client = Client(create_app(settings))
    sent = client.put("/models/mnist-cnn/versions/7", data=zips(7, name="mnist-cnn"), headers=BEARER)
    assert sent.status_code == 201, sent.text
    done = client.post("/models/mnist-cnn:activate", json={"version": 7}, headers=BEARER)
    assert done.status_code == 200, done.text
    kept = settings.backend.with_name("deployed")
    shutil.copytree(settings.backend / "models", kept / "models")
    shutil.copy(settings.backend / "deployments.json", kept)
    return kept


@pytest.fixture
def seven(here: Settings, deployed: Path, client: Client) -> Client:
    """A back end whose model, version 7, says 7 to everything."""
    shutil.copytree(deployed, here.backend, dirs_exist_ok=True)
    return client


@pytest.fixture(scope="module")
def shared_here(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """As ``here``, of ``shared_seven``."""
    return _settings(tmp_path_factory.mktemp("shared"))


@pytest.fixture(scope="module")
def shared_seven(shared_here: Settings, deployed: Path) -> Client:
    """As ``seven``, but one for all of a module's tests, which ask and change nothing."""
    shutil.copytree(deployed, shared_here.backend)
    return Client(create_app(shared_here))


def _settings(folder: Path) -> Settings:
    """Settings of a back end with the tests' token, for fixtures that outlive one test."""
    settings = from_environment({"WORKBENCH_HOME": str(folder / "home")})
    settings.home.mkdir(parents=True)
    (settings.home / "deploy_token").write_text(making.TOKEN)
    return settings


@pytest.fixture(scope="session")
def server(
    tmp_path_factory: pytest.TempPathFactory, free_ports: Callable[[int], list[int]]
) -> Iterator[Server]:
    """A gunicorn with versions 1 to 3 of ``mnist-cnn`` pushed and 1 active; shared."""
    home = tmp_path_factory.mktemp("backend")
    server = start(home / "home", free_ports(1)[0])
    try:
        wait_for(lambda: server.ask("GET", "/healthz").status == 200, server)
        for number in (1, 2, 3):
            folder = making.version(home / str(number), number)
            body = making.zipped(folder, home / f"{number}.zip")
            assert server.guarded("PUT", f"/models/mnist-cnn/versions/{number}", body).status == 201
        assert server.guarded("POST", "/models/mnist-cnn:activate", b'{"version": 1}').status == 200
        yield server
    finally:
        stop(server)
