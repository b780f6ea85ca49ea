"""A lock file: one at a time, with and without patience."""

import subprocess
import sys
import threading
from pathlib import Path

import pytest

from workbench.settings import PROJECT
from workbench.system.locks import locked


def test_a_second_one_is_refused_at_once_or_after_its_time(tmp_path: Path) -> None:
    with locked(tmp_path / "lock"):
        for timeout_s in (0, 0.05):
            with (
                pytest.raises(TimeoutError, match="another process holds"),
                locked(tmp_path / "lock", timeout_s),
            ):
                pass
    with locked(tmp_path / "lock", 0):
        pass


def test_a_second_one_gets_it_when_the_first_lets_go(tmp_path: Path) -> None:
    order = []

    def second() -> None:
        with locked(tmp_path / "lock", 60):
            order.append("second")

    with locked(tmp_path / "lock"):
        thread = threading.Thread(target=second)
        thread.start()
        order.append("first")
    thread.join()
    assert order == ["first", "second"]


def test_a_process_that_is_killed_lets_go(tmp_path: Path) -> None:
    code = "import sys, time\nfrom pathlib import Path\nfrom workbench.system.locks import locked\n"
    code += "with locked(Path(sys.argv[1])):\n    print('has it', flush=True)\n    time.sleep(600)"
    command = [sys.executable, "-c", code, str(tmp_path / "lock")]
    with subprocess.Popen(command, cwd=PROJECT, stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdout
        assert holder.stdout.readline() == "has it\n"
        with pytest.raises(TimeoutError), locked(tmp_path / "lock", 0):
            pass
        holder.kill()
        with locked(tmp_path / "lock", 60):
            pass
