"""``python -m workbench.runner JOB RUNNER``: run one job, then let the next one have its turn."""

import os
import signal
import sys
from types import FrameType

from workbench.jobs import Store
from workbench.runner.lease import Lost
from workbench.runner.queue import tick
from workbench.runner.run import run
from workbench.settings import from_environment


def main(arguments: list[str]) -> int:
    signal.signal(signal.SIGTERM, end)
    settings = from_environment()
    settings.logs.mkdir(parents=True, exist_ok=True)
    with Store(settings.database_url) as store:
        try:
            run(int(arguments[0]), arguments[1], store, settings, last_resort=_kill_group)
        except Lost as error:
            print(error, file=sys.stderr)
        tick(store, settings)
    return 0


def end(number: int, frame: FrameType | None) -> None:
    """On a signal, end as an exception does: the machines end with it, the job goes on with another runner."""
    raise SystemExit(128 + number)


def _kill_group() -> None:
    os.killpg(os.getpgrp(), signal.SIGKILL)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
