"""``backend.untrusted.confined`` by itself, with the standard library alone; also without root there is a sandbox."""

import http.client
import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pytest

from backend.untrusted import confined, relay
from workbench.settings import PROJECT
from workbench.system.sandbox import linux, seccomp

NOBODY = 65534
SYSTEM_PYTHON = Path("/usr/bin/python3")


@pytest.mark.skipif(os.geteuid() != 0, reason="another user can only be played by root")
@pytest.mark.skipif(not SYSTEM_PYTHON.exists(), reason="it takes a Python that every user may run")
def test_a_user_without_rights_puts_a_server_in_a_sandbox_all_the_same() -> None:
    home = Path(tempfile.mkdtemp(prefix="confined-"))
    watcher = None
    try:
        (home / "model").mkdir()
        for module in (confined, relay, linux, seccomp):
            assert module.__file__
            source = Path(module.__file__).relative_to(PROJECT)
            (home / source).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(PROJECT / source, home / source)
        for folder in ("backend", "backend/untrusted", "workbench", "workbench/system"):
            shutil.copy(PROJECT / folder / "__init__.py", home / folder)
        for path in (home, *home.rglob("*")):
            os.chown(path, NOBODY, NOBODY)
        command = [
            str(SYSTEM_PYTHON),
            "-m",
            "http.server",
            "{port}",
            "--bind",
            "127.0.0.1",
            "--directory",
            "/",
        ]
        spec = confined.Spec(command, {}, str(home), ["/usr/bin", "/usr/share"], 300, 100, 60.0, 0)
        watcher = subprocess.Popen(
            [SYSTEM_PYTHON, "-m", "backend.untrusted.confined", json.dumps(vars(spec))],
            user=NOBODY,
            group=NOBODY,
            extra_groups=[],
            cwd=home,
        )
        listing = _ask(home / "socket", watcher)
        if not json.loads((home / "protection").read_text())["files"]:
            pytest.skip("this system allows users no namespaces of their own")
        assert "model/" in listing
        assert not [name for name in ("etc/", "home/", "root/", "var/") if name in listing]
        (home / "socket").unlink()
        assert watcher.wait(60) == 0
    finally:
        if watcher is not None:
            watcher.kill()
            watcher.wait()
        shutil.rmtree(home)


@pytest.mark.skipif(not seccomp.works(), reason="this system has no filters of system calls")
def test_where_namespaces_are_refused_a_savedmodel_that_opens_sockets_reaches_nobody(
    strange: Path, tmp_path: Path
) -> None:
    """It answers through the socket that it was given, and is spoken to by REST, for gRPC would need one of its own."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(0.5)
        where = f"127.0.0.1:{listener.getsockname()[1]}"
        done = subprocess.run(
            [
                sys.executable,
                "-m",
                "tests.backend.untrusted.without_namespaces",
                str(strange / "hostile.zip"),
                str(tmp_path),
                "calls",
                where,
            ],
            cwd=PROJECT,
            env={"PATH": os.defpath, "HOME": str(tmp_path)},
            capture_output=True,
            text=True,
            timeout=200,
        )
        with pytest.raises(TimeoutError):
            listener.accept()
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert told["protection"] == {"files": False, "network": True, "user": False}
    assert (told["grpc"], told["shape"]) == (False, [1, 10])
    assert "refused" in told
    assert "allows no namespaces" in done.stderr
    assert "spoken to by REST" in done.stderr


def _ask(path: Path, watcher: subprocess.Popen[bytes]) -> str:
    """What the server lists of its root, once it answers."""
    give_up = time.monotonic() + 60
    while time.monotonic() < give_up:
        assert watcher.poll() is None
        connection = http.client.HTTPConnection("localhost", timeout=5)
        connection.sock = socket.socket(socket.AF_UNIX)
        try:
            connection.sock.connect(str(path))
            connection.request("GET", "/")
            return connection.getresponse().read().decode()
        except OSError:
            time.sleep(0.05)
        finally:
            connection.close()
    raise AssertionError("no answer")
