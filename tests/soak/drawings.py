"""Visitors who draw at a steady rate through the front end, and now and then say what they drew."""

import http.client
import json
import threading
import time
from collections.abc import Callable
from typing import Any

import numpy as np

from tests.drawings import data_url, drawing
from tests.soak.notes import Answer, Notes

PATIENCE_S = 45.0
CORRECTION_EVERY_S = 2.6
"""The back end takes 30 a minute from one visitor."""
TRIES = 3


class Visitors:
    """Threads that draw and correct from ``start`` to ``stop``.

    Parameters
    ----------
    port
        Of the front end, on 127.0.0.1.
    rate
        Drawings a second, of all together; every other one is sent as the page of 2020 does.
    """

    def __init__(self, port: int, notes: Notes, rate: float, visitors: int = 4) -> None:
        self._port, self._notes = port, notes
        chance = np.random.default_rng(0)
        self._bodies = [data_url(drawing(n % 10, chance)) for n in range(20)]
        self._ended = threading.Event()
        draw = [lambda n=n: self._draw(n, visitors / rate) for n in range(visitors)]
        self._threads = [threading.Thread(target=do, daemon=True) for do in (*draw, self._correct)]

    def start(self) -> None:
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """Let everybody finish what is under way, and wait for it."""
        self._ended.set()
        for thread in self._threads:
            thread.join(PATIENCE_S + 5)

    def _draw(self, number: int, period_s: float) -> None:
        connection = _Connection(self._port)
        turn = 0

        def once() -> None:
            nonlocal turn
            turn += 1
            body = self._bodies[(number + turn) % len(self._bodies)]
            plain = turn % 2
            began = time.monotonic()
            if plain:
                status, said = connection.post(
                    "/api/predict", body.encode(), "application/x-www-form-urlencoded"
                )
            else:
                status, said = connection.post("/api/predict", json.dumps({"image": body}).encode())
            ended = time.monotonic()
            told: dict[str, Any] = {"digit": "", "version": None}
            if status == 200:
                told = {"digit": said.decode(), "version": None} if plain else json.loads(said)
            why = "" if status == 200 else said.decode(errors="replace")[:200]
            self._notes.answers.append(Answer(began, ended, status, str(told["digit"]), told["version"], why))

        self._steadily(once, period_s)
        connection.close()

    def _correct(self) -> None:
        connection = _Connection(self._port)
        chance = np.random.default_rng(1)
        count = 0

        def once() -> None:
            nonlocal count
            count += 1
            digit = int(chance.integers(10))
            asked = {"image": data_url(drawing(digit, chance)), "predicted": (digit + 1) % 10, "digit": digit}
            body = json.dumps(asked).encode()
            for turn in range(TRIES):
                status, said = connection.post("/api/corrections", body)
                if status in (200, 201):
                    self._notes.acknowledged.append(json.loads(said)["id"])
                    if turn or count % 5:
                        return
                else:
                    self._notes.not_taken += 1
                self._ended.wait(0.5)  # somebody who presses the button once more

        self._steadily(once, CORRECTION_EVERY_S)
        connection.close()

    def _steadily(self, do: Callable[[], None], period_s: float) -> None:
        due = time.monotonic()
        while not self._ended.is_set():
            do()
            due = max(due + period_s, time.monotonic() - 1)  # nobody draws a backlog
            self._ended.wait(max(0.0, due - time.monotonic()))


class _Connection:
    """A kept connection that is opened again after it broke."""

    def __init__(self, port: int) -> None:
        self._inner = http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE_S)

    def post(self, path: str, body: bytes, kind: str = "application/json") -> tuple[int, bytes]:
        """Status and body; 0 and what went wrong where there is no answer."""
        kept = self._inner.sock is not None
        try:
            return self._ask(path, body, kind)
        except (http.client.RemoteDisconnected, BrokenPipeError, ConnectionResetError) as error:
            self._inner.close()
            if not kept:
                return 0, repr(error).encode()
        except (OSError, http.client.HTTPException) as error:
            self._inner.close()
            return 0, repr(error).encode()
        return self.post(path, body, kind)  # it was closed while nobody drew: a browser takes a new one, too

    def _ask(self, path: str, body: bytes, kind: str) -> tuple[int, bytes]:
        self._inner.request("POST", path, body, {"Content-Type": kind})
        answer = self._inner.getresponse()
        return answer.status, answer.read()

    def close(self) -> None:
        self._inner.close()
