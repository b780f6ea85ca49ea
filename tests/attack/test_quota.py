"""Recipes that fill the disk."""

import sys

import pytest

from tests.chain import wait_until
from tests.machines.bench import Bench
from tests.machines.test_local import run_recipe
from workbench.machines.local.head import own_memory
from workbench.machines.local.sandbox import MachineLimits

LIMITS = MachineLimits(
    memory_bytes=2_000_000_000, file_bytes=50_000_000, folder_bytes=60_000_000, folder_files=300
)


@pytest.mark.parametrize(
    "deed",
    [
        "for k in range(5): open(f'big{k}', 'wb').write(b'x' * 40_000_000)",
        "for k in range(1000): open(f'small{k}', 'w').close()",
        "import os\nfor k in range(60): os.mkdir('d'); os.chdir('d')",
    ],
)
def test_a_job_that_fills_the_disk_is_ended_and_told(local: Bench, deed: str) -> None:
    machine, _ = run_recipe(local, f"{deed}\nimport time; time.sleep(60)", LIMITS)
    assert machine.exit is not None
    assert "in the job's folder" in machine.exit.reason


def test_what_forks_share_is_counted_once() -> None:
    import subprocess

    code = (
        "import os, time\nheld = bytearray(os.urandom(1) * 80_000_000)\n"
        "for _ in range(5):\n    if os.fork() == 0: time.sleep(60)\nprint('ready', flush=True); time.sleep(60)"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code], stdout=subprocess.PIPE, start_new_session=True
    ) as process:
        assert process.stdout
        process.stdout.readline()
        try:
            wait_until(lambda: own_memory(process.pid) < 160_000_000, 10, "the forks")
        finally:
            import os
            import signal

            os.killpg(process.pid, signal.SIGKILL)
