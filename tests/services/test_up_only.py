"""``workbench up --only …``: some of the services, as a machine on AWS runs them, at another address."""

import os
import ssl
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

from tests.chain import make_settings, wait_until
from workbench.services import apache, state, supervisor
from workbench.settings import PROJECT


def start(home: Path, *only: str, **environment: str) -> subprocess.Popen[str]:
    home.mkdir()
    return subprocess.Popen(
        [sys.executable, "-m", "workbench.cli", "up", *(f"--only={name}" for name in only)],
        cwd=PROJECT,
        env={**os.environ, "WORKBENCH_HOME": str(home), **environment},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )


def ask(url: str) -> tuple[int, bytes]:
    trusting = ssl._create_unverified_context()
    try:
        with urllib.request.urlopen(url, timeout=120, context=trusting) as answer:
            return answer.status, answer.read()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read()
    except OSError:
        return 0, b""


def are_told_ready(home: Path) -> bool:
    """Tell whether ``up`` has seen all of its services answer, which is a moment after they do."""
    running = state.read(make_settings(home))
    return running is not None and all(row.state == "ready" for row in running.rows)


def until(
    condition: Callable[[], bool], timeout_s: float, what: str, *running: subprocess.Popen[str]
) -> None:
    """Wait for it as long as all of these run."""

    def holds() -> bool:
        for process in running:
            assert process.stderr
            assert process.poll() is None, process.stderr.read()
        return condition()

    wait_until(holds, timeout_s, what)


def end(process: subprocess.Popen[str]) -> str:
    process.terminate()
    return process.communicate(timeout=200)[1]


@pytest.mark.skipif(apache.find() is None, reason="Apache is not installed")
def test_two_machines_of_one_address_each_make_one_application(
    tmp_path: Path, free_ports: Callable[[int], list[int]]
) -> None:
    page, service = free_ports(2)
    back = start(
        tmp_path / "back",
        "backend",
        WORKBENCH_BACKEND_ADDRESS="127.0.0.3",
        WORKBENCH_BACKEND_PORT=str(service),
    )
    front = start(
        tmp_path / "front",
        "frontend",
        WORKBENCH_FRONTEND_ADDRESS="127.0.0.2",
        WORKBENCH_FRONTEND_PORT=str(page),
        WORKBENCH_BACKEND_HOST=f"127.0.0.3:{service}",
    )
    try:
        api = f"http://127.0.0.2:{page}/api/readyz"
        until(lambda: b"no model" in ask(api)[1], 60, "the back end, through the front end", front, back)
        assert ask(api)[0] == 503
        assert ask(f"http://127.0.0.1:{service}/healthz")[0] == 0
        assert ask(f"http://127.0.0.1:{page}/")[0] == 0
        for home in ("front", "back"):
            until(partial(are_told_ready, tmp_path / home), 60, "the word that it is ready", front, back)
    finally:
        said_front, said_back = end(front), end(back)
    assert "back end ready" in said_back
    assert "drawing page" not in said_back
    assert "drawing page ready" in said_front
    assert "model" not in said_front


def test_a_dashboard_that_others_can_reach_speaks_tls(
    tmp_path: Path, free_ports: Callable[[int], list[int]]
) -> None:
    (port,) = free_ports(1)
    environment = {"WORKBENCH_DASHBOARD_ADDRESS": "0.0.0.0", "WORKBENCH_DASHBOARD_PORT": str(port)}
    up = start(tmp_path / "home", "dashboard", **environment)
    try:
        until(lambda: ask(f"https://127.0.0.1:{port}/api")[0] == 200, 90, "the dashboard", up)
        until(lambda: are_told_ready(tmp_path / "home"), 60, "the word that it is ready", up)
        assert ask(f"https://127.0.0.1:{port}/workbench")[0] in (200, 403)
        assert (tmp_path / "home" / "tls" / "key.pem").stat().st_mode & 0o077 == 0
    finally:
        said = end(up)
    assert "dashboard ready: https://" in said


def test_a_machine_that_only_serves_the_page_needs_nothing_but_the_basis() -> None:
    extras = "numpy,tensorflow,jupyter_server,boto3,cv2,imageio,ipywidgets,flask,onnxruntime"
    program = (
        "import sys\n"
        "class Missing:\n"
        "    def find_spec(self, name, path=None, target=None):\n"
        f"        if name.split('.')[0] in {extras!r}.split(','): raise ImportError(name)\n"
        "sys.meta_path.insert(0, Missing())\n"
        f"import {supervisor.__name__}, workbench.cli, workbench.verbs.services\n"
    )
    done = subprocess.run([sys.executable, "-c", program], cwd=PROJECT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
