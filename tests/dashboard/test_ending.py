"""The server's end: quick, and without a process left, whatever is being prepared."""

import contextlib
import json
import sys
import time
from collections.abc import Callable
from pathlib import Path

import psutil

from tests.chain import make_settings, wait_until
from tests.dashboard.serving import serving, write_notebook


def test_the_server_ends_while_a_kernel_is_started_that_never_answers(
    tmp_path: Path, free_ports: Callable[[int], list[int]]
) -> None:
    notebooks = tmp_path / "notebooks"
    notebooks.mkdir()
    page = notebooks / "page.ipynb"
    write_notebook(page, "Page", "print('done')")
    page.write_text(page.read_text().replace('"python3"', '"deaf"'))
    settings = make_settings(tmp_path / "home", WORKBENCH_DASHBOARD_PORT=str(free_ports(1)[0]))
    deaf = settings.home / "jupyter" / "data" / "kernels" / "deaf"
    deaf.mkdir(parents=True)
    command = [sys.executable, "-c", "import signal, time; signal.signal(2, lambda *_: 0); time.sleep(300)"]
    (deaf / "kernel.json").write_text(
        json.dumps({"argv": command, "display_name": "Deaf", "language": "python"})
    )
    pool = {"PageKernels__pool_sizes": {"page.ipynb": 1}, "PageKernels__fill_after_s": 0.0}
    with serving(settings, notebooks, **pool) as running:
        deaf_ones = wait_until(lambda: asleep(running.process), 60, "the kernel that is being started")
        children = {*deaf_ones, *running.process.children(recursive=True)}
    assert not [child.pid for child in children if lives(child)]
    assert "Exception in callback" not in running.log.read_text()


def test_the_server_ends_at_once_while_a_kernel_is_being_prepared(
    tmp_path: Path, free_ports: Callable[[int], list[int]]
) -> None:
    notebooks = tmp_path / "notebooks"
    notebooks.mkdir()
    write_notebook(notebooks / "slow.ipynb", "Slow", "import time; time.sleep(100)", "print('done')")
    settings = make_settings(tmp_path / "home", WORKBENCH_DASHBOARD_PORT=str(free_ports(1)[0]))
    pool = {"PageKernels__pool_sizes": {"slow.ipynb": 1}, "PageKernels__fill_after_s": 0.0}
    with serving(settings, notebooks, **pool) as running:
        wait_until(running.kernels, 60, "the kernel that is being prepared")
        children = running.process.children(recursive=True)
        began = time.monotonic()
    assert time.monotonic() - began < 90
    assert children
    assert not [child.pid for child in children if lives(child)]


def test_a_server_that_is_killed_takes_its_kernels_and_what_they_were_forked_from_along(
    tmp_path: Path, free_ports: Callable[[int], list[int]]
) -> None:
    settings = make_settings(tmp_path / "home", WORKBENCH_DASHBOARD_PORT=str(free_ports(1)[0]))
    with serving(settings, tmp_path, PageKernels__pool_sizes={}) as running:

        def forked() -> list[psutil.Process]:
            found = running.process.children(recursive=True)
            return found if any(one.ppid() != running.process.pid for one in found) else []

        wait_until(lambda: "kernels are forked" in running.log.read_text(), 180, "the fork server")
        running.ask("api/kernels", "POST")
        family = wait_until(forked, 60, "a kernel that is a fork")
        running.process.kill()
        wait_until(lambda: not any(map(lives, family)), 60, "the end of all")


def asleep(server: psutil.Process) -> list[psutil.Process]:
    """Its kernels that never answer, once they do what they were started for."""
    found = []
    for one in server.children(recursive=True):
        with contextlib.suppress(psutil.Error):  # it has ended since
            found += [one] * ("time.sleep(300)" in " ".join(one.cmdline()))
    return found


def lives(process: psutil.Process) -> bool:
    """Whether it does anything yet: one that is dead may wait for whoever adopted it."""
    try:
        return process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False
