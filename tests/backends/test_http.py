"""Commands and ``HttpBackEnd`` before a real back end: parts, canaries, histories, retrainings."""

import http.server
import json
import os
import subprocess
import sys
import textwrap
import threading
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.backend import making
from tests.backend.real_server import Answer, Server, start, stop, wait_for
from workbench import datasets
from workbench.backends import http as deployment
from workbench.backends.exported import keep_corrections
from workbench.backends.http import HttpBackEnd
from workbench.backends.values import Canary
from workbench.errors import BadInput, ModelRefused, NotFound, Unavailable
from workbench.manifest import File, read
from workbench.manifest import write_listing as rewrite
from workbench.models import registry
from workbench.settings import PROJECT, Settings

TOKEN = making.TOKEN


@pytest.fixture(scope="module")
def server(
    tmp_path_factory: pytest.TempPathFactory, free_ports: Callable[[int], list[int]]
) -> Iterator[Server]:
    """A back end of this module's own, with nothing deployed."""
    server = start(tmp_path_factory.mktemp("deployment") / "home", free_ports(1)[0])
    try:
        wait_for(lambda: server.ask("GET", "/healthz").status == 200, server)
        yield server
    finally:
        stop(server)


@pytest.fixture
def publish(tmp_path: Path) -> Callable[..., registry.Version]:
    """Makes versions 1, 2, … of a model as the registry would hand them over."""
    made = 0

    def give(
        name: str, *, number: int | None = None, weight: bytes = b"", **manifest: Any
    ) -> registry.Version:
        nonlocal made
        made += 1
        folder = making.version(
            tmp_path / f"{name}-{made}", made if number is None else number, name=name, **manifest
        )
        if weight:
            (folder / "model.keras").write_bytes(weight)
            rewrite(folder, read(folder).as_json())
        kept = read(folder)
        return registry.Version(name, kept.version, folder, kept)

    return give


def client(server: Server) -> HttpBackEnd:
    return HttpBackEnd(server.url, TOKEN)


def says(server: Server, name: str, picture: bytes | None = None) -> Any:
    body = making.png(making.seven()) if picture is None else picture
    answer = server.ask("POST", f"/predict?model={name}", body, Content_Type="image/png")
    return answer.json


def command(server: Server, *arguments: str) -> tuple[int, str, str]:
    done = subprocess.run(
        [sys.executable, "-m", "workbench.cli", *arguments],
        cwd=PROJECT,
        env={
            "PATH": os.environ["PATH"],
            "WORKBENCH_HOME": str(server.settings.home),
            "WORKBENCH_DEPLOY_TOKEN": TOKEN,
            "WORKBENCH_BACKEND_PORT": str(server.settings.backend_port),
            "WORKBENCH_REQUESTER": "ada",
        },
        capture_output=True,
        text=True,
        timeout=300,
    )
    return done.returncode, done.stdout, done.stderr


class Way(http.server.ThreadingHTTPServer):
    """A way to the back end that breaks so many times; keeps what went through: method, bytes, status."""

    def __init__(self, behind: str, breaks: int) -> None:
        super().__init__(("127.0.0.1", 0), Breaking)
        self.behind, self.breaks = behind, breaks
        self.seen: list[tuple[str, int, int | str]] = []


class Breaking(http.server.BaseHTTPRequestHandler):
    """A way to the back end that breaks off each of the first requests with a body in its middle."""

    protocol_version = "HTTP/1.1"
    server: Way

    def _pass_on(self) -> None:
        length = int(self.headers.get("Content-Length") or 0)
        cut = self.command == "PUT" and self.server.breaks > 0
        self.server.breaks -= cut
        body = self.rfile.read(length // 2 if cut else length)
        if cut:
            self._send_half(length, body)
            self.close_connection = True
            return
        headers = {k: v for k, v in self.headers.items() if k.lower() not in ("host", "content-length")}
        request = urllib.request.Request(
            self.server.behind + self.path, body or None, headers, method=self.command
        )
        try:
            with urllib.request.urlopen(request, timeout=120) as answer:
                status, content = answer.status, answer.read()
        except urllib.error.HTTPError as error:
            with error:
                status, content = error.code, error.read()
        self.server.seen.append((self.command, length, status))
        self.send_response(status)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def _send_half(self, length: int, body: bytes) -> None:
        import socket

        host, port = self.server.behind.removeprefix("http://").split(":")
        with socket.create_connection((host, int(port)), timeout=120) as behind:
            head = "".join(f"{k}: {v}\r\n" for k, v in self.headers.items())
            behind.sendall(f"PUT {self.path} HTTP/1.1\r\n{head}\r\n".encode() + body)
            behind.shutdown(1)
            while behind.recv(65536):
                pass
        self.server.seen.append(("PUT", len(body), "broken"))

    do_GET = do_PUT = do_POST = _pass_on

    def log_message(self, *arguments: object) -> None:
        """Nothing."""


def test_a_push_over_a_broken_connection_goes_on_where_it_broke(
    server: Server, publish: Callable[..., registry.Version], monkeypatch: pytest.MonkeyPatch
) -> None:
    way = Way(server.url, 2)
    threading.Thread(target=way.serve_forever, args=(0.02,), daemon=True).start()
    version = publish("pushed", weight=os.urandom(30_000_000))
    try:
        url = f"http://127.0.0.1:{way.server_address[1]}"
        assert HttpBackEnd(url, TOKEN).deploy(version).version == version.version
    finally:
        way.shutdown()
        way.server_close()
    broken = [length for _, length, status in way.seen if status == "broken"]
    whole = [length for method, length, status in way.seen if method == "PUT" and status in (201, 202)]
    assert len(broken) == 2
    assert sum(whole) < 30_100_000 + deployment.PART_BYTES * 2
    assert says(server, "pushed")["version"] == version.version


def test_a_zip_that_is_not_the_announced_one_is_refused_and_forgotten(
    server: Server, publish: Callable[..., registry.Version], tmp_path: Path
) -> None:
    version = publish("announced")
    body = making.zipped(version.folder, tmp_path / "it.zip")
    path, other = f"/models/announced/versions/{version.version}", "0" * 64
    common = {"Authorization": f"Bearer {TOKEN}", "X-Content-SHA256": other}
    answer = server.ask("PUT", path, body, **common, Content_Range=f"bytes 0-{len(body) - 1}/{len(body)}")
    assert (answer.status, answer.json["error"]["code"]) == (422, "model_refused")
    assert server.ask("PUT", path, body, **common).status == 422
    answer = server.ask("GET", f"{path}/upload?sha256={other}", Authorization=f"Bearer {TOKEN}")
    assert answer.json == {"received": 0}


def test_parts_come_in_order_and_within_what_was_announced(
    server: Server, publish: Callable[..., registry.Version], tmp_path: Path
) -> None:
    version = publish("parts")
    body = making.zipped(version.folder, tmp_path / "it.zip")
    path = f"/models/parts/versions/{version.version}"
    common = {"Authorization": f"Bearer {TOKEN}", "X-Content-SHA256": File.of(tmp_path / "it.zip").sha256}

    def part(start: int, end: int, total: int) -> Answer:
        return server.ask(
            "PUT", path, body[start:end], **common, Content_Range=f"bytes {start}-{end - 1}/{total}"
        )

    assert part(0, 1000, len(body)).json["received"] == 1000
    early = part(2000, 3000, len(body))
    assert (early.status, early.headers["Upload-Offset"]) == (409, "1000")
    assert part(1000, 3000, 2000).status == 400
    assert part(0, 0, 2**40).status in (400, 413)
    assert server.ask("PUT", path, b"x", **common, Content_Range="lines 1-2/3").status == 400
    here = server.ask(
        "GET", f"{path}/upload?sha256={common['X-Content-SHA256']}", Authorization=f"Bearer {TOKEN}"
    ).json["received"]
    assert part(here, len(body), len(body)).status == 201


def test_a_canary_answers_its_share_and_what_both_said_is_kept(
    server: Server, publish: Callable[..., registry.Version]
) -> None:
    one, two = publish("shared"), publish("shared")
    client(server).deploy(one)
    said = client(server).deploy(two, canary=40)
    assert said.canary is not None
    assert (said.version, said.canary) == (1, Canary(2, 40.0, said.canary.since))
    pictures = [making.png(making.seven(280 - n)) for n in range(60)]
    answers = [says(server, "shared", picture) for picture in pictures]
    assert {(a["version"], a["digit"]) for a in answers} == {(1, 1), (2, 2)}
    tried = sum(a["version"] == 2 for a in answers)
    assert 10 <= tried <= 40
    assert [says(server, "shared", p)["version"] for p in pictures[:8]] == [a["version"] for a in answers[:8]]
    compared = client(server).compare("shared")
    assert compared.versions == (1, 2)
    assert tried <= compared.drawings <= tried + 8
    assert compared.agreed == 0
    first = compared.disagreements[0]
    assert {v: a.digit for v, a in first.answers.items()} == {1: 1, 2: 2}
    assert first.picture.startswith("data:image/png;base64,")
    assert client(server).deploy(two, canary=0).canary is None
    assert {says(server, "shared", picture)["version"] for picture in pictures} == {1}


def test_a_canary_needs_an_active_version_and_a_sensible_share(
    server: Server, publish: Callable[..., registry.Version]
) -> None:
    version = publish("lonely")
    with pytest.raises(NotFound, match="activate one first"):
        client(server).deploy(version, canary=10)
    client(server).deploy(version)
    for percent in (-1, 101, "ten", True, None, 1e308 * 10):
        body = json.dumps({"version": 1, "percent": percent}).encode()
        assert server.guarded("POST", "/models/lonely:canary", body).status == 400
    assert server.guarded("POST", "/models/lonely:canary", b'{"version": 1, "percent": 5}').status == 409


def test_versions_are_compared_on_accepted_corrections_with_an_interval(
    server: Server, publish: Callable[..., registry.Version]
) -> None:
    one, two = publish("compared"), publish("compared")
    for version in (one, two):
        client(server).deploy(version)
    ids = []
    for n in range(3):
        body = {"image": making.data_url(making.png(making.seven(150 + n))).decode(), "digit": 2}
        answer = server.ask(
            "POST", "/corrections", json.dumps(body).encode(), Content_Type="application/json"
        )
        ids.append(answer.json["id"])
    client(server).review(ids, "accept")
    found = client(server).compare("compared")
    assert found.corrections >= 3
    ours = found.recognised[2]
    assert ours.right >= 3
    assert ours.low < ours.accuracy <= ours.high
    assert found.recognised[1].right < ours.right
    with pytest.raises(NotFound):
        client(server).compare("compared", (1, 99))
    with pytest.raises(NotFound):
        client(server).compare("unheard-of")


def test_the_history_says_who_did_what_when_and_why(
    server: Server, publish: Callable[..., registry.Version]
) -> None:
    one, two = publish("told"), publish("told")
    client(server).deploy(one, who="ada", reason="the first")
    client(server).deploy(two, who="bob", canary=5)
    client(server).deploy(two, who="bob", reason="better")
    client(server).rollback("told", who="ada", reason="worse")
    lines = client(server).history("told")
    assert [(x.action, x.version, x.who, x.reason) for x in lines] == [
        ("activate", 1, "ada", "the first"),
        ("canary", 2, "bob", ""),
        ("activate", 2, "bob", "better"),
        ("rollback", 1, "ada", "worse"),
    ]
    assert all(x.t.endswith("Z") for x in lines)
    with pytest.raises(BadInput, match="deploy token"):
        HttpBackEnd(server.url, "wrong").history("told")


def test_a_retraining_that_is_worse_is_deployed_only_if_told_to(
    server: Server, publish: Callable[..., registry.Version]
) -> None:
    better = publish("retrained", metrics={"accuracy": 0.99})
    trained_with = {"version": 1, "used": ["aa"]}
    worse = publish("retrained", metrics={"accuracy": 0.98}, corrections=trained_with)
    as_good = publish("retrained", metrics={"accuracy": 0.99}, corrections=trained_with)
    client(server).deploy(better)
    with pytest.raises(ModelRefused, match=r"0\.9800 instead of 0\.9900.*--anyway"):
        client(server).deploy(worse)
    assert says(server, "retrained")["version"] == 1
    assert client(server).deploy(worse, canary=1).version == 1
    assert client(server).deploy(worse, anyway=True).version == 2
    client(server).rollback("retrained")
    assert client(server).deploy(as_good).version == 3
    unlike = publish("retrained", metrics={"accuracy": 0.5})
    assert client(server).deploy(unlike).version == 4  # no retraining: another model


def test_a_link_opens_one_version_for_a_while_and_nothing_else(
    server: Server, publish: Callable[..., registry.Version]
) -> None:
    version = publish("linked")
    client(server).deploy(version)
    url = client(server).link(version, expires_s=60)
    path = url.removeprefix(server.url)
    answer = server.ask("GET", path)
    assert answer.status == 200
    assert answer.body[:2] == b"PK"
    assert server.ask("GET", path.replace("/versions/1", "/versions/2")).status == 401
    assert server.ask("GET", path.replace("expires=", "expires=9")).status == 401
    assert server.ask("GET", path[:-1] + ("0" if path[-1] != "0" else "1")).status == 401
    assert server.ask("GET", path.partition("?")[0]).status == 401
    past = path.replace(path.partition("expires=")[2].partition("&")[0], "1000000000")
    assert server.ask("GET", past).status == 401
    for seconds in (0, -5, "1", True, 10**9):
        body = json.dumps({"expires_s": seconds}).encode()
        assert server.guarded("POST", "/models/linked/versions/1:link", body).status == 400
    assert server.guarded("POST", "/models/linked/versions/9:link").status == 404


def test_corrections_are_listed_reviewed_and_exported_by_command(server: Server) -> None:
    sent = []
    for n in range(3):
        body = {"image": making.data_url(making.png(making.seven(100 + n))).decode(), "digit": 3}
        answer = server.ask(
            "POST", "/corrections", json.dumps(body).encode(), Content_Type="application/json"
        )
        sent.append(answer.json["id"])
    code, out, _ = command(server, "corrections", "--json", "--state", "waiting")
    assert code == 0
    assert {c["id"] for c in json.loads(out)} >= set(sent)
    assert command(server, "corrections", "accept")[0] == 2
    assert command(server, "corrections", "accept", "ffffffff00")[0] == 3
    assert command(server, "corrections", "reject", sent[0][:10])[1] == "1 rejected\n"
    code, out, _ = command(server, "corrections", "accept", "--all", "--json")
    assert {c["id"] for c in json.loads(out)} >= set(sent[1:])
    code, out, _ = command(server, "corrections", "export", "--json")
    exported = json.loads(out)
    assert sent[0] not in exported["corrections"]
    assert set(sent[1:]) <= set(exported["corrections"])
    assert json.loads(command(server, "corrections", "export", "--json")[1]) == exported
    x, y = datasets.corrections(settings=server.settings)
    assert (x.shape, x.dtype, y.dtype) == (
        (len(exported["corrections"]), 28, 28),
        np.dtype(np.uint8),
        np.dtype(np.int64),
    )
    assert command(server, "corrections")[1].splitlines()[0].split() == [
        "ID",
        "STATE",
        "SAID",
        "SURE",
        "IS",
        "BY",
        "MODEL",
        "SENT",
    ]


def test_without_an_export_a_recipe_gets_no_corrections_and_unknown_versions_are_refused(
    settings: Settings,
) -> None:
    x, y = datasets.corrections(settings=settings)
    assert (x.shape, y.shape) == ((0, 28, 28), (0,))
    with pytest.raises(NotFound, match="no version 3"):
        datasets.corrections(3, settings)


def test_five_corrected_drawings_are_trained_with_and_the_new_version_tells(
    server: Server, tmp_path: Path
) -> None:
    """Correct, accept, export, retrain: the manifest lists them, with the evaluation before and after."""
    code = """
        import json, pathlib, sys
        import numpy as np
        from workbench import recipes
        from workbench.models import evaluation
        from workbench.node import publishing, training
        from workbench.settings import from_environment

        STRIPES = '''
        import numpy as np
        from workbench import datasets

        def load_data():
            y = np.arange(600) % 10
            x = np.zeros((600, 28, 28, 1), "uint8")
            for k in range(600):
                x[k, :, 2 * y[k] + 1 : 2 * y[k] + 4] = 150 + k % 100
            seen, digits = datasets.corrections() if CORRECTED else (x[:0, ..., 0], y[:0])
            train = np.concatenate([x[:500], np.repeat(seen[..., None], 20, 0)])
            return (train, np.concatenate([y[:500], np.repeat(digits, 20)])), (x[500:], y[500:])
        '''
        NET = '''
        import keras
        EPOCHS, BATCH_SIZE, LABELS = 8, 50, [str(d) for d in range(10)]

        def build_model():
            model = keras.Sequential([keras.Input((28, 28, 1)), keras.layers.Rescaling(1 / 255),
                                      keras.layers.Flatten(), keras.layers.Dense(10, "softmax")])
            model.compile(keras.optimizers.Adam(0.01), "sparse_categorical_crossentropy", metrics=["accuracy"])
            return model
        '''
        import textwrap
        for corrected in (False, True):
            folder = pathlib.Path(sys.argv[1]) / str(corrected)
            folder.mkdir()
            (folder / "preprocessing.py").write_text(f"CORRECTED = {corrected}\\n" + textwrap.dedent(STRIPES))
            (folder / "training.py").write_text(textwrap.dedent(NET))
            program = recipes.load(recipes.read(folder), folder / "program")
            train, test = program.load_data()
            trained = training.train(program, train)
            result = evaluation.evaluate(trained.predict, test, program.labels)
            publishing.publish("stripes", trained, evaluation=result, program=program, x=test[0],
                               settings=from_environment())
    """
    body = {"predicted": 7, "digit": 1}
    ids = []
    for n in range(5):
        sent = body | {"image": making.data_url(making.png(making.seven(200 + n))).decode()}
        answer = server.ask(
            "POST", "/corrections", json.dumps(sent).encode(), Content_Type="application/json"
        )
        ids.append(answer.json["id"])
    client(server).review(ids, "accept")
    settings = replace(server.settings, home=tmp_path / "home")
    exported = keep_corrections(client(server), settings)
    assert set(ids) <= set(exported.ids)
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code), str(tmp_path)],
        cwd=PROJECT,
        env={"PATH": os.environ["PATH"], "WORKBENCH_HOME": str(settings.home), "TF_CPP_MIN_LOG_LEVEL": "3"},
        capture_output=True,
        text=True,
        timeout=240,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    before, after = registry.versions(settings, "stripes")
    assert before.manifest.corrections is None
    corrected = after.manifest.corrections
    assert corrected is not None
    assert set(ids) <= set(corrected.used)
    assert corrected.version == exported.version
    assert corrected.told is not None
    assert corrected.after is not None
    assert corrected.told.of == len(corrected.used) == len(exported.ids)
    assert corrected.after.right > corrected.told.right
    assert corrected.replaced == 1
    assert corrected.metrics_before["accuracy"] == before.manifest.accuracy
    assert corrected.metrics_after["accuracy"] == after.manifest.accuracy
    client(server).deploy(before)
    assert client(server).deploy(after, anyway=True).previous == 1


def test_where_nothing_answers_it_is_said_what_to_start(free_ports: Callable[[int], list[int]]) -> None:
    with pytest.raises(Unavailable, match="workbench up"):
        HttpBackEnd(f"http://127.0.0.1:{free_ports(1)[0]}").models()
