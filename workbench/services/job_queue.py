"""The process that starts a runner for each job whose turn it is: ``python -m workbench.services.job_queue``.

It starts the driver of a sweep for which nobody waits, too, where that is missing. Runners are processes of their own, so that this one may end and begin again without harm to any job.
"""

import os
import signal
import sys
import threading
import time
from collections.abc import Callable

from workbench import runner
from workbench.errors import Unavailable
from workbench.jobs import Store
from workbench.services import Service
from workbench.services.environment import minimal, network
from workbench.settings import Settings, from_environment
from workbench.sweeps.drivers import Drivers

TICK_S = 1.0
CALM_S = 30.0
"""A store that looks unchanged is asked again after this time."""
HANDED_ON = (
    "WORKBENCH_ISOLATION",
    "WORKBENCH_MAX_JOBS",
    "WORKBENCH_MAX_JOBS_PER_REQUESTER",
    "WORKBENCH_MAX_PRICE_PER_JOB",
    "WORKBENCH_MAX_PRICE_PER_REQUESTER",
)
"""To runners, as is what boto3 reads; machines of this computer see none of it."""


def prepare(settings: Settings) -> Service:
    """Say how the process is started."""
    handed_on = [
        name for name in os.environ if name in HANDED_ON or name.startswith(("AWS_", "WORKBENCH_AWS_"))
    ]
    return Service(
        name="queue",
        command=(sys.executable, "-m", "workbench.services.job_queue"),
        environment=minimal(
            settings,
            WORKBENCH_DATABASE_URL=settings.database_url,
            **{name: os.environ[name] for name in handed_on},
            **network(os.environ),
        ),
        port=0,
        health="",
        url="",
    )


class Queue:
    """Turns of the queue. Without a job the store is only looked at from outside until something in it changes."""

    def __init__(
        self, store: Store, tick: Callable[[], object], clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._store, self._tick, self._clock = store, tick, clock
        self._calm: object | None = None
        """The store's stamp when no job was in it."""
        self._ask_again = 0.0

    def turn(self) -> bool:
        """Tick where there may be something to do; tell whether the store was asked."""
        stamp, now = self._store.stamp(), self._clock()
        if stamp is not None and stamp == self._calm and now < self._ask_again:
            return False
        self._calm = None
        if self._store.is_calm():
            self._calm, self._ask_again = stamp, now + CALM_S
        else:
            self._tick()
        return True


def watch(settings: Settings, ended: threading.Event) -> None:
    """Tick until told to end; a store that is away is asked again."""
    drivers = Drivers(settings)
    while not ended.is_set():
        try:
            with Store(settings.database_url) as store:
                runner.end_orphans(store, runner.open_provider("local", settings))
                queue = Queue(store, lambda: runner.tick(store, settings))
                while not ended.wait(TICK_S):
                    queue.turn()
                    drivers.tick()
        except Unavailable as error:
            print(error, file=sys.stderr, flush=True)
            ended.wait(TICK_S)


def main() -> int:
    ended = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: ended.set())
    watch(from_environment(), ended)
    return 0


if __name__ == "__main__":
    sys.exit(main())
