"""A service's process: started, asked for its health, started again after its death, and given up in the end."""

import collections
import contextlib
import http.client
import shutil
import ssl
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import IO

from workbench.services import Service
from workbench.services.environment import marked
from workbench.services.logs import ServiceLog
from workbench.services.state import Board, Row
from workbench.settings import Settings
from workbench.system import processes
from workbench.system.endings import describe_code

START_TIMEOUT_S = 90.0
"""A service that does not answer for so long, and did no work meanwhile, hangs."""
LONGEST_START_S = 1800.0
"""One at work may take this long: many models on a busy computer are loaded one after the other."""
AT_WORK_S = 1.0
"""CPU time within ``START_TIMEOUT_S`` that only work takes."""
GIVE_UP_AFTER = 5
"""Deaths within ``GIVE_UP_WITHIN_S`` after which a service is not started again."""
GIVE_UP_WITHIN_S = 60.0
LONGEST_PAUSE_S = 8.0
FULL_PAUSE_S = 2.0
NEEDED_BYTES = 1024 * 1024
"""Free on the disk of the home: with less a service may be unable to start, which is no fault of its own."""


@dataclass(frozen=True)
class DeathVerdict:
    """How it goes on after a death."""

    retry_in_s: float | None
    """``None`` to give up."""
    counts: bool = True
    """Whether the death is one of those after which a service is given up."""


def judge(deaths: Sequence[float], now: float, *, disk_full: bool) -> DeathVerdict:
    """Decide about a death.

    Parameters
    ----------
    deaths
        Times of the earlier ones that count, s; the last few are enough.

    >>> judge([], 100.0, disk_full=False)
    DeathVerdict(retry_in_s=0.25, counts=True)
    >>> judge([60.0, 70.0, 80.0, 90.0], 100.0, disk_full=False)
    DeathVerdict(retry_in_s=None, counts=True)
    """
    if disk_full:
        return DeathVerdict(FULL_PAUSE_S, counts=False)
    last = [*deaths, now][-GIVE_UP_AFTER:]
    if len(last) == GIVE_UP_AFTER and now - last[0] < GIVE_UP_WITHIN_S:
        return DeathVerdict(None)
    return DeathVerdict(min(LONGEST_PAUSE_S, 0.25 * 2 ** (len(last) - 1)))


class Child:
    """A service, its process now, and its row on the board."""

    def __init__(self, service: Service, title: str, settings: Settings, board: Board) -> None:
        self.service = service
        self.process: subprocess.Popen[bytes] | None = None
        self._settings = settings
        self._board = board
        self._log = ServiceLog.of(service.name, settings)
        self._row = Row(title, "starting", service.url)
        self._started = self._looked = self._worked_s = 0.0
        self._retry_at = 0.0
        self._deaths: collections.deque[float] = collections.deque(maxlen=GIVE_UP_AFTER)
        board.put(self._row)

    @property
    def is_settled(self) -> bool:
        """Whether nothing changes until the process dies."""
        return self._row.state in ("ready", "given up")

    def launch(self) -> None:
        """Start the process; what outlived an earlier one goes first, for it holds the port."""
        processes.sweep(self._settings.home, self.service.name)
        with self._log.open() as log:
            self.process = start(self.service, self._settings, stdout=log, stderr=subprocess.STDOUT)
        self._started = self._looked = time.monotonic()
        self._worked_s = 0.0
        self._put(pid=self.process.pid)

    def watch(self) -> None:
        """Look after the process: one that is to come, that came, that died, or that hangs."""
        now = time.monotonic()
        if self._row.state == "given up":
            return
        if self.process is None:
            if now >= self._retry_at:
                self.launch()
        elif (code := self.process.poll()) is not None:
            self._died(code, now)
        elif self._row.state != "ready":
            if not self.service.health or answers(self.service.health):
                self._put(state="ready", message="")
                self._board.say(f"{self._row.name} ready" + (f": {self._row.url}" if self._row.url else ""))
            elif now - self._looked > START_TIMEOUT_S:
                self._looked = now
                if not self._is_at_work() or now - self._started > LONGEST_START_S:
                    self.process.kill()
        else:
            self._log.keep_short()

    def _is_at_work(self) -> bool:
        """Whether the service, or what it has started, worked since the last look."""
        assert self.process is not None
        before, self._worked_s = self._worked_s, processes.worked_s(self.process.pid)
        return self._worked_s - before >= AT_WORK_S

    def _died(self, code: int, now: float) -> None:
        self.process = None
        reason = f"ended with {describe_code(code)}; its last words: {self._log.last_words}"
        full = shutil.disk_usage(self._settings.home).free < NEEDED_BYTES
        verdict = judge(self._deaths, now, disk_full=full)
        if verdict.counts:
            self._deaths.append(now)
        if verdict.retry_in_s is None:
            self._put(state="given up", message=f"{reason} (log: {self._log.path})", pid=None)
        else:
            message = f"the disk with {self._settings.home} is full; it {reason}" if full else reason
            self._put(state="restarting", message=message, pid=None, restarts=self._row.restarts + 1)
            self._retry_at = now + verdict.retry_in_s
        self._board.say(f"{self._row.name} {self._row.state}: {self._row.message}")

    def _put(self, **change: str | int | None) -> None:
        self._row = replace(self._row, **change)  # type: ignore[arg-type]
        self._board.put(self._row)


def start(
    service: Service, settings: Settings, *, stdout: IO[bytes] | int, stderr: IO[bytes] | int
) -> subprocess.Popen[bytes]:
    """Start a service's process: it ends with this one, and is found by its mark."""
    return subprocess.Popen(
        processes.with_parent(service.command),
        env=marked(service.environment, processes.mark(settings.home, service.name)),
        stdin=subprocess.DEVNULL,
        stdout=stdout,
        stderr=stderr,
        start_new_session=True,
    )


def end(children: Sequence[subprocess.Popen[bytes]], grace_s: float) -> None:
    """Ask the processes to end, the last started first; after ``grace_s`` make them."""
    for process in reversed(children):
        with contextlib.suppress(ProcessLookupError):
            process.terminate()
    give_up = time.monotonic() + grace_s
    for process in reversed(children):
        try:
            process.wait(max(0.0, give_up - time.monotonic()))
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


_OWN = ssl._create_unverified_context()  # noqa: S323 - of our own service, whose certificate nobody else signed


def answers(url: str) -> bool:
    """Tell if something answers there, below 500."""
    try:
        with urllib.request.urlopen(url, timeout=1, context=_OWN):  # noqa: S310 - our own address
            return True
    except urllib.error.HTTPError as error:
        with error:
            return error.code < 500
    except (OSError, http.client.HTTPException):
        return False
