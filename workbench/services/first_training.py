"""The process of the first model: started if there is none, and its progress shown."""

import contextlib
import os
import subprocess
import sys
from dataclasses import replace

from workbench.services import Service, first_model
from workbench.services.child import start
from workbench.services.environment import minimal, network
from workbench.services.logs import ServiceLog
from workbench.services.state import Board, Row
from workbench.settings import Settings

NAME = "first_model"


def service(settings: Settings) -> Service:
    """Say how the process is started."""
    return Service(
        name=NAME,
        command=(sys.executable, "-m", "workbench.services.first_model"),
        environment=minimal(
            settings,
            WORKBENCH_BACKEND_PORT=str(settings.backend_port),
            WORKBENCH_BACKEND_ADDRESS=settings.backend_address,
            WORKBENCH_DEPLOY_TOKEN=settings.deploy_token,
            TF_CPP_MIN_LOG_LEVEL="2",
            **network(os.environ),
        ),
        port=0,
        health="",
        url="",
    )


class FirstTraining:
    """The process while it runs; it is not started again."""

    def __init__(self, title: str, settings: Settings, board: Board) -> None:
        self._board = board
        self._log = ServiceLog.of(NAME, settings)
        self._row = Row(title, "starting")
        self._rest = b""
        with self._log.open() as log:
            self.process = start(service(settings), settings, stdout=subprocess.PIPE, stderr=log)
        assert self.process.stdout is not None
        self._output = self.process.stdout
        os.set_blocking(self._output.fileno(), False)
        self._put(self._row.state, pid=self.process.pid)

    def watch(self) -> bool:
        """Show what the process is at; false once it has ended."""
        code = self.process.poll()
        with contextlib.suppress(BlockingIOError):
            self._rest += self._output.read() or b""
        *lines, self._rest = self._rest.split(b"\n")
        if lines and (told := first_model.parse(lines[-1])):
            self._put(told.state, told.message, self.process.pid)
            self._board.say()
        if code is None:
            return True
        self._output.close()
        if code == 0:
            self._put("done", "deployed")
            self._board.say("first model deployed: the drawing page recognises digits")
        else:
            self._put("failed", f"{self._log.last_words} (log: {self._log.path})")
            self._board.say(f"first model failed: {self._row.message}")
        return False

    def _put(self, state: str, message: str = "", pid: int | None = None) -> None:
        self._row = replace(self._row, state=state, message=message, pid=pid)
        self._board.put(self._row)
