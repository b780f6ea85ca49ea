"""A canvas to a digit: our back end beside the tutorial's way, Flask's own server with ``model.predict``.

Both answer the very call of the 2020 page with the same model, in turns, while the other one idles.
"""

import base64
import functools
import statistics
import struct
import sys
import tempfile
import urllib.request
import zlib
from contextlib import AbstractContextManager
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from benchmarks.measuring import Row
from benchmarks.serving import Connection, Load, Server, free_port, serve
from workbench import artifact, manifest
from workbench.errors import NotFound
from workbench.settings import PROJECT, from_environment

TOKEN = "of-the-benchmark"
ROUNDS = 4
OURS, PEERS = 800, 64
"""Requests a round."""


def run() -> list[Row]:
    """Measure; needs a published ``mnist-cnn``."""
    version = newest_version("mnist-cnn")
    bodies = [canvas(digit) for digit in range(10)]
    own_bodies = [own_picture(digit) for digit in range(10)]
    page_bodies = [b'{"image":"' + body + b'"}' for body in own_bodies]
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        deploy(version, home)
        starts = []
        for _ in range(3):
            with start_ours(home, bodies[3]) as server:
                starts.append(server.first_answer_s)
        with start_ours(home, bodies[3]) as ours, _tutorial(version, home, bodies[3]) as peer:
            for server in (ours, peer):
                Load().add_round(server, bodies, 32)  # to warm up
            our_load, own_load, page_load, peer_load = Load(), Load(), Load(), Load()
            for _ in range(ROUNDS):
                our_load.add_round(ours, bodies, OURS)
                peer_load.add_round(peer, bodies, PEERS)
                own_load.add_round(ours, own_bodies, OURS)
                page_load.add_round(ours, page_bodies, OURS)
            return [
                Row(
                    "predict: CPU a request, the plain canvas",
                    our_load.cpu_ms,
                    "ms",
                    peer_load.cpu_ms,
                    goal=0.93,
                ),
                Row("predict: CPU a request, our page's picture", own_load.cpu_ms, "ms", goal=0.7),
                Row("predict: CPU a request, our page's call, with what was seen", page_load.cpu_ms, "ms"),
                Row(
                    "predict: half within, 8 at once",
                    our_load.percentile_ms(50),
                    "ms",
                    peer_load.percentile_ms(50),
                ),
                Row(
                    "predict: 99 % within, 8 at once",
                    our_load.percentile_ms(99),
                    "ms",
                    peer_load.percentile_ms(99),
                ),
                Row(
                    "predict: 99 % to half, 8 at once",
                    our_load.percentile_ms(99) / our_load.percentile_ms(50),
                    "",
                    goal=2,
                ),
                Row(
                    "predict: memory a worker", max(ours.workers_mb()), "MB", max(peer.workers_mb()), goal=130
                ),
                Row(
                    "predict: start to first answer",
                    statistics.median(starts),
                    "s",
                    peer.first_answer_s,
                    goal=1.0,
                ),
            ]


def newest_version(name: str) -> Path:
    """Folder of the newest published version.

    Raises
    ------
    NotFound
        None is published.
    """
    folder = from_environment().models / name
    versions = [p for p in folder.glob("*") if p.name.isdecimal() and (p / manifest.FILE).is_file()]
    if not versions:
        raise NotFound(f"no version of {name} is published in {folder}; train the first one with: make up")
    return max(versions, key=lambda path: int(path.name))


def canvas(digit: int) -> bytes:
    """What Chromium's ``canvas.toDataURL()`` gives of a drawn digit: 280×280 RGBA, every row filtered Up."""
    ink = _drawn(digit, 280, 15)
    return _data_url(np.dstack([ink, ink, ink, np.full_like(ink, 255)]))


def own_picture(digit: int) -> bytes:
    """What our page sends of a drawn digit: 112×112, grey."""
    return _data_url(_drawn(digit, 112, 6)[:, :, None])


def _drawn(digit: int, side: int, pen: int) -> NDArray[np.uint8]:
    ink = np.zeros((side, side), np.uint8)
    points = ((np.array(STROKES[digit]) * 2.0 + 40) * side / 280).astype(np.int32)
    cv2.polylines(ink, [points], False, 255, pen, cv2.LINE_AA)
    return ink


def _data_url(pixels: NDArray[np.uint8]) -> bytes:
    height, width, channels = pixels.shape
    steps = np.diff(pixels, axis=0, prepend=np.zeros((1, width, channels), np.uint8)).reshape(height, -1)
    rows = np.hstack([np.full((height, 1), 2, np.uint8), steps])
    header = struct.pack(">II5B", width, height, 8, {1: 0, 4: 6}[channels], 0, 0, 0)
    parts = [(b"IHDR", header), (b"IDAT", zlib.compress(rows.tobytes(), 3)), (b"IEND", b"")]
    png = b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        for kind, data in parts
    )
    return b"data:image/png;base64," + base64.b64encode(png)


STROKES = {
    0: [(50, 0), (20, 20), (15, 60), (40, 100), (75, 80), (80, 30), (50, 0)],
    1: [(35, 20), (55, 0), (52, 100)],
    2: [(15, 20), (45, 0), (75, 20), (60, 55), (15, 98), (85, 95)],
    3: [(15, 10), (50, 0), (75, 20), (45, 45), (80, 70), (50, 100), (12, 88)],
    4: [(30, 0), (15, 55), (85, 55), (65, 20), (62, 100)],
    5: [(80, 0), (25, 2), (20, 45), (60, 40), (80, 70), (50, 100), (12, 88)],
    6: [(65, 0), (25, 45), (20, 85), (50, 100), (75, 75), (50, 52), (22, 75)],
    7: [(12, 5), (82, 2), (40, 100)],
    8: [(70, 15), (40, 0), (25, 25), (70, 65), (60, 98), (25, 90), (35, 55), (70, 15)],
    9: [(75, 25), (45, 0), (22, 25), (45, 48), (75, 25), (65, 100)],
}


def _answers(port: int, body: bytes) -> bool:
    try:
        with Connection(port) as connection:
            return connection.post(body).isdigit()
    except (OSError, ValueError, IndexError):
        return False


def start_ours(home: Path, body: bytes | None) -> AbstractContextManager[Server]:
    """Our server, once it answers the drawing, or without one once it listens."""
    port = free_port()
    command = [sys.executable, "-m", "gunicorn", "-c", "backend/gunicorn.conf.py", "backend.wsgi:app"]
    environment = {
        "WORKBENCH_HOME": str(home),
        "WORKBENCH_BACKEND_PORT": str(port),
        "WORKBENCH_DEPLOY_TOKEN": TOKEN,
    }
    probe = _listens if body is None else functools.partial(_answers, body=body)
    return serve(command, port, environment, probe, home / "ours.log")


def _tutorial(version: Path, home: Path, body: bytes) -> AbstractContextManager[Server]:
    port = free_port()
    script = PROJECT / "benchmarks" / "peers" / "tutorial_flask.py"
    command = [sys.executable, str(script), str(version / "model.keras"), str(port)]
    return serve(
        command,
        port,
        {"TF_CPP_MIN_LOG_LEVEL": "2"},
        functools.partial(_answers, body=body),
        home / "peer.log",
    )


def deploy(version: Path, home: Path) -> None:
    """Push and activate the version over the back end's own routes."""
    name, number = version.parent.name, version.name
    archive = artifact.pack(version, home / "version.zip")

    def send(server: Server, method: str, path: str, body: bytes) -> None:
        request = urllib.request.Request(
            f"http://127.0.0.1:{server.port}{path}", body, {"Authorization": f"Bearer {TOKEN}"}, method=method
        )
        urllib.request.urlopen(request, timeout=60).close()

    with start_ours(home, None) as server:
        send(server, "PUT", f"/models/{name}/versions/{number}", archive.read_bytes())
        send(server, "POST", f"/models/{name}:activate", b'{"version": %d}' % int(number))


def _listens(port: int) -> bool:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/healthz", timeout=5):
            return True
    except OSError:
        return False
