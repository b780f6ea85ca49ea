"""TensorFlow's server listens where it should, and only there."""

import json
import socket
import struct
import subprocess
import sys
from collections.abc import Callable

import pytest

from workbench.settings import PROJECT
from workbench.upstream.tensorflow import narrow

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


SERVERS = """
import json, sys
import psutil, tensorflow as tf
from workbench.upstream import tensorflow as upstream

def listening(port):
    connections = psutil.Process().net_connections()
    return [c.laddr.ip for c in connections if c.status == "LISTEN" and c.laddr.port == port]

said, servers = {}, []
for how, port in (("kept", int(sys.argv[1])), ("alone", int(sys.argv[2]))):
    done = how == "alone" or upstream.listen_only_on(f"127.0.0.1:{port}")
    servers.append(tf.distribute.Server({"worker": [f"127.0.0.1:{port}"]}, job_name="worker", task_index=0))
    said[how] = [done, listening(port), upstream.listens_to_all(port)]
print(json.dumps(said), flush=True)
__import__("os")._exit(0)
"""


def test_the_server_is_kept_to_the_machines_own_address(free_ports: Callable[[int], list[int]]) -> None:
    """Without us TensorFlow opens the port to everyone: once it no longer does, ``upstream/tensorflow.py`` can go."""
    command = [sys.executable, "-c", SERVERS, *map(str, free_ports(2))]
    done = subprocess.run(command, cwd=PROJECT, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    said = json.loads(done.stdout.splitlines()[-1])
    assert said["alone"] in ([True, ["::"], True], [True, ["0.0.0.0"], True])  # as gRPC finds IPv6 or not
    assert said["kept"] == [True, ["127.0.0.1"], False]
