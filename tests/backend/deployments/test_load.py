"""Deployments under load: versions change while visitors draw, and nobody notices.

Some seconds by default; ``LOAD_S=60 pytest tests/backend/deployments/test_load.py`` for a minute.
"""

import http.client
import json
import os
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from functools import partial

import pytest

from tests.backend import making
from tests.backend.real_server import Server, start, stop, wait_for

LOAD_S = float(os.environ.get("LOAD_S", "8"))
PER_S = 50
VISITORS = 5
URL = making.data_url(making.png(making.seven()))


@pytest.fixture(scope="module")
def server(
    tmp_path_factory: pytest.TempPathFactory, free_ports: Callable[[int], list[int]]
) -> Iterator[Server]:
    home = tmp_path_factory.mktemp("load")
    server = start(home / "home", free_ports(1)[0])
    try:
        wait_for(lambda: server.ask("GET", "/healthz").status == 200, server)
        for number in range(1, 6):
            body = making.zipped(making.version(home / str(number), number), home / f"{number}.zip")
            assert server.guarded("PUT", f"/models/mnist-cnn/versions/{number}", body).status == 201
        assert server.guarded("POST", "/models/mnist-cnn:activate", b'{"version": 1}').status == 200
        yield server
    finally:
        stop(server)


class Named:
    """Which versions may answer: those named now, and while a change is under way those before and after."""

    def __init__(self, first: Iterable[int]) -> None:
        self.log = [(0.0, frozenset(first))]
        self.lock = threading.Lock()

    def change(self, to: Iterable[int]) -> None:
        with self.lock:
            self.log.append((time.monotonic(), frozenset(to)))

    def between(self, began: float, ended: float) -> set[int]:
        with self.lock:
            log = list(self.log)
        allowed: set[int] = set()
        for (at, named), (until, _) in zip(log, [*log[1:], (float("inf"), None)], strict=True):
            if at <= ended and until >= began:
                allowed |= named
        return allowed


def _has(answered: list[int], enough: int, failures: list[str]) -> bool:
    return len(answered) >= enough or bool(failures)


def test_deploying_rolling_back_and_trying_fail_no_request_and_only_named_versions_answer(
    server: Server,
) -> None:
    named, failures, answered, over = Named({1}), [], [], threading.Event()
    spent = []

    def visit() -> None:
        connection = http.client.HTTPConnection("127.0.0.1", server.settings.backend_port, timeout=120)
        turn = time.monotonic()
        while not over.is_set():
            turn += VISITORS / PER_S
            time.sleep(max(0.0, turn - time.monotonic()))  # the pace of the load
            began = time.monotonic()
            try:
                connection.request("POST", "/predict", URL, {"Accept": "application/json"})
                answer = connection.getresponse()
                body = answer.read()
            except OSError as error:
                failures.append(repr(error))
                continue
            ended = time.monotonic()
            if answer.status != 200:
                failures.append(f"{answer.status} {body!r}")
                continue
            version = json.loads(body)["version"]
            if version not in named.between(began, ended):
                failures.append(f"{version} answered when {named.between(began, ended)} were named")
            answered.append(version)
            spent.append(ended - began)
        connection.close()

    def change(path: str, asked: object, may_answer: set[int], before: set[int]) -> set[int]:
        named.change(before | may_answer)
        done = server.guarded("POST", f"/models/mnist-cnn:{path}", json.dumps(asked).encode())
        assert done.status == 200, done.body
        named.change(may_answer)
        return may_answer

    visitors = [threading.Thread(target=visit) for _ in range(VISITORS)]
    for visitor in visitors:
        visitor.start()
    began, now, last, changes = time.monotonic(), {1}, 1, 0
    try:
        while time.monotonic() - began < LOAD_S or changes < 3:
            new = changes % 4 + 2
            now = change("canary", {"version": new, "percent": 30}, now | {new}, now)
            now = change("activate", {"version": new}, {new}, now)
            now = change("rollback", {}, {last}, now)
            now = change("activate", {"version": new}, {new}, now)
            last, changes = new, changes + 1
            enough = len(answered) + PER_S // 2
            wait_for(partial(_has, answered, enough, failures), server)
    finally:
        over.set()
        for visitor in visitors:
            visitor.join()
    seconds = time.monotonic() - began
    assert failures == []
    assert set(answered) >= {2, 3, 4}
    slow = sorted(spent)[int(len(spent) * 0.99)]
    print(
        f"\n{len(answered)} answers in {seconds:.0f} s, {4 * changes} changes, 99 % within {slow * 1e3:.0f} ms"
    )


def test_drawings_and_models_are_no_other_users_to_read(server: Server) -> None:
    sent = {"image": making.data_url(making.png(making.seven())).decode(), "predicted": 1, "digit": 7}
    answer = server.ask("POST", "/corrections", json.dumps(sent).encode(), Content_Type="application/json")
    assert answer.status in (200, 201)
    found = [path for path in server.settings.backend.rglob("*") if not path.is_socket()]
    assert {"corrections.db", "deployments.json", "model.onnx"} <= {path.name for path in found}
    readable = [path for path in found if path.stat().st_mode & 0o044]
    assert [path for path in readable if "strangers" not in path.parts] == []
