"""``backend.untrusted.confined`` by itself: also without root it shuts a server in, where the system allows namespaces."""

import http.client
import json
import os
import shutil
import socket
import subprocess
import tempfile
import time
from pathlib import Path

import pytest

from backend.untrusted import confined

NOBODY = 65534
SYSTEM_PYTHON = Path("/usr/bin/python3")


@pytest.mark.skipif(os.geteuid() != 0, reason="another user can only be played by root")
@pytest.mark.skipif(not SYSTEM_PYTHON.exists(), reason="it takes a Python that every user may run")
def test_a_user_without_rights_shuts_a_server_in_all_the_same():
    home = Path(tempfile.mkdtemp(prefix="confined-"))
    watcher = None
    try:
        (home / "model").mkdir()
        (home / "backend" / "untrusted").mkdir(parents=True)
        (home / "backend" / "__init__.py").touch()
        for module in ("__init__", "confined", "relay", "seccomp"):
            shutil.copy(Path(confined.__file__).with_name(f"{module}.py"), home / "backend" / "untrusted")
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
        assert watcher.wait(10) == 0
    finally:
        if watcher is not None:
            watcher.kill()
            watcher.wait()
        shutil.rmtree(home)


def _ask(path, watcher):
    """What the server lists of its root, once it answers."""
    give_up = time.monotonic() + 20
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
