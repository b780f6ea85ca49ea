"""Takes jobs from their turn in the queue to a published version.

One process a job (``python -m workbench.runner``), detached from whoever submitted it. It holds the job's lease,
checks the recipe, launches the machines, replays what they report into the store, publishes, and ends the machines
whatever happens. A runner that dies leaves machines that go on; the next runner of the job takes both up again.

``turns`` says who gets a runner, ``work`` is one job from begin to end, ``faults`` decides what to do about what the
machines show, ``reports`` listens to them, ``folders`` and ``publishing`` are what goes in and comes out.
"""

from workbench.runner.faults import Rules
from workbench.runner.queue import (
    MARK,
    Start,
    end_orphans,
    runner_name,
    runners,
    start_runner,
    stop_all,
    terminate,
    tick,
)
from workbench.runner.run import Lost, open_provider, run

__all__ = [
    "MARK",
    "Lost",
    "Rules",
    "Start",
    "end_orphans",
    "open_provider",
    "run",
    "runner_name",
    "runners",
    "start_runner",
    "stop_all",
    "terminate",
    "tick",
]
