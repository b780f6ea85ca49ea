"""The filter of system calls: what it refuses and what it leaves."""

import json
import socket
import subprocess
import sys
import textwrap
from typing import Any

import pytest

from workbench.settings import PROJECT
from workbench.system.sandbox import seccomp

pytestmark = pytest.mark.skipif(not seccomp.works(), reason="this system has no filters of system calls")


def tried(refused: str, code: str) -> Any:
    """What a process with the filter says of what it tried, while nobody reaches the socket that listens for it."""
    head = f"""
        import ctypes, json, os, socket, sys
        from workbench.system.sandbox import seccomp
        told = []
        def tell(what, act):
            try:
                act()
                told.append(f"{{what}}: done")
            except OSError as error:
                told.append(f"{{what}}: {{error.strerror}}")
        where = ("127.0.0.1", int(sys.argv[1]))
        before = socket.socket()
        seccomp.install(seccomp.{refused})
    """
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(0.2)
        done = subprocess.run(
            [
                sys.executable,
                "-c",
                textwrap.dedent(head) + textwrap.dedent(code) + "\nprint(json.dumps(told))",
                str(listener.getsockname()[1]),
            ],
            cwd=PROJECT,
            capture_output=True,
            text=True,
            timeout=60,
        )
        with pytest.raises(TimeoutError):
            listener.accept()
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


CALLS = """
    tell("connect", lambda: before.connect(where))
    tell("fast open", lambda: before.sendto(b"x", socket.MSG_FASTOPEN, where))
    tell("fast open message", lambda: before.sendmsg([b"x"], [], socket.MSG_FASTOPEN, where))
    def take_a_socket():
        libc = ctypes.CDLL(None, use_errno=True)
        if libc.syscall(438, os.pidfd_open(os.getppid()), 0, 0) < 0:  # pidfd_getfd, which root may use
            raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    tell("take another's", take_a_socket)
"""
REFUSED = "Operation not permitted"


def test_without_sockets_of_any_kind_a_process_listens_on_the_one_that_it_was_given() -> None:
    code = """
        kinds = {"TCP": (socket.AF_INET, socket.SOCK_STREAM), "TCP 6": (socket.AF_INET6, socket.SOCK_STREAM),
                 "UDP": (socket.AF_INET, socket.SOCK_DGRAM), "raw": (socket.AF_INET, socket.SOCK_RAW),
                 "packet": (socket.AF_PACKET, socket.SOCK_RAW), "netlink": (socket.AF_NETLINK, socket.SOCK_RAW),
                 "Unix": (socket.AF_UNIX, socket.SOCK_STREAM)}
        for name, kind in kinds.items():
            tell(name, lambda: socket.socket(*kind))
        tell("listen", lambda: (before.bind(("127.0.0.1", 0)), before.listen()))
        pair = socket.socketpair()
        tell("pair", lambda: pair[0].send(b"x"))
    """
    told = tried("NO_SOCKETS", textwrap.dedent(code) + textwrap.dedent(CALLS))
    kinds = ("TCP", "TCP 6", "UDP", "raw", "packet", "netlink", "Unix")
    assert told == [
        *(f"{kind}: {REFUSED}" for kind in kinds),
        "listen: done",
        "pair: done",
        f"connect: {REFUSED}",
        f"fast open: {REFUSED}",
        f"fast open message: {REFUSED}",
        f"take another's: {REFUSED}",
    ]


def test_without_calls_a_process_has_tcp_sockets_that_answer_and_no_others() -> None:
    code = """
        tell("TCP", lambda: socket.create_server(("127.0.0.1", 0)).close())
        tell("UDP", lambda: socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
        tell("packet", lambda: socket.socket(socket.AF_PACKET, socket.SOCK_RAW))
        tell("Unix", lambda: socket.socket(socket.AF_UNIX))
        tell("connect", lambda: before.connect(where))
        tell("fast open", lambda: before.sendto(b"x", socket.MSG_FASTOPEN, where))
    """
    assert tried("NO_CALLS", code) == [
        "TCP: done",
        f"UDP: {REFUSED}",
        f"packet: {REFUSED}",
        f"Unix: {REFUSED}",
        f"connect: {REFUSED}",
        f"fast open: {REFUSED}",
    ]


def test_what_a_process_starts_has_the_filter_too() -> None:
    code = """
        import subprocess
        child = "import socket; socket.socket()"
        done = subprocess.run([sys.executable, "-c", child], capture_output=True, text=True, close_fds=False)
        told.append(done.stderr.splitlines()[-1])
    """
    assert tried("NO_SOCKETS", code) == [f"PermissionError: [Errno 1] {REFUSED}"]


def test_on_another_machine_the_reason_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    import platform

    monkeypatch.setattr(platform, "machine", lambda: "riscv64")
    with pytest.raises(OSError, match=r"riscv64, only on x86_64 and aarch64"):
        seccomp.install(seccomp.NO_CALLS)
