"""A canvas to a digit: our back end beside other serving frameworks, each set up as its own pages say.

All have the same model, two workers, the same drawings, and the same simple code to read them (``peers/reading.py``;
ours has its own). All are there at once, and one at a time gets requests, in turns. Two limits are beside them: a server
that computes nothing, and the computing without a server.
"""

import functools
import re
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

import psutil

from benchmarks import environments, predict
from benchmarks.measuring import Row
from benchmarks.peers import reading
from benchmarks.serving import Connection, Load, Server, free_port, serve
from workbench.errors import Unavailable
from workbench.settings import PROJECT

FOLDER = PROJECT / "benchmarks" / "peers"
ROUNDS = 6
REQUESTS = 400
"""A round and server."""
GOAL = 3.0
"""Times fewer CPU seconds than the best peer."""


@dataclass(frozen=True)
class Peer:
    """How another server is started and asked.

    In ``command`` and ``environ`` stand ``{python}``, ``{model}``, ``{port}``, ``{folder}``
    (to write into) and ``{peers}`` (our code for it).
    """

    name: str
    command: str
    environment: str | None
    """Its requirements, ``peers/NAME.txt``; ``None`` for our own environment."""
    body: bytes = b"%s"
    """What is posted, with ``%s`` where the data URL stands."""
    path: str = "/predict/"
    kind: str = ""
    environ: dict[str, str] = field(default_factory=dict, hash=False)

    def connect(self, port: int) -> Connection:
        return Connection(port, self.path, self.kind)


PEERS = (
    Peer(
        "LitServe",
        "{python} {peers}/litserve_app.py {model} {port}",
        "litserve",
        b'{"image": "%s"}',
    ),
    Peer(
        "BentoML",
        "{python} -m bentoml serve bentoml_service:Digits --working-dir {peers} --host 127.0.0.1 --port {port}",
        "bentoml",
        b'{"image": "%s"}',
        environ={"MODEL": "{model}", "BENTOML_HOME": "{folder}", "BENTOML_DO_NOT_TRACK": "true"},
    ),
    Peer(
        "kserve",
        "{python} {peers}/kserve_model.py --http_port={port} --workers=2 --enable_grpc=false --model={model}",
        "kserve",
        b'{"instances": ["%s"]}',
        path="/v1/models/digits:predict",
    ),
    Peer(
        "Ray Serve",
        "{python} {peers}/ray_serve_app.py {model} {port} {folder}",
        "ray_serve",
        path="/predict",
        kind="text/plain",
        environ={
            "RAY_SERVE_THROUGHPUT_OPTIMIZED": "1",
            "RAY_USAGE_STATS_ENABLED": "0",
            "RAY_AUTH_TOKEN": "of-the-benchmark-alone",
        },
    ),
)
HELLO = Peer(
    "hello in gunicorn, the limit of a server",
    "{python} -m gunicorn --chdir={peers} --workers=2 --threads=4 --worker-class=gthread --bind=127.0.0.1:{port} hello:app",
    None,
)


@dataclass
class Measured:
    """What one server cost; figures of a request are of each round."""

    start_s: float
    workers_mb: float = 0.0
    """Resident memory of the largest process that has the model."""
    all_mb: float = 0.0
    """Proportional share of all its processes."""
    idle_ms: float = 0.0
    """CPU in a second without requests."""
    cpu_ms: list[float] = field(default_factory=list)
    all_rounds: Load = field(default_factory=Load)


def run() -> list[Row]:
    """Measure; needs a published ``mnist-cnn``, and installs the peers where they are not there."""
    version = predict.newest_version("mnist-cnn")
    model = version / "model.onnx"
    urls = [predict.canvas(digit) for digit in range(10)]
    failed: dict[str, str] = {}
    measured: dict[str, Measured] = {}
    ours = Peer("ours", "", None)
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        predict.deploy(version, folder)
        servers: dict[Peer, Server] = {ours: stack.enter_context(predict.start_ours(folder, urls[3]))}
        for peer in (HELLO, *PEERS):
            print(f"starting {peer.name} …", file=sys.stderr)
            try:
                servers[peer] = _start(stack, peer, model, folder, urls)
            except Unavailable as error:
                print(f"{peer.name}: {error}", file=sys.stderr)
                failed[peer.name] = str(error).partition("\n")[0]
        measured = {peer.name: Measured(server.first_answer_s) for peer, server in servers.items()}
        bodies = {peer: [peer.body.replace(b"%s", url) for url in urls] for peer in servers}
        for turn in range(ROUNDS + 1):
            for peer, server in servers.items():
                load = Load()
                load.add_round(server, bodies[peer], REQUESTS, connect=peer.connect)
                if turn:  # the first one warms it up
                    measured[peer.name].cpu_ms.append(load.cpu_ms)
                    measured[peer.name].all_rounds.add(load)
        _look(servers, measured)
    return _rows(measured, failed, _computing_ms(model, urls))


def _start(stack: ExitStack, peer: Peer, model: Path, folder: Path, urls: list[bytes]) -> Server:
    """The peer's server, once it gives the right digit for the first drawing; it must for all."""
    python = Path(sys.executable) if peer.environment is None else environments.make(peer.environment)
    port, own = free_port(), folder / re.sub(r"\W", "", peer.name)[:8]
    own.mkdir()
    values = {"python": python, "model": model, "port": port, "folder": own, "peers": FOLDER}
    server = stack.enter_context(
        serve(
            [word.format(**values) for word in peer.command.split()],
            port,
            {name: value.format(**values) for name, value in peer.environ.items()},
            functools.partial(_answers, peer, urls),
            own / "log",
        )
    )
    with peer.connect(port) as connection:
        answers = [_digit(connection.post(peer.body.replace(b"%s", url))) for url in urls]
    if peer is not HELLO and answers != list(range(10)):
        raise Unavailable(f"the drawings of 0 to 9 were taken for {answers}")
    return server


def _answers(peer: Peer, urls: list[bytes], port: int) -> bool:
    try:
        with peer.connect(port) as connection:
            return _digit(connection.post(peer.body.replace(b"%s", urls[3]))) == 3
    except (OSError, ValueError, IndexError, KeyError):
        return False


def _digit(answer: bytes) -> int | None:
    found = re.findall(rb"\d+", answer)
    return int(found[0]) if len(found) == 1 else None


def _look(servers: dict[Peer, Server], measured: dict[str, Measured], rest_s: float = 5.0) -> None:
    """Memory after the load, and what each costs while nobody asks."""
    before = {peer: server.cpu_times() for peer, server in servers.items()}
    time.sleep(rest_s)
    for peer, server in servers.items():
        found = measured[peer.name]
        found.idle_ms = server.cpu_s(since=before[peer]) / rest_s * 1e3
        family = server.family()
        found.all_mb = sum(process.memory_full_info().pss for process in family) / 1e6
        found.workers_mb = max((_rss_mb(process) for process in family if _has_model(process)), default=0.0)


def _has_model(process: psutil.Process) -> bool:
    return any("onnxruntime" in mapped.path for mapped in process.memory_maps())


def _rss_mb(process: psutil.Process) -> float:
    return process.memory_info().rss / 1e6


def _computing_ms(model: Path, urls: list[bytes]) -> dict[str, list[float]]:
    """CPU of one drawing in one thread without a server, a value a round."""
    answer = reading.open_model(str(model))
    pictures = [reading.read(url) for url in urls]
    return {
        "ONNX Runtime alone, the limit of the model": _repeat(answer, pictures),
        "reading and ONNX Runtime without a server": _repeat(lambda url: answer(reading.read(url)), urls),
    }


def _repeat(do: Callable[..., object], given: Sequence[object], times: int = 20) -> list[float]:
    found = []
    for _ in range(ROUNDS + 1):
        began = time.process_time()
        for _ in range(times):
            for one in given:
                do(one)
        found.append((time.process_time() - began) / times / len(given) * 1e3)
    return found[1:]


def _rows(
    measured: dict[str, Measured], failed: dict[str, str], computing: dict[str, list[float]]
) -> list[Row]:
    ours = measured.pop("ours")
    own_cpu = statistics.median(ours.cpu_ms)
    rows = []
    for name, cpu_ms in {**computing, **{name: found.cpu_ms for name, found in measured.items()}}.items():
        note = f"{_spread(ours.cpu_ms)} and {_spread(cpu_ms)}"
        rows.append(
            Row(f"peers: CPU a request beside {name}", own_cpu, "ms", statistics.median(cpu_ms), note=note)
        )
    peers = {name: found for name, found in measured.items() if name != HELLO.name}
    for name, why in failed.items():
        rows.append(Row(f"peers: CPU a request beside {name}", own_cpu, "ms", note=f"not measured: {why}"))
    if peers:
        best = min(peers, key=lambda name: statistics.median(peers[name].cpu_ms))
        times = statistics.median(peers[best].cpu_ms) / own_cpu
        rows.append(
            Row(f"peers: CPU a request, times fewer than the best ({best})", times, "", goal=GOAL, more=True)
        )
    for name, peer in peers.items():
        for what, percent in (("half", 50), ("99 %", 99)):
            mine, theirs = (load.all_rounds.percentile_ms(percent) for load in (ours, peer))
            rows.append(Row(f"peers: {what} within, 8 at once, beside {name}", mine, "ms", theirs))
    figures: tuple[tuple[str, str, Callable[[Measured], float]], ...] = (
        ("memory of the largest worker", "MB", lambda found: found.workers_mb),
        ("memory of all processes", "MB", lambda found: found.all_mb),
        ("CPU a second without requests", "ms", lambda found: found.idle_ms),
        ("start to first answer", "s", lambda found: found.start_s),
    )
    for what, unit, ask in figures:
        rows += [
            Row(f"peers: {what} beside {name}", ask(ours), unit, ask(peer)) for name, peer in peers.items()
        ]
    return rows


def _spread(values: list[float]) -> str:
    return f"{min(values):.3g}–{max(values):.3g}"
