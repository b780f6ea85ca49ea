"""Two processes: one serves, the other asks."""

import json
import os
import signal
import socket
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from workbench.system.control_socket import Failed, Nothing, Reply, Route, Server, ask, listen


@dataclass(frozen=True)
class Double:
    number: int


@dataclass(frozen=True)
class Answer:
    number: int
    pid: int


@dataclass(frozen=True)
class Late:
    """Answered by a child of the server."""

    after_s: float


@dataclass(frozen=True)
class Watch:
    """Two pipes with something to read; what is done for either closes both."""


@dataclass(frozen=True)
class Unknown:
    pass


@dataclass(frozen=True)
class End:
    pass


def serve(folder: Path) -> None:
    def double(asked: Double, reply: Reply) -> None:
        if asked.number < 0:
            raise LookupError("only 0 or more")
        reply(Answer(2 * asked.number, os.getpid()))

    def late(asked: Late, reply: Reply) -> None:
        if os.fork() == 0:
            time.sleep(asked.after_s)
            reply(Answer(0, os.getpid()))
            os._exit(0)

    def watch(asked: Watch, reply: Reply) -> None:
        reading: list[int] = []

        def close() -> None:
            for descriptor in reading:
                server.forget(descriptor)
                os.close(descriptor)

        for _ in range(2):
            read, write = os.pipe()
            os.write(write, b"something")
            reading.append(read)
            server.watch(read, close)
        reply(Nothing())

    def end(asked: End, reply: Reply) -> None:
        server.ending = True
        reply(Nothing())

    def reap() -> None:
        try:
            while os.waitpid(-1, os.WNOHANG)[0]:
                pass
        except ChildProcessError:
            pass

    routes = (Route(Double, double), Route(Late, late), Route(Watch, watch), Route(End, end))
    server = Server(listen(folder), routes, reap, 60)
    server.serve()


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    folder = tmp_path / ("a-long-name-" * 10) / "control-folder"
    folder.mkdir(parents=True)
    pid = os.fork()
    if pid == 0:
        try:
            os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
            serve(folder)
        finally:
            os._exit(0)
    give_up = time.monotonic() + 60
    while not (folder / "control").exists() and time.monotonic() < give_up:
        time.sleep(0.01)
    yield folder
    os.kill(pid, signal.SIGTERM)
    assert os.waitpid(pid, 0)[1] == 0


def test_what_is_asked_is_answered_in_a_value(folder: Path) -> None:
    assert ask(folder, Double(4), Answer, 60).number == 8


def test_a_failure_there_is_one_here_and_the_server_goes_on(folder: Path) -> None:
    with pytest.raises(Failed, match="LookupError: only 0 or more"):
        ask(folder, Double(-1), Answer, 60)
    with pytest.raises(Failed, match="Unknown"):
        ask(folder, Unknown(), Answer, 60)
    assert ask(folder, Double(1), Answer, 60).number == 2


def test_an_answer_of_another_kind_is_refused(folder: Path) -> None:
    with pytest.raises(ValueError, match=r"expected|missing"):
        ask(folder, End(), Answer, 60)


def test_an_answer_that_comes_late_from_a_child_keeps_nobody_waiting(folder: Path) -> None:
    with socket.socket(socket.AF_UNIX) as connection:
        connection.connect(f"/proc/self/fd/{os.open(folder, os.O_RDONLY)}/control")
        connection.sendall(json.dumps({"do": "Late", "with": {"after_s": 0.5}}).encode() + b"\n")
        server = ask(folder, Double(1), Answer, 60).pid
        assert json.loads(connection.makefile().readline())["answer"]["pid"] != server


def test_what_was_closed_while_another_was_served_is_not_read_any_more(folder: Path) -> None:
    ask(folder, Watch(), Nothing, 60)
    assert ask(folder, Double(1), Answer, 60).number == 2
    assert ask(folder, Double(2), Answer, 60).number == 4


@pytest.mark.parametrize(
    "sent",
    [
        b"\n",
        b"[]\n",
        b'{"do": []}\n',
        b'{"do": "Double"}\n',
        b"\xff\n",
        b'{"do": "Double", "with": {"number": "1"}}\n',
    ],
)
def test_what_is_no_request_is_answered_with_an_error(folder: Path, sent: Any) -> None:
    with socket.socket(socket.AF_UNIX) as connection:
        connection.connect(f"/proc/self/fd/{os.open(folder, os.O_RDONLY)}/control")
        connection.sendall(sent)
        assert "error" in json.loads(connection.makefile().readline())
    assert ask(folder, Double(1), Answer, 60).number == 2


def test_where_nobody_listens_the_system_says_so(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="No such file"):
        ask(tmp_path, Double(1), Answer, 1)
