"""Does what the schedule says, at its time, and notes what was done to whom."""

import contextlib
import sqlite3
import time
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor

import psutil

from tests.soak import schedule, victims
from tests.soak.asking import Users
from tests.soak.notes import Hit, Notes
from tests.soak.schedule import Act
from tests.soak.world import World
from workbench import runner

DOWN_S = 2.0
"""How long the database stays away."""


def act(world: World, notes: Notes, acts: Sequence[Act], seconds: float) -> None:
    """Do all acts; return when the time is over and whatever was begun is done."""
    began = time.monotonic()
    with (
        ThreadPoolExecutor(1) as deploying,
        ThreadPoolExecutor(2) as asking,
        ThreadPoolExecutor(1) as mending,
    ):
        actor = _Actor(world, notes, Users(world, notes), deploying, asking, mending)
        try:
            for one in acts:
                time.sleep(max(0.0, began + one.at_s - time.monotonic()))
                actor.do(one)
            time.sleep(max(0.0, began + seconds - time.monotonic()))
        finally:
            if world.disk:
                world.disk.empty()
    for future in actor.begun:
        future.result()  # what went wrong in a thread is not lost


class _Actor:
    def __init__(
        self, world: World, notes: Notes, users: Users,
        deploying: ThreadPoolExecutor, asking: ThreadPoolExecutor, mending: ThreadPoolExecutor,
    ) -> None:  # fmt: skip
        self.world, self.notes, self.users = world, notes, users
        self.deploying, self.asking, self.mending = deploying, asking, mending
        self.killed: dict[str, float] = {}
        self.filled = 0.0
        self.begun: list[Future[None]] = []

    def do(self, one: Act) -> None:
        match one.do:
            case "submit":
                self.begun.append(self.asking.submit(self.users.submit, one.number))
            case "terminate":
                self.begun.append(self.asking.submit(self.users.terminate, one.number))
            case "deploy":
                self.begun.append(self.deploying.submit(self.users.deploy, one.number))
            case "rollback":
                self.begun.append(self.deploying.submit(self.users.rollback))
            case "fill" if self.world.disk:
                self.filled = time.monotonic()
                self.world.disk.fill()
            case "empty" if self.world.disk:
                self.world.disk.empty()
                self.notes.hits.append(Hit(self.filled, "full disk", ended=time.monotonic()))
            case "kill":
                self.kill(one)

    def kill(self, one: Act) -> None:
        """Kill one process of the first kind of the order that lives."""
        living = victims.find(self.world.settings)
        if self.world.server:
            living["mariadb"] = [self.world.server.process.pid]
        now = time.monotonic()
        kind = schedule.choose(one.order, living, self.killed, now)
        if kind is None:
            return
        self.killed[kind] = now
        pid = living[kind][one.number % len(living[kind])]
        self.notes.hits.append(Hit(now, kind, pid))
        if kind == "mariadb":
            self.begun.append(self.mending.submit(self._restart_database))
            return
        jobs = runner.runners(self.world.settings) if kind == "runner" else {}
        with contextlib.suppress(psutil.NoSuchProcess):  # it ended by itself in this moment
            psutil.Process(pid).kill()
        if self.world.small and pid in jobs:
            self._let_lease_pass(jobs[pid])

    def _restart_database(self) -> None:
        server = self.world.server
        assert server is not None
        server.process.kill()
        server.process.wait()
        time.sleep(DOWN_S)
        server.start()

    def _let_lease_pass(self, id: int) -> None:
        """Let the half minute pass after which a silent runner counts as dead."""
        path = self.world.settings.database_url.removeprefix("sqlite:///")
        with contextlib.closing(sqlite3.connect(path, timeout=20)) as connection:
            connection.execute("UPDATE jobs SET lease_until = 0 WHERE id = ? AND runner IS NOT NULL", (id,))
            connection.commit()
