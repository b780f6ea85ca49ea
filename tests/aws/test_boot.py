"""The machines' units, as far as they can be looked at without a machine; ``python -m tests.aws.boot`` boots them."""

import shutil
import subprocess
from pathlib import Path

import pytest

from tests.aws.boot import units
from workbench.settings import PROJECT


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd-analyze is not installed")
@pytest.mark.parametrize("role", ["frontend", "backend", "working"])
def test_systemd_has_nothing_to_say_against_the_units(role: str, tmp_path: Path) -> None:
    python, environment = tmp_path / "env" / "bin" / "python", tmp_path / "environment"
    python.parent.mkdir(parents=True)
    python.write_text(units.STARTED)
    python.chmod(0o755)
    (tmp_path / "code").mkdir()
    environment.touch()
    written = units.written(tmp_path, role)
    assert set(written) == {"workbench.service", "workbench-idle.service", "workbench-agent.service"}
    paths = []
    for name, text in written.items():
        path = tmp_path / name
        path.write_text(text)
        paths.append(str(path))
    asked = ["systemd-analyze", "verify", "--man=no", *paths]
    done = subprocess.run(asked, capture_output=True, text=True, check=False)
    ours = [line for line in done.stderr.splitlines() if "workbench" in line]
    assert (done.returncode, ours) == (0, [])


@pytest.mark.parametrize("script", [*units.SCRIPTS, "workbench/application/boot/fetch.sh"])
def test_a_machine_that_cannot_go_on_ends_itself(script: str) -> None:
    text = (PROJECT / script).read_text()
    assert 'shutdown -h "+$' in text
