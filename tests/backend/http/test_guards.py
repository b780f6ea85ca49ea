"""Tokens, the shape of errors, request ids, cross-origin answers, the log, the page, what is imported."""

import contextlib
import errno
import json
import logging
import subprocess
import sys
import threading
from pathlib import Path
from typing import NoReturn

import pytest

from backend.app import create_app
from backend.errors import refusal
from backend.http.logs import JsonLines
from tests.backend import making
from tests.backend.client import Client
from workbench.errors import Unavailable
from workbench.pictures.memory import one_at_a_time
from workbench.settings import PROJECT, Settings, from_environment

URL = making.data_url(making.png(making.seven()))
GUARDED = [
    ("PUT", "/models/mnist-cnn/versions/8"),
    ("GET", "/models/mnist-cnn/versions/7.zip"),
    ("POST", "/models/mnist-cnn:activate"),
    ("POST", "/models/mnist-cnn:rollback"),
]


@pytest.mark.parametrize(("method", "path"), GUARDED)
@pytest.mark.parametrize(
    "authorization",
    [
        None,
        "",
        "Bearer",
        "Bearer ",
        "Bearer wrong",
        f"Basic {making.TOKEN}",
        making.TOKEN,
        f"Bearer {making.TOKEN}x",
        "Bearer é",
    ],
)
def test_without_the_deploy_token_nothing_is_changed_or_given(
    shared_seven: Client, method: str, path: str, authorization: str | None
) -> None:
    headers = {} if authorization is None else {"Authorization": authorization}
    answer = shared_seven.open(path, method=method, headers=headers, data=b"x")
    assert (answer.status_code, answer.json["error"]["code"]) == (401, "token")
    assert answer.headers["WWW-Authenticate"] == "Bearer"
    assert making.TOKEN not in answer.text


def test_an_empty_token_opens_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("WORKBENCH_DEPLOY_TOKEN", raising=False)
    settings = from_environment({"WORKBENCH_HOME": str(tmp_path)})
    (tmp_path / "deploy_token").write_text("")
    client = Client(create_app(settings))
    answer = client.post("/models/a:rollback", headers={"Authorization": "Bearer "})
    assert answer.status_code == 401


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/", 404),
        ("GET", "/predict", 405),
        ("DELETE", "/models", 405),
        ("GET", "/serve", 405),
        ("GET", "/v2/models/mnist-cnn", 404),
        ("GET", "/models/mnist-cnn/versions/x.zip", 404),
        ("GET", "/models/../../etc/passwd", 404),
        ("PATCH", "/healthz", 405),
        ("GET", "/static/../backend/app.py", 404),
    ],
)
def test_every_error_has_one_shape(client: Client, method: str, path: str, status: int) -> None:
    answer = client.open(path, method=method)
    assert answer.status_code == status
    assert answer.mimetype == "application/json"
    assert set(answer.json["error"]) == {"code", "message"}
    assert status != 405 or answer.headers["Allow"]


def test_an_error_of_ours_shows_nothing_of_the_inside_and_is_logged_with_its_request(
    here: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    app = create_app(here)

    @app.get("/breaks")
    def breaks() -> NoReturn:
        raise RuntimeError("secret detail")

    log = logging.getLogger("backend")
    log.addHandler(caplog.handler)
    try:
        answer = Client(app).get("/breaks", headers={"X-Request-Id": "mine-1"})
    finally:
        log.removeHandler(caplog.handler)
    assert (answer.status_code, answer.json["error"]["code"]) == (500, "internal")
    assert "secret" not in answer.text
    record = next(r for r in caplog.records if r.exc_info)
    line = json.loads(JsonLines().format(record))
    assert line["request"] == "mine-1"
    assert "RuntimeError: secret detail" in line["traceback"]


@pytest.mark.parametrize(
    ("given", "kept"), [("abc-1.2_Z", True), ("a b", False), ('x"}', False), ("x" * 65, False), ("", False)]
)
def test_a_request_keeps_its_id_if_it_is_a_harmless_one(client: Client, given: str, kept: bool) -> None:
    answer = client.get("/healthz", headers={"X-Request-Id": given})
    assert (answer.headers["X-Request-Id"] == given) == kept
    assert len(answer.headers["X-Request-Id"]) >= 9 or kept


def test_neither_pictures_nor_secrets_are_logged(seven: Client, caplog: pytest.LogCaptureFixture) -> None:
    log = logging.getLogger("backend")
    log.addHandler(caplog.handler)
    try:
        seven.post("/predict/?model=secretmodel", data=URL, headers={"Authorization": "Bearer hunter2"})
        seven.post("/predict/", data=b"data:image/png;base64,c2VjcmV0")
        seven.post(
            "/models/mnist-cnn:activate", json={"version": 1}, headers={"Authorization": "Bearer hunter2"}
        )
        seven.get("/models/mnist-cnn%0aforged")
    finally:
        log.removeHandler(caplog.handler)
    lines = [JsonLines().format(record) for record in caplog.records]
    assert len(lines) == 4
    text = "\n".join(lines)
    assert not any(
        secret in text for secret in ("hunter2", making.TOKEN, "c2VjcmV0", "secret", "iVBOR", "forged")
    )
    first = json.loads(lines[0])
    assert (first["status"], first["route"], first["code"]) == (404, "/predict", "not_found")


@pytest.mark.parametrize("path", ["/predict", "/predict/", "/corrections", "/models", "/readyz"])
def test_a_page_of_another_origin_may_ask(client: Client, path: str) -> None:
    origin = {"Origin": "http://page.example:8080"}
    method = "GET" if path in ("/models", "/readyz") else "POST"
    answer = client.open(path, method=method, data=None, headers=origin)
    assert answer.headers["Access-Control-Allow-Origin"] in ("*", "http://page.example:8080")
    before = client.options(
        path,
        headers={
            **origin,
            "Access-Control-Request-Method": method,
            "Access-Control-Request-Headers": "content-type",
        },
    )
    assert before.status_code == 200
    assert "content-type" in before.headers["Access-Control-Allow-Headers"].lower()
    assert method in before.headers["Access-Control-Allow-Methods"]


@pytest.mark.parametrize(
    "path",
    ["/models/mnist-cnn:activate", "/models/mnist-cnn/versions/7.zip", "/metrics", "/healthz", "/models/x"],
)
def test_a_page_of_another_origin_may_not_reach_the_rest(client: Client, path: str) -> None:
    for method in ("GET", "POST", "OPTIONS"):
        answer = client.open(path, method=method, headers={"Origin": "http://page.example"})
        assert "Access-Control-Allow-Origin" not in answer.headers


def test_only_the_allowed_origins_may_ask(here: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    allowed = "http://good.example,http://also.example:8080"
    settings = from_environment({"WORKBENCH_HOME": str(here.home), "WORKBENCH_ALLOWED_ORIGINS": allowed})
    client = Client(create_app(settings))

    def allowed_for(origin: str) -> str | None:
        return client.get("/readyz", headers={"Origin": origin}).headers.get("Access-Control-Allow-Origin")

    assert allowed_for("http://good.example") == "http://good.example"
    assert allowed_for("http://also.example:8080") == "http://also.example:8080"
    for origin in ("http://good.example.evil", "https://good.example", "http://goodxexample", "null"):
        assert allowed_for(origin) is None


def test_a_full_disk_is_said_to_be_one(here: Settings) -> None:
    app = create_app(here)

    @app.get("/full")
    def full() -> NoReturn:
        raise OSError(errno.ENOSPC, "No space left on device", "/secret/path")

    answer = Client(app).get("/full")
    assert (answer.status_code, answer.json["error"]["code"]) == (507, "disk_full")
    assert "secret" not in answer.text


def test_a_large_picture_waits_for_the_one_before() -> None:
    with one_at_a_time(4_000_000), one_at_a_time(100):
        pass
    with one_at_a_time(4_000_000):
        pass


def test_a_queue_of_large_pictures_is_cut_short(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("workbench.pictures.memory.HEAVY_WAIT_S", 0.01)
    inside, done = threading.Event(), threading.Event()

    def hold() -> None:
        with one_at_a_time(4_000_000):
            inside.set()
            done.wait(60)

    thread = threading.Thread(target=hold)
    thread.start()
    assert inside.wait(60)
    with pytest.raises(Unavailable) as caught, one_at_a_time(4_000_000):
        pass
    done.set()
    thread.join()
    answer = refusal(caught.value)
    assert (answer.status, answer.headers["Retry-After"]) == (503, "2")


def test_the_page_is_served_with_the_routes_under_api_where_there_is_no_apache(
    here: Settings, tmp_path: Path
) -> None:
    folder = tmp_path / "frontend"
    (folder / "static").mkdir(parents=True)
    (folder / "index.html").write_text("<title>draw</title>")
    (folder / "collect.html").write_text("<title>collect</title>")
    (folder / "static" / "drawing.js").write_text("export const a = 1;")
    (folder / "httpd.conf").write_text("not for visitors")
    client = Client(create_app(here, page=folder))
    with contextlib.closing(client.get("/")) as page:
        assert (page.status_code, page.text) == (200, "<title>draw</title>")
        assert "default-src 'none'" in page.headers["Content-Security-Policy"]
    with contextlib.closing(client.get("/collect.html")) as page:
        assert (page.status_code, page.text) == (200, "<title>collect</title>")
    with contextlib.closing(client.get("/static/drawing.js")) as script:
        assert (script.status_code, script.mimetype) == (200, "text/javascript")
    told = 'export const backend = "/api";\nexport const notice = "";\n'
    assert client.get("/static/config.js").text == told
    assert client.get("/api/readyz").status_code == client.get("/readyz").status_code == 503
    assert client.post("/api/predict/", data=URL).json["error"]["code"] == "no_model"
    for path in ("/httpd.conf", "/static/../httpd.conf", "/static/%2e%2e/httpd.conf", "/static/", "/api"):
        assert client.get(path).status_code == 404


def test_without_the_page_there_is_no_api_prefix(client: Client) -> None:
    assert client.get("/api/readyz").status_code == 404


def test_nothing_of_tensorflow_is_imported_and_the_master_loads_no_runtime() -> None:
    code = (
        "import sys; from backend.app import create_app; from workbench.settings import from_environment;"
        "create_app(from_environment());"
        "print([m for m in sys.modules if m.partition('.')[0] in "
        "('tensorflow', 'keras', 'onnxruntime', 'imageio', 'PIL', 'onnx', 'sqlalchemy', 'boto3', 'IPython')])"
    )
    environment = {"WORKBENCH_DEPLOY_TOKEN": "x", "PATH": "/usr/bin"}
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code],
        cwd=PROJECT,
        env=environment,
        capture_output=True,
        text=True,
    )
    assert done.stdout.strip() == "[]", done.stderr
