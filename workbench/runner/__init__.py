"""Takes jobs from their turn in the queue to a published version.

One process a job (``python -m workbench.runner``), detached from whoever submitted it. It holds the job's lease,
checks the recipe, launches the machines, replays what they report into the store, publishes, and ends the machines
whatever happens. A runner that dies leaves machines that go on; the next runner of the job takes both up again.

``queue`` says who gets a runner, ``run`` is one job from begin to end, ``lease`` holds it meanwhile, ``attempt`` is one
try with its machines, ``patience`` waits for what is away, ``faults`` decides what to do about what the machines show,
``explain`` says why a job failed, ``reports`` listens to the machines, ``folders`` and ``publishing`` are what goes in
and comes out.
"""

from workbench.runner.faults import Rules
from workbench.runner.lease import Lost
from workbench.runner.queue import (
    AWS_CAPS,
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
from workbench.runner.run import run
from workbench.runner.tools import open_provider

__all__ = [
    "AWS_CAPS",
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
