"""What a server takes of a request, whoever answers it: our worker beside others, with an application that does nothing.

Two workers each, the plain canvas' bytes, eight kept connections; all are there at once, and one at a time is asked.
"""

import statistics
import sys
import tempfile
from contextlib import ExitStack
from pathlib import Path

from benchmarks import environments, predict
from benchmarks.measuring import Row
from benchmarks.serving import Connection, Load, Server, free_port, serve
from workbench.settings import PROJECT

ROUNDS, REQUESTS = 6, 2000
GUNICORN = "{python} -m gunicorn --workers=2 --bind=127.0.0.1:{port} --pythonpath={peers} --chdir={project}"
OURS = "our worker, by its loop"
SERVERS = {
    OURS: (f"{GUNICORN} --threads=4 -k backend.server.worker.PatientWorker hello:quick", False),
    "our worker, by its threads": (
        f"{GUNICORN} --threads=4 -k backend.server.worker.PatientWorker hello:app",
        False,
    ),
    "gunicorn, threads": (f"{GUNICORN} --threads=4 -k gthread hello:app", True),
    "gunicorn, asgi": (f"{GUNICORN} -k asgi hello:asgi", True),
    "uvicorn under gunicorn": (f"{GUNICORN} -k uvicorn_worker.UvicornWorker hello:asgi", True),
    "granian, wsgi": (
        "{python} -m granian --interface wsgi --workers 2 --no-ws --working-dir {peers} --host 127.0.0.1 "
        "--port {port} hello:app",
        True,
    ),
}
"""Commands, and whether in the peers' environment."""


def run() -> list[Row]:
    """Measure."""
    peers = PROJECT / "benchmarks" / "peers"
    body = predict.canvas(3)

    def answers(port: int) -> bool:
        try:
            with Connection(port) as connection:
                return connection.post(body) == b"3"
        except (OSError, ValueError, IndexError):
            return False

    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        servers: dict[str, Server] = {}
        for number, (name, (command, elsewhere)) in enumerate(SERVERS.items()):
            python, port = environments.make("servers") if elsewhere else Path(sys.executable), free_port()
            words = [
                word.format(python=python, port=port, peers=peers, project=PROJECT)
                for word in command.split()
            ]
            servers[name] = stack.enter_context(serve(words, port, {}, answers, folder / f"{number}.log"))
        cpu_ms: dict[str, list[float]] = {name: [] for name in servers}
        for turn in range(ROUNDS + 1):
            for name, server in servers.items():
                load = Load()
                load.add_round(server, [body], REQUESTS)
                if turn:  # the first one warms it up
                    cpu_ms[name].append(load.cpu_ms)
    ours = statistics.median(cpu_ms[OURS])
    return [
        Row(
            f"servers: CPU a request by {OURS}, beside {name}"
            if name != OURS
            else f"servers: CPU a request by {name}",
            ours,
            "ms",
            None if name == OURS else statistics.median(found),
            note=f"{min(found):.3g}–{max(found):.3g}",
        )
        for name, found in cpu_ms.items()
    ]
