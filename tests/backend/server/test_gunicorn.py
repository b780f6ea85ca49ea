"""The back end as it really runs: gunicorn with several workers, its versions, its reload and its end."""

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

from tests.backend import making
from tests.backend.real_server import CONFIGURATION, Server, start, stop, wait_for
from tests.backend.server.live import FORM, URL, connect, says
from workbench.manifest import write_listing as rewrite
from workbench.settings import PROJECT

pytestmark = pytest.mark.usefixtures("first_version")


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
