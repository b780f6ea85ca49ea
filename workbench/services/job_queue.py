"""The process that starts a runner for each job whose turn it is: ``python -m workbench.services.job_queue``.

Runners are processes of their own, so that this one may end and begin again without harm to any job.
"""

import os
import signal
import sys
import threading

from workbench import runner
from workbench.errors import Unavailable
from workbench.jobs import Store
from workbench.services import Service
from workbench.services.environment import minimal
from workbench.settings import Settings, from_environment

TICK_S = 1.0
HANDED_ON = (
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
        ),
        port=0,
        health="",
        url="",
    )


def watch(settings: Settings, ended: threading.Event) -> None:
    """Tick until told to end; a store that is away is asked again."""
    while not ended.is_set():
        try:
            with Store(settings.database_url) as store:
                runner.end_orphans(store, runner.open_provider("local", settings))
                while not ended.wait(TICK_S):
                    runner.tick(store, settings)
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
