"""TensorFlow's server listens where it should, and only there."""

import socket
import struct
from collections.abc import Callable

import pytest

from tests.node.training_cluster import Forks
from workbench.upstream.tensorflow_bind import narrow

IP = socket.inet_aton("10.1.2.3")


def v4(ip: str, port: int) -> bytes:
    return struct.pack("=H", socket.AF_INET) + struct.pack("!H", port) + socket.inet_aton(ip) + bytes(8)


def v6(ip: str, port: int) -> bytes:
    address = socket.inet_pton(socket.AF_INET6, ip)
    return struct.pack("=H", socket.AF_INET6) + struct.pack("!HI", port, 0) + address + bytes(4)


@pytest.mark.parametrize(
    ("asked", "given"),
    [
        (v4("0.0.0.0", 70), v4("10.1.2.3", 70)),
        (v6("::", 70), v6("::ffff:10.1.2.3", 70)),
        (v4("0.0.0.0", 71), v4("0.0.0.0", 71)),
        (v4("127.0.0.1", 70), v4("127.0.0.1", 70)),
        (v6("::1", 70), v6("::1", 70)),
        (struct.pack("=H", socket.AF_UNIX) + b"/tmp/x\0", struct.pack("=H", socket.AF_UNIX) + b"/tmp/x\0"),
    ],
)
def test_only_all_interfaces_and_only_our_port_become_our_address(asked: bytes, given: bytes) -> None:
    assert narrow(asked, IP, 70) == given


@pytest.mark.parametrize("kept", [True, False])
def test_the_server_is_kept_to_the_machines_own_address(
    forks: Forks, kept: bool, free_ports: Callable[[int], list[int]]
) -> None:
    (port,) = free_ports(1)
    listening, says_all = forks.ask(
        "answer",
        code=f"""
import psutil, tensorflow as tf
from workbench.node import sockets
port = {port}
if {kept}:
    assert sockets.listen_only_on(f"127.0.0.1:{{port}}")
server = tf.distribute.Server({{"worker": [f"127.0.0.1:{{port}}"]}}, job_name="worker", task_index=0)
found = [c.laddr.ip for c in psutil.Process().net_connections() if c.status == "LISTEN" and c.laddr.port == port]
answer = [found, sockets.listens_to_all(port)]
""",
    )
    # Without us TensorFlow opens the port to everyone: once it no longer does, sockets.py can go.
    assert listening == (["127.0.0.1"] if kept else ["::"])
    assert says_all is not kept
