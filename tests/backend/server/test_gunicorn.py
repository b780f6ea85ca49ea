"""The back end as it really runs: gunicorn, several workers, several clients, and what goes wrong there."""

import contextlib
import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import psutil
import pytest

from backend.server.arrival import ARRIVE_S
from tests.backend import making
from tests.backend.real_server import BEARER, CONFIGURATION, Server, start, stop, wait_for
from tests.chain import PATIENCE
from workbench.manifest import write_listing as rewrite
from workbench.settings import PROJECT

URL = making.data_url(making.png(making.seven()))
FORM = "application/x-www-form-urlencoded"


def connect(server: Server) -> socket.socket:
    return socket.create_connection(("127.0.0.1", server.settings.backend_port), timeout=120)


def everything(sock: socket.socket) -> bytes:
    """All that comes until the other side closes."""
    received = b""
    with contextlib.suppress(ConnectionResetError):
        while data := sock.recv(65536):
            received += data
    return received


def says(server: Server) -> str:
    return server.ask("POST", "/predict/", URL).body.decode()


@pytest.fixture(autouse=True)
def _first_version(server: Server) -> None:
    """Each test begins with version 1."""
    server.guarded("POST", "/models/mnist-cnn:activate", b'{"version": 1}')
    assert says(server) == "1"


def test_the_2020_page_is_answered_from_another_origin(server: Server) -> None:
    answer = server.ask(
        "POST",
        "/predict/",
        URL,
        Content_Type=FORM + "; charset=UTF-8",
        Origin="http://page.example",
        Accept="*/*",
    )
    assert (answer.status, answer.body) == (200, b"1")
    assert answer.headers["Content-Type"].startswith("text/plain")
    assert answer.headers["Access-Control-Allow-Origin"] in ("*", "http://page.example")


def test_it_listens_on_loopback_only(server: Server) -> None:
    listening = [c for c in psutil.Process(server.process.pid).net_connections() if c.status == "LISTEN"]
    assert {c.laddr.ip for c in listening} == {"127.0.0.1"}


def _has(answers: list[str], enough: int) -> bool:
    return len(answers) >= enough


def test_after_an_activation_returns_every_next_answer_is_the_new_versions_and_none_fails(
    server: Server,
) -> None:
    answers, failures, over = [], [], threading.Event()
    active = {"named": {"1"}}  # what may answer: during a switch either

    def visit() -> None:
        connection = http.client.HTTPConnection("127.0.0.1", server.settings.backend_port, timeout=120)
        while not over.is_set():
            may = active["named"]
            try:
                connection.request("POST", "/predict/", URL, {"Content-Type": FORM})
                answer = connection.getresponse()
                text = answer.read().decode()
            except OSError as error:
                failures.append(repr(error))
                continue
            if answer.status != 200:
                failures.append(f"{answer.status} {text}")
            elif text not in may | active["named"]:
                failures.append(f"{text} answered when {may | active['named']} were deployed")
            answers.append(text)
        connection.close()

    visitors = [threading.Thread(target=visit) for _ in range(6)]
    for visitor in visitors:
        visitor.start()
    try:
        for number in (2, 3, 1, 2, 3):
            active["named"] = active["named"] | {str(number)}
            done = server.guarded("POST", "/models/mnist-cnn:activate", b'{"version": %d}' % number)
            assert done.status == 200, done.body
            active["named"] = {str(number)}
            enough = len(answers) + 30
            wait_for(partial(_has, answers, enough), server)
        active["named"] = {"2", "3"}
        assert server.guarded("POST", "/models/mnist-cnn:rollback").json["version"] == 2
        active["named"] = {"2"}
        enough = len(answers) + 30
        wait_for(lambda: len(answers) >= enough, server)
    finally:
        over.set()
        for visitor in visitors:
            visitor.join()
    assert failures == []
    assert set(answers) == {"1", "2", "3"}


def test_a_damaged_zip_is_refused_while_the_old_version_answers(server: Server, tmp_path: Path) -> None:
    body = making.zipped(making.version(tmp_path / "4", 4), tmp_path / "4.zip")
    middle = len(body) // 2
    for bad in (body[:middle], body[:middle] + bytes(64) + body[middle + 64 :]):
        assert server.guarded("PUT", "/models/mnist-cnn/versions/4", bad).status == 422
    assert server.guarded("POST", "/models/mnist-cnn:activate", b'{"version": 4}').status == 404
    assert says(server) == "1"


def test_a_version_larger_than_any_picture_is_taken(server: Server, tmp_path: Path) -> None:
    folder = making.version(tmp_path / "5", 5)
    (folder / "model.keras").write_bytes(os.urandom(20_000_000))
    manifest = json.loads((folder / "manifest.json").read_text())
    rewrite(folder, manifest)
    body = making.zipped(folder, tmp_path / "5.zip")
    assert server.guarded("PUT", "/models/mnist-cnn/versions/5", body).status == 201
    assert server.guarded("GET", "/models/mnist-cnn/versions/5.zip").body == body


def test_a_reload_replaces_the_workers_without_a_failed_request(server: Server) -> None:
    master = psutil.Process(server.process.pid)
    before = {child.pid for child in master.children()}
    server.process.send_signal(signal.SIGHUP)
    wait_for(lambda: says(server) == "1" and not before & {child.pid for child in master.children()}, server)


def test_a_killed_worker_is_replaced_and_nothing_is_counted_twice_or_lost(server: Server) -> None:
    def counted() -> float:
        name = 'workbench_requests_total{route="/predict",method="POST",status="200"} '
        text = server.ask("GET", "/metrics").body.decode()
        return float(next(line for line in text.splitlines() if line.startswith(name)).rpartition(" ")[2])

    master = psutil.Process(server.process.pid)
    workers = {child.pid for child in master.children()}
    assert len(workers) == 2
    before = counted()
    for _ in range(20):
        assert says(server) == "1"
    assert counted() == before + 20
    for pid in workers:
        os.kill(pid, signal.SIGKILL)
    wait_for(
        lambda: len(now := {child.pid for child in master.children()}) == 2 and not now & workers, server
    )
    wait_for(lambda: says(server) == "1", server)
    before, after = before + 20, counted()
    assert after >= before + 1
    for _ in range(20):
        assert says(server) == "1"
    assert counted() == after + 20


def test_clients_that_send_slowly_take_nobodys_turn(server: Server) -> None:
    beginnings = [
        b"P",
        b"POST /predict/ HTTP/1.1\r\nHost: x\r\n",
        b"POST /predict/ HTTP/1.1\r\nHost: x\r\nContent-Length: 9000\r\n\r\ndata:image/png",
        b"POST /predict/ HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nda",
    ]
    with contextlib.ExitStack() as stack:
        slow = [stack.enter_context(connect(server)) for _ in range(40)]
        for number, sock in enumerate(slow):
            sock.sendall(beginnings[number % len(beginnings)])
        began = time.monotonic()
        assert [says(server) for _ in range(20)] == ["1"] * 20
        assert time.monotonic() - began < 60  # each of the 40 would take a thread of 8 for 10 s
        for number, sock in enumerate(slow[:4]):
            answer = everything(sock)
            assert answer.startswith(b"HTTP/1.1 408 "), (number, answer)
            body = answer.partition(b"\r\n\r\n")[2]
            assert json.loads(body)["error"]["code"] == "too_slow"


def test_clients_that_do_not_hang_up_take_nobodys_turn(server: Server) -> None:
    request = b"GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
    with contextlib.ExitStack() as stack:
        began = time.monotonic()
        for _ in range(40):
            sock = stack.enter_context(connect(server))
            sock.sendall(request)
            assert everything(sock).startswith(b"HTTP/1.1 200 ")
        assert time.monotonic() - began < 60  # gunicorn's own worker waits 2 s for each


@pytest.mark.parametrize("size", [1, 7, 1000])
def test_a_request_in_pieces_is_answered(server: Server, size: int) -> None:
    body = URL if size > 100 else b"data:"
    request = b"POST /predict/ HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: %d\r\n\r\n" % len(
        body
    )
    request += body
    with connect(server) as sock:
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for at in range(0, len(request), size):
            sock.sendall(request[at : at + size])
        assert everything(sock).startswith(b"HTTP/1.1 200 " if size > 100 else b"HTTP/1.1 415 ")


def test_requests_sent_one_right_behind_the_other_are_all_answered(server: Server) -> None:
    one = b"POST /predict/ HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n" % len(URL) + URL
    last = one.replace(b"Host: x", b"Host: x\r\nConnection: close")
    with connect(server) as sock:
        sock.sendall(one * 3 + last)
        assert everything(sock).count(b"HTTP/1.1 200 ") == 4


def test_who_reads_no_answers_takes_nobodys_turn(server: Server) -> None:
    one = b"POST /predict/ HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n" % len(URL) + URL
    with contextlib.ExitStack() as stack:
        deaf = []
        for _ in range(6):
            sock = stack.enter_context(socket.socket())
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)
            sock.connect(("127.0.0.1", server.settings.backend_port))
            sock.setblocking(False)
            deaf.append(sock)
        began = time.monotonic()
        while time.monotonic() - began < 6:
            for sock in deaf:
                with contextlib.suppress(
                    BlockingIOError, ConnectionError
                ):  # who never reads is cut in the end
                    sock.send(one * 20)
            asked = time.monotonic()
            assert says(server) == "1"
            assert time.monotonic() - asked < 4 * PATIENCE


def test_a_body_in_chunks_is_answered(server: Server) -> None:
    half = len(URL) // 2
    chunks = b"".join(b"%x\r\n%s\r\n" % (len(part), part) for part in (URL[:half], URL[half:], b""))
    request = b"POST /predict/ HTTP/1.1\r\nHost: x\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n"
    with connect(server) as sock:
        sock.sendall(request + chunks)
        answer = everything(sock)
    assert answer.startswith(b"HTTP/1.1 200 ")
    assert answer.endswith(b"1")


def test_who_asks_before_sending_a_body_is_told_to_go_on(server: Server) -> None:
    head = b"POST /predict/ HTTP/1.1\r\nHost: x\r\nConnection: close\r\nExpect: 100-continue\r\nContent-Length: %d\r\n\r\n"
    with connect(server) as sock:
        sock.sendall(head % len(URL))
        assert sock.recv(100).startswith(b"HTTP/1.1 100 Continue")
        sock.sendall(URL)
        assert b"HTTP/1.1 200 OK" in everything(sock)


@pytest.mark.parametrize(
    "request_",
    [
        b"nonsense\r\n\r\n",
        b"\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n",
        b"GET / HTTP/9.9\r\n\r\n",
        b"GET /healthz HTTP/1.1\r\nHost: x\r\nA b\r\n\r\n",
        b"POST /predict HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\nabcd",
        b"POST /predict HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        b"POST /predict HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n",
        b"POST /predict HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n0\r\n\r\n",
        b"GET /" + b"a" * 9000 + b" HTTP/1.1\r\nHost: x\r\n\r\n",
        b"GET / HTTP/1.1\r\n" + b"".join(b"H%d: x\r\n" % n for n in range(200)) + b"\r\n",
        b"GET / HTTP/1.1\r\nHost: x\r\nA: " + b"a" * 60_000 + b"\r\n\r\n",
    ],
)
def test_what_is_no_proper_request_is_refused_and_the_connection_ends(
    server: Server, request_: bytes
) -> None:
    with connect(server) as sock:
        with contextlib.suppress(OSError):  # it may have ended already
            sock.sendall(request_)
            sock.shutdown(socket.SHUT_WR)
        answer = everything(sock)
    assert answer == b"" or answer[9:10] == b"4" or answer[9:12] in (b"501", b"505")
    assert says(server) == "1"


def test_too_large_a_body_is_refused_without_being_read(server: Server) -> None:
    with connect(server) as sock:
        sock.sendall(
            b"POST /predict/ HTTP/1.1\r\nHost: x\r\nContent-Length: 2000000000\r\n\r\n" + bytes(50_000)
        )
        assert sock.recv(100).startswith(b"HTTP/1.1 413 ")
    assert says(server) == "1"


@pytest.mark.parametrize(
    "line", [b"PUT /models/a/versions/1", b"POST /predict/", b"GET /healthz", b"POST /nowhere"]
)
def test_a_long_body_that_nobody_wants_is_not_waited_for(server: Server, line: bytes) -> None:
    with contextlib.ExitStack() as stack:
        for _ in range(48):
            sock = stack.enter_context(connect(server))
            sock.sendall(line + b" HTTP/1.1\r\nHost: x\r\nContent-Length: 50000000\r\n\r\n")
        began = time.monotonic()
        assert [says(server) for _ in range(10)] == ["1"] * 10
        assert time.monotonic() - began < 60  # gunicorn waits 5 s for each, in 2 workers


def test_a_push_that_stops_half_way_changes_nothing(server: Server) -> None:
    head = (
        "PUT /models/mnist-cnn/versions/9 HTTP/1.1\r\nHost: x\r\nContent-Length: 50000000\r\n"
        f"Authorization: {BEARER['Authorization']}\r\n\r\n"
    )
    with connect(server) as sock:
        with contextlib.suppress(OSError):  # on a busy computer it may have waited long enough
            sock.sendall(head.encode() + bytes(200_000))
            sock.shutdown(socket.SHUT_WR)
        answer = everything(sock)
    assert answer == b"" or answer[9:12] in (b"400", b"408")
    incoming = server.settings.backend / "incoming"
    wait_for(lambda: not list(incoming.iterdir()), server)
    assert server.guarded("POST", "/models/mnist-cnn:activate", b'{"version": 9}').status == 404


WAITS = """

class time:
    @staticmethod
    def sleep(_):
        import time

        while not Path({go!r}).exists():
            time.sleep(0.05)
"""


@dataclass(frozen=True)
class LeavesWhenTold:
    """Our configuration, but a server that is about to end waits until it was seen, however busy the computer is."""

    configuration: str
    go: Path


@pytest.fixture
def leaves_when_told(tmp_path: Path) -> Iterator[LeavesWhenTold]:
    changed, go = tmp_path / "patient.conf.py", tmp_path / "go"
    changed.write_text((PROJECT / CONFIGURATION).read_text() + WAITS.format(go=str(go)))
    try:
        yield LeavesWhenTold(str(changed), go)
    finally:
        go.touch()


def is_read(sock: socket.socket) -> bool:
    """Whether the other end, on this computer, has read all that was sent: nothing waits in its socket, says Linux."""
    mine, theirs = (f":{address[1]:04X}" for address in (sock.getsockname(), sock.getpeername()))
    for line in Path("/proc/net/tcp").read_text().splitlines()[1:]:
        _, local, remote, _, queues, *_ = line.split()
        if local.endswith(theirs) and remote.endswith(mine):
            return queues.endswith(":00000000")
    return False


def test_a_term_signal_lets_running_requests_end_and_leaves_no_process(
    tmp_path: Path, leaves_when_told: LeavesWhenTold, free_ports: Callable[[int], list[int]]
) -> None:
    server = start(tmp_path / "home", free_ports(1)[0], leaves_when_told.configuration)
    try:
        wait_for(lambda: server.ask("GET", "/healthz").status == 200, server)
        workers = psutil.Process(server.process.pid).children(recursive=True)
        with connect(server) as sock:
            sock.sendall(
                b"POST /predict/ HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n" % len(URL) + URL[:100]
            )
            wait_for(lambda: is_read(sock), server)
            server.process.terminate()
            time.sleep(0.2)
            sock.sendall(URL[100:])
            assert sock.recv(100).startswith(b"HTTP/1.1 503 ")  # there is no model, but there is an answer
        leaves_when_told.go.touch()
        assert server.process.wait(100) == 0
        assert not [worker for worker in workers if worker.is_running()]
    finally:
        leaves_when_told.go.touch()
        stop(server)


def test_the_first_answer_comes_soon_and_a_worker_is_small(
    tmp_path: Path, free_ports: Callable[[int], list[int]], capsys: pytest.CaptureFixture[str]
) -> None:
    """The figures are printed; a busy machine would make asserting them a matter of luck."""
    home = tmp_path / "home"
    making.version(home / "backend" / "models" / "mnist-cnn" / "1", 1)
    deployed = {"version": 1, "since": "2026-11-22T10:00:00Z", "previous": None, "history": []}
    (home / "backend" / "deployments.json").write_text(
        json.dumps({"format": 1, "models": {"mnist-cnn": deployed}})
    )
    server = start(home, free_ports(1)[0])
    try:
        wait_for(lambda: says(server) == "1", server)
        first_s = time.monotonic() - server.started
        for _ in range(50):
            says(server)
        sizes = [child.memory_info().rss / 1e6 for child in psutil.Process(server.process.pid).children()]
        with capsys.disabled():
            print(f"\n  first answer {first_s:.2f} s; workers {', '.join(f'{s:.0f} MB' for s in sizes)}")
        assert max(sizes) < 250  # TensorFlow alone would be twice that
        workers = psutil.Process(server.process.pid).children()
        server.process.kill()
        _, alive = psutil.wait_procs(workers, timeout=60)
        assert not alive  # they do not outlive their master
    finally:
        stop(server)


def test_the_configuration_is_one_that_gunicorn_accepts(tmp_path: Path) -> None:
    command = ["-m", "gunicorn", "-c", "backend/gunicorn.conf.py", "--check-config", "backend.wsgi:app"]
    environment = {"WORKBENCH_HOME": str(tmp_path), "PATH": os.environ["PATH"]}
    done = subprocess.run(
        [sys.executable, *command], cwd=PROJECT, env=environment, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr


def test_before_the_end_ready_turns_red_while_drawings_are_still_answered(
    tmp_path: Path, leaves_when_told: LeavesWhenTold, free_ports: Callable[[int], list[int]]
) -> None:
    server = start(tmp_path / "home", free_ports(1)[0], leaves_when_told.configuration)
    try:
        wait_for(lambda: server.ask("GET", "/healthz").status == 200, server)
        body = making.zipped(making.version(tmp_path / "1", 1), tmp_path / "1.zip")
        assert server.guarded("PUT", "/models/mnist-cnn/versions/1", body).status == 201
        assert server.guarded("POST", "/models/mnist-cnn:activate", b'{"version": 1}').status == 200
        assert server.ask("GET", "/readyz").status == 200
        server.process.terminate()
        red = wait_for(lambda: (a := server.ask("GET", "/readyz")).status == 503 and a, server)
        assert red.json["state"] == "leaving"
        assert says(server) == "1"
        leaves_when_told.go.touch()
        assert server.process.wait(100) == 0
    finally:
        leaves_when_told.go.touch()
        stop(server)


def test_what_cannot_be_answered_soon_is_told_so_at_once(server: Server) -> None:
    """More connections than a worker may have waiting, all at one moment."""
    request = b"POST /predict/ HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n" % len(URL) + URL
    with contextlib.ExitStack() as stack:
        many = [stack.enter_context(connect(server)) for _ in range(700)]
        sending = time.monotonic()
        for sock in many:
            sock.sendall(request[:-1])
        began = time.monotonic()
        for sock in many:
            with contextlib.suppress(ConnectionError):
                sock.sendall(request[-1:])
        was_soon = time.monotonic() - sending < ARRIVE_S / 2
        statuses = []
        for sock in many:
            sock.settimeout(120)
            answer = b""
            with contextlib.suppress(ConnectionError):
                while b"\r\n\r\n" not in answer and (data := sock.recv(4096)):
                    answer += data
            statuses.append(answer[9:12])
            if answer[9:12] == b"503":
                assert b"Retry-After: 1" in answer
        spent = time.monotonic() - began
    assert set(statuses) <= {b"200", b"503"} or not was_soon
    assert b"200" in statuses
    assert spent < 15 * PATIENCE
    assert says(server) == "1"
