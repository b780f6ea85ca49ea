"""Pages that come and go leave no sockets with the server: it would look for their kernels' ports for ever."""

import os
import socket
import threading
from collections.abc import Callable
from pathlib import Path

from tests.chain import make_settings, wait_until
from tests.dashboard.serving import Dashboard, serving

Leave = Callable[[Dashboard, str, socket.socket], None]
WARM_UP, VISITS, SPARE = 4, 12, 4
"""Before it was mended a visit left about three descriptors."""


def connect(dashboard: Dashboard, kernel: str) -> socket.socket:
    """Open a kernel's websocket, as a page does, and wait until the server has its channels."""
    connection = socket.create_connection(("127.0.0.1", dashboard.settings.dashboard_port), timeout=60)
    head = (
        f"GET /api/kernels/{kernel}/channels?session_id={os.urandom(8).hex()} HTTP/1.1\r\n"
        f"Host: 127.0.0.1:{dashboard.settings.dashboard_port}\r\n"
        f"Authorization: token {dashboard.settings.token}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
    )
    connection.sendall(head.encode())
    assert b" 101 " in connection.recv(4096)
    return connection


def farewell_first(dashboard: Dashboard, kernel: str, page: socket.socket) -> None:
    """As a page does that is closed: its farewell ends the kernel, then its socket goes."""
    dashboard.ask(f"api/kernels/{kernel}", "DELETE")
    page.close()


def socket_first(dashboard: Dashboard, kernel: str, page: socket.socket) -> None:
    """As a computer does that falls asleep: messages are kept for a while, then somebody ends the kernel."""
    page.close()
    dashboard.ask(f"api/kernels/{kernel}", "DELETE")


def both_at_once(dashboard: Dashboard, kernel: str, page: socket.socket) -> None:
    """As mostly: the socket goes while the kernel, after the farewell, comes to its end."""
    farewell = threading.Thread(target=dashboard.ask, args=(f"api/kernels/{kernel}", "DELETE"))
    farewell.start()
    page.close()
    farewell.join()


def comes_back(dashboard: Dashboard, kernel: str, page: socket.socket) -> None:
    """A second page of the same kernel, while the first one's socket is still open."""
    connect(dashboard, kernel).close()
    farewell_first(dashboard, kernel, page)


KINDS: tuple[Leave, ...] = (farewell_first, socket_first, both_at_once, comes_back)


def visit(dashboard: Dashboard, number: int) -> None:
    """One page from its begin to its end."""
    kernel = dashboard.ask("api/kernels", "POST")["id"]
    page = connect(dashboard, kernel)
    KINDS[number % len(KINDS)](dashboard, kernel, page)


def settled(dashboard: Dashboard) -> int:
    """The server's descriptors, once it has no kernel and they do not become fewer."""
    wait_until(lambda: not dashboard.kernels(), 60, "the kernels' end")
    least = dashboard.process.num_fds()

    def steady() -> bool:
        nonlocal least
        now = dashboard.process.num_fds()
        fewer, least = now < least, min(now, least)
        return not fewer

    for _ in range(5):
        wait_until(steady, 60, "steady descriptors")
    return least


def test_visits_leave_no_descriptors(tmp_path: Path, free_ports: Callable[[int], list[int]]) -> None:
    settings = make_settings(tmp_path / "home", WORKBENCH_DASHBOARD_PORT=str(free_ports(1)[0]))
    with serving(settings, tmp_path, PageKernels__pool_sizes={}) as dashboard:
        for number in range(WARM_UP):
            visit(dashboard, number)
        before = settled(dashboard)
        for number in range(VISITS):
            visit(dashboard, number)
        wait_until(
            lambda: settled(dashboard) <= before + SPARE, 60, f"no more than {before + SPARE} descriptors"
        )
