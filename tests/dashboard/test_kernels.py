"""Which kernels the server ends by itself, asked over HTTP. No browser."""

import time
from collections.abc import Callable
from pathlib import Path

from tests.chain import make_settings, wait_until
from tests.dashboard.serving import serving, write_notebook
from workbench.priority import BACKGROUND, session_weight

SAY_WHO = """
import os
print(os.environ["SERVER_SOFTWARE"])
with open("pid", "w") as file:
    file.write(str(os.getpid()))
"""


def test_idle_kernels_are_ended_but_not_those_that_wait_for_a_visitor(
    tmp_path: Path, free_ports: Callable[[int], list[int]]
) -> None:
    write_notebook(tmp_path / "page.ipynb", "Page", SAY_WHO)
    write_notebook(tmp_path / "broken.ipynb", "Broken", "1 / 0")
    settings = make_settings(tmp_path / "home", WORKBENCH_DASHBOARD_PORT=str(free_ports(1)[0]))
    with serving(
        settings,
        tmp_path,
        PageKernels__pool_sizes={"broken.ipynb": 1, "page.ipynb": 1, "absent.ipynb": 1},
        PageKernels__fill_after_s=0.0,
        MappingKernelManager__cull_idle_timeout=1,
        MappingKernelManager__cull_interval=1,
    ) as dashboard:
        wait_until(lambda: dashboard.ready()["page.ipynb"], 60, "the prepared kernel")
        (waiting,) = dashboard.kernels()
        assert dashboard.ready() == {"broken.ipynb": 0, "page.ipynb": 1, "absent.ipynb": 0}
        assert "ZeroDivisionError" in dashboard.log.read_text()

        pid = int((tmp_path / "pid").read_text())
        assert session_weight(pid) in (BACKGROUND, None)

        other = dashboard.ask("api/kernels", "POST")["id"]
        began = time.monotonic()
        wait_until(lambda: other not in dashboard.kernels(), 60, "the end of the idle kernel")
        assert time.monotonic() - began > 1
        assert dashboard.kernels() == {waiting}

        page = dashboard.ask("voila/render/page.ipynb")
        assert waiting in page
        assert "voila/" in page
        assert session_weight(pid) in (0, None)
        wait_until(lambda: waiting not in dashboard.kernels(), 60, "the end of the kernel that was given out")
