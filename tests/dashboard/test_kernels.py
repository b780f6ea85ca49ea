"""Which kernels the server ends by itself, asked over HTTP. No browser."""

import json
import socket
import time
from collections.abc import Callable
from pathlib import Path

from tests.chain import make_settings, wait_until
from tests.dashboard.serving import serving, write_notebook
from tests.dashboard.visitor import CONFIG
from workbench.settings import Settings
from workbench.system.priority import BACKGROUND, session_weight

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
        # What is broken is tried again now and then, and ended.
        wait_until(lambda: "ZeroDivisionError" in dashboard.log.read_text(), 60, "a try of what is broken")
        (waiting,) = wait_until(lambda: len(found := dashboard.kernels()) == 1 and found, 60, "one kernel")
        assert dashboard.ready() == {"broken.ipynb": 0, "page.ipynb": 1, "absent.ipynb": 0}

        pid = int((tmp_path / "pid").read_text())
        assert session_weight(pid) in (BACKGROUND, None)

        began = time.monotonic()
        other = dashboard.ask("api/kernels", "POST")["id"]
        wait_until(lambda: other not in dashboard.kernels(), 60, "the end of the idle kernel")
        assert time.monotonic() - began > 1
        assert waiting in dashboard.kernels()

        page = dashboard.ask("voila/render/page.ipynb")
        assert waiting in page
        assert "voila/" in page
        assert session_weight(pid) in (0, None)
        wait_until(lambda: waiting not in dashboard.kernels(), 60, "the end of the kernel that was given out")


def test_kernels_whose_visitors_left_while_connecting_or_before_are_ended(
    tmp_path: Path, free_ports: Callable[[int], list[int]]
) -> None:
    write_notebook(tmp_path / "page.ipynb", "Page", "print('here')")
    settings = make_settings(tmp_path / "home", WORKBENCH_DASHBOARD_PORT=str(free_ports(1)[0]))
    with serving(settings, tmp_path, PageKernels__pool_sizes={}, PageKernels__expect_s=10.0) as dashboard:
        dashboard.ask("voila/render/page.ipynb")
        told = CONFIG.search(dashboard.ask("voila/render/page.ipynb"))
        assert told
        for _ in range(20):
            _begin_to_connect(settings, json.loads(told[1])["kernelId"])
        wait_until(lambda: not dashboard.kernels(), 60, "the kernels' end")


def _begin_to_connect(settings: Settings, kernel: str) -> None:
    """Ask for the kernel's socket as a page does, and leave before the answer."""
    head = (
        f"GET /api/kernels/{kernel}/channels HTTP/1.1\r\nHost: 127.0.0.1:{settings.dashboard_port}\r\n"
        f"Authorization: token {settings.token}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
    )
    with socket.create_connection(("127.0.0.1", settings.dashboard_port)) as connection:
        connection.sendall(head.encode())
