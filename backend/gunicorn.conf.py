"""The configuration of the back end's server: two workers of four threads, on loopback unless ``--bind`` says otherwise."""

import gc
import os
import signal
import sys
import time
from pathlib import Path
from types import FrameType
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
os.environ["OPENBLAS_NUM_THREADS"] = "1"  # before NumPy is imported; its threads would not survive the fork

from backend.http.metrics import PARTS
from workbench.pictures.memory import keep_pieces
from workbench.settings import from_environment

_settings = from_environment()
bind = f"{_settings.backend_address}:{_settings.backend_port}"
proc_name = "workbench-backend"
worker_class = "backend.server.worker.PatientWorker"
workers = 2
threads = 4
worker_connections = 500
backlog = 512
preload_app = True  # imported once, shared by the workers

timeout = 60  # a worker whose loop does not turn for so long is killed
graceful_timeout = 20  # running requests may end
keepalive = 75  # longer than a proxy in front keeps its connections, so that it never meets one just closed

_shared_memory = "/dev/shm"  # noqa: S108
if os.access(_shared_memory, os.W_OK):
    worker_tmp_dir = _shared_memory  # for the workers' signs of life; a busy disk would delay them

accesslog = None  # the application writes its own lines
errorlog = "-"
loglevel = "info"
control_socket_disable = True

_parts: dict[int, int] = {}
"""A worker's age → its part of the shared counters."""


DRAIN_S = 1.0
"""From ``/readyz`` turning red to the end, for whoever sends requests here to look elsewhere."""


def when_ready(server: Any) -> None:
    """Before a TERM signal stops the workers, say for a moment that no more should be sent here."""
    stop, leaving, master = (
        signal.getsignal(signal.SIGTERM),
        server.app.wsgi().extensions["leaving"],
        os.getpid(),
    )
    if not callable(stop):
        raise RuntimeError(f"the server has no handler of its own for TERM, but {stop!r}")

    def leave(number: int, frame: FrameType | None) -> None:
        if os.getpid() == master and not leaving[0]:
            leaving[0] = 1
            time.sleep(DRAIN_S)
        stop(number, frame)

    signal.signal(signal.SIGTERM, leave)


def pre_fork(server: Any, worker: Any) -> None:
    worker.metrics_part = min(set(range(PARTS)) - set(_parts.values()), default=0)
    _parts[worker.age] = worker.metrics_part


def post_fork(server: Any, worker: Any) -> None:
    keep_pieces()


def post_worker_init(worker: Any) -> None:
    """Take the counters' part, and load what is deployed, before the first request."""
    extensions = worker.app.wsgi().extensions
    extensions["metrics"].use_part(worker.metrics_part)
    extensions["deployments"].now()
    gc.freeze()  # what is here now stays: to look through all of it takes a worker 60 ms


def child_exit(server: Any, worker: Any) -> None:
    _parts.pop(worker.age, None)
