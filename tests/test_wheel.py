"""The wheel holds all it needs: it runs in an empty folder, without the checkout, with one extra or with all."""

import contextlib
import hashlib
import http.client
import json
import os
import shutil
import subprocess
import sys
import sysconfig
import tomllib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from workbench.aws import code
from workbench.services import own_notebooks
from workbench.settings import PROJECT


@dataclass(frozen=True)
class Installed:
    """An environment with the wheel in it, and an empty folder to work in."""

    python: Path
    folder: Path
    ports: tuple[int, ...]

    @property
    def home(self) -> Path:
        return self.folder.parent / "data" / "workbench"

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        names = ("FRONTEND", "BACKEND", "DASHBOARD")
        ports = {f"WORKBENCH_{name}_PORT": str(p) for name, p in zip(names, self.ports, strict=True)}
        kept = {name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ}
        return subprocess.run(
            [self.python, *arguments],
            cwd=self.folder,
            env={**kept, **ports, "XDG_DATA_HOME": str(self.folder.parent / "data")},
            capture_output=True,
            text=True,
        )

    def workbench(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        return self.run(str(self.python.parent / "workbench"), *arguments)

    def asked(self, port: int, path: str) -> tuple[int, bytes]:
        with contextlib.closing(http.client.HTTPConnection("127.0.0.1", port, timeout=120)) as connection:
            connection.request("GET", path)
            answer = connection.getresponse()
            return answer.status, answer.read()


def _uv(*arguments: str) -> str:
    uv = shutil.which("uv") or str(PROJECT / ".tools" / "bin" / "uv")
    try:
        done = subprocess.run([uv, *arguments], cwd=PROJECT, capture_output=True, text=True)
    except FileNotFoundError:
        pytest.skip("uv is not here to build and install the wheel with")
    if done.returncode:
        if "dns error" in done.stderr or "Network" in done.stderr or "connect" in done.stderr:
            pytest.skip(f"no package index can be reached: {done.stderr.strip().splitlines()[-1]}")
        raise AssertionError(done.stderr)
    return done.stdout


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    _uv("build", "--wheel", "--quiet", "--out-dir", str(folder))
    (built,) = folder.glob("*.whl")
    return built


@pytest.fixture(scope="module")
def with_backend(
    wheel: Path, tmp_path_factory: pytest.TempPathFactory, free_ports: Callable[[int], list[int]]
) -> Iterator[Installed]:
    """The extra ``backend`` alone, really installed."""
    top = tmp_path_factory.mktemp("backend")
    locked = top / "locked.txt"
    export = ("export", "--quiet", "--frozen", "--no-hashes", "--no-emit-project", "--extra", "backend")
    _uv(*export, "--output-file", str(locked))
    _uv("venv", "--quiet", "--python", sys.executable, str(top / "env"))
    python = top / "env" / "bin" / "python"
    _uv("pip", "install", "--quiet", "--python", str(python), f"{wheel}[backend]", "-c", str(locked))
    installed = Installed(python, top / "empty", tuple(free_ports(3)))
    installed.folder.mkdir()
    yield installed
    installed.workbench("down")


@pytest.fixture(scope="module")
def with_all(
    wheel: Path, tmp_path_factory: pytest.TempPathFactory, free_ports: Callable[[int], list[int]]
) -> Iterator[Installed]:
    """The wheel in an environment that sees this one's packages, but not the checkout: those are 2.6 GB."""
    top = tmp_path_factory.mktemp("all")
    _uv("venv", "--quiet", "--python", sys.executable, str(top / "env"))
    python = top / "env" / "bin" / "python"
    _uv("pip", "install", "--quiet", "--python", str(python), "--no-deps", str(wheel))
    (packages,) = (top / "env" / "lib").glob("python*/site-packages")
    # A path that a .pth file adds is searched; the .pth files in it, and so the editable checkout, are not read.
    (packages / "these_too.pth").write_text(sysconfig.get_path("purelib") + "\n")
    installed = Installed(python, top / "empty", tuple(free_ports(3)))
    installed.folder.mkdir()
    yield installed
    installed.workbench("down")


def test_it_serves_the_page_with_the_extra_of_the_back_end_alone(with_backend: Installed) -> None:
    up = with_backend.workbench("up", "--detach")
    assert up.returncode == 0, up.stderr
    rows = json.loads(with_backend.workbench("status", "--json").stdout)["services"]
    where = {row["name"]: row["url"] for row in rows}
    assert "dashboard" not in where
    status, content = with_backend.asked(urlsplit(where["drawing page"]).port or 80, "/")
    assert (status, b"<!doctype html>" in content) == (200, True)
    assert with_backend.asked(with_backend.ports[1], "/readyz")[0] == 503
    log = "".join(path.read_text() for path in (with_backend.home / "logs").glob("*.log"))
    assert "ModuleNotFoundError" not in log
    assert not [*with_backend.folder.iterdir()]


@pytest.mark.parametrize("what", ["dashboard", "train"])
def test_what_an_extra_would_bring_is_said_by_its_name(with_backend: Installed, what: str) -> None:
    asked = {
        "dashboard": ("up", "--only", "dashboard"),
        "train": ("submit", "mnist-mlp", "--name", "n", "--wait"),
    }
    with_backend.workbench("down")
    done = with_backend.workbench(*asked[what])
    assert done.returncode == 1
    assert f"pip install 'workbench[{what}]'" in done.stderr
    assert "Traceback" not in done.stderr


def test_the_dashboard_of_an_installation_shows_notebooks_that_are_its_users(with_all: Installed) -> None:
    up = with_all.workbench("up", "--only", "dashboard", "--detach")
    assert up.returncode == 0, up.stderr
    names = {path.name for path in (PROJECT / "notebooks").iterdir() if path.is_file()}
    assert names <= {path.name for path in (with_all.home / "notebooks").iterdir()}
    token = (with_all.home / "token").read_text()
    status, content = with_all.asked(with_all.ports[2], f"/api/contents?token={token}")
    assert status == 200
    assert "00-mnist-cnn.ipynb" in {entry["name"] for entry in json.loads(content)["content"]}
    assert not [*with_all.folder.iterdir()]


def test_machines_on_aws_get_the_same_code_from_a_wheel(with_all: Installed) -> None:
    said = with_all.run(
        "-c",
        "from workbench import settings; from workbench.aws import code; import hashlib; "
        "print(settings.CODE, hashlib.sha256(code.pack()).hexdigest())",
    )
    place, sha256 = said.stdout.split()
    assert not PROJECT.is_relative_to(place)
    assert sha256 == hashlib.sha256(code.pack()).hexdigest(), _differing(with_all)


def _differing(installed: Installed) -> list[str]:
    """Name what one of the two has alone, for who has to mend it."""
    said = installed.run("-c", "from workbench.aws import code; print(*(name for name, _ in code.files()))")
    return sorted(set(said.stdout.split()) ^ {name for name, _ in code.files()})


def test_recipes_are_offered_and_found_by_name(with_all: Installed) -> None:
    said = with_all.run(
        "-c",
        "from workbench.settings import from_environment as s; from workbench.verbs import recipes as r; "
        "print(*r.offered(s())); print(len(r.read('00-mnist-cnn.ipynb').training), len(r.read('tabular').training))",
    )
    assert {"00-mnist-cnn", "mnist-mlp", "tabular"} <= set(said.stdout.split()), said.stderr


def test_a_notebook_that_its_user_changed_stays(tmp_path: Path) -> None:
    brought, own = tmp_path / "brought", tmp_path / "own"
    brought.mkdir()
    for name in ("a", "b", "c"):
        (brought / name).write_text("one")
    own_notebooks.place(own, brought)
    (own / "a").write_text("mine")
    (own / "c").unlink()
    for name in ("a", "b", "c"):
        (brought / name).write_text("two")
    own_notebooks.place(own, brought)
    assert {name: (own / name).read_text() for name in "abc"} == {"a": "mine", "b": "two", "c": "two"}


def test_all_is_every_extra_that_users_install() -> None:
    extras = tomllib.loads((PROJECT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    (all_,) = extras["all"]
    assert set(all_.removeprefix("workbench[").removesuffix("]").split(",")) == extras.keys() - {"all", "dev"}
