"""What an emulated machine's own processes find in their environment."""

import subprocess
from pathlib import Path

import pytest

from tests.emulator.network import Loopback
from tests.emulator.sandboxes import WHEELS, FolderSandbox

WAY_OUT = {
    "SSL_CERT_FILE": "/etc/own-ca.pem",
    "HTTPS_PROXY": "http://proxy:3128",
    "UV_INDEX": "https://mirror/simple",
}


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {**WAY_OUT, "MY_PASSWORD": "secret"}.items():
        monkeypatch.setenv(name, value)


def environment(tmp_path: Path) -> dict[str, str]:
    network = Loopback()
    try:
        machine = FolderSandbox(network, tmp_path, "i-1", "127.0.0.1", "mark", 60)
        machine.disk.mkdir()
        told, _ = machine.popen(["env"], stdout=subprocess.PIPE).communicate(timeout=60)
    finally:
        network.close()
    return dict(line.split("=", 1) for line in told.splitlines())


@pytest.mark.usefixtures("told")
def test_a_machine_that_is_a_folder_finds_packages_as_its_computer_does(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv(WHEELS, raising=False)
    found = environment(tmp_path)
    assert {name: found.get(name) for name in WAY_OUT} == WAY_OUT
    assert "MY_PASSWORD" not in found


@pytest.mark.usefixtures("told")
def test_a_folder_of_wheels_stands_for_all_that_is_outside(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(WHEELS, str(tmp_path / "wheels"))
    found = environment(tmp_path)
    assert not WAY_OUT.keys() & found.keys()
    assert found["UV_DEFAULT_INDEX"].startswith("file://")
