"""A real Apache in front of the stand-in back end."""

import contextlib
import http.client
import json
import os
import re
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import psutil
import pytest

from tests.chain import answers, make_settings, wait_until
from tests.services import stand_in_backend as stand_in
from tests.services.real_apache import running
from workbench.services import frontend
from workbench.settings import PROJECT, Settings

pytestmark = pytest.mark.skipif(
    frontend.find_apache() is None, reason="Apache is not installed (Debian: apt-get install apache2-bin)"
)

DRAWING = json.dumps({"image": "data:image/png;base64,AAAA"}).encode()
ROUTES = {"predict": "POST", "corrections": "POST", "models": "GET", "readyz": "GET"}


@dataclass
class Reply:
    status: int
    headers: http.client.HTTPMessage
    body: bytes

    def __getitem__(self, name: str) -> str:
        return self.headers.get(name, "")

    @property
    def code(self) -> str:
        """The code of an error told as JSON."""
        assert self["Content-Type"] == "application/json"
        return str(json.loads(self.body)["error"]["code"])


@dataclass
class Front:
    settings: Settings
    backend: stand_in.Backend

    def ask(
        self, path: str, method: str = "GET", body: bytes | None = None, headers: dict[str, str] | None = None
    ) -> Reply:
        """One request on a connection of its own; the path is sent as it is."""
        with contextlib.closing(
            http.client.HTTPConnection("127.0.0.1", self.settings.frontend_port, timeout=120)
        ) as c:
            c.putrequest(method, path, skip_accept_encoding=True)
            for name, value in (headers or {}).items():
                c.putheader(name, value)
            if body is not None and "Content-Length" not in (headers or {}):
                c.putheader("Content-Length", str(len(body)))
            c.endheaders(body)
            answer = c.getresponse()
            return Reply(answer.status, answer.headers, answer.read())

    def raw(self, data: bytes) -> bytes:
        """All that is answered to these bytes before the connection is closed."""
        with socket.create_connection(("127.0.0.1", self.settings.frontend_port), timeout=120) as connection:
            connection.sendall(data)
            said = b""
            while part := connection.recv(65536):
                said += part
            return said


@contextlib.contextmanager
def started(home: Path, ports: list[int], change: Callable[[str], str] = str, **more: str) -> Iterator[Front]:
    backend = stand_in.Backend()
    settings = make_settings(
        home,
        WORKBENCH_FRONTEND_PORT=str(ports[0]),
        WORKBENCH_BACKEND_PORT=str(backend.port),
        **more,
    )
    try:
        with running(settings, change=change):
            yield Front(settings, backend)
    finally:
        backend.stop()


@pytest.fixture(scope="module")
def shared(
    tmp_path_factory: pytest.TempPathFactory, free_ports: Callable[[int], list[int]]
) -> Iterator[Front]:
    with started(tmp_path_factory.mktemp("front"), free_ports(1)) as front:
        yield front


@pytest.fixture
def front(shared: Front) -> Front:
    """A running front end whose back end is there and has seen nothing yet."""
    shared.backend.start()
    shared.backend.reset()
    return shared


# ── static files ──


def test_the_page_and_its_files_are_served_with_their_types(front: Front) -> None:
    for path, kind in {
        "/": "text/html; charset=utf-8",
        "/static/page.css": "text/css; charset=utf-8",
        "/static/app.js": "text/javascript; charset=utf-8",
        "/static/config.js": "text/javascript; charset=utf-8",
    }.items():
        reply = front.ask(path)
        assert (reply.status, reply["Content-Type"]) == (200, kind), path
    assert b'backend = "/api"' in front.ask("/static/config.js").body


@pytest.mark.parametrize("coding", ["br", "gzip"])
def test_a_file_is_compressed_and_known_again_by_its_tag(front: Front, coding: str) -> None:
    plain = front.ask("/static/app.js")
    packed = front.ask("/static/app.js", headers={"Accept-Encoding": coding})
    assert packed["Content-Encoding"] == coding
    assert "Accept-Encoding" in packed["Vary"]
    assert len(packed.body) < 0.6 * len(plain.body)
    assert packed["Cache-Control"] == "no-cache"
    again = front.ask("/static/app.js", headers={"Accept-Encoding": coding, "If-None-Match": packed["ETag"]})
    assert (again.status, again.body) == (304, b"")


def test_the_headers_that_protect_a_visitor_are_on_every_answer_once(front: Front) -> None:
    front.backend.headers["Content-Security-Policy"] = "default-src *"
    answers = [
        front.ask("/"),
        front.ask("/no-such-page"),
        front.ask("/api/no-such-route"),
        front.ask("/api/predict", "POST", DRAWING),
        front.ask("/", "POST", b""),
    ]
    assert [reply.status for reply in answers] == [200, 404, 404, 200, 405]
    wanted = frontend.security_headers(front.settings) | {"Cross-Origin-Opener-Policy": "same-origin"}
    for reply in answers:
        for name, value in wanted.items():
            assert reply.headers.get_all(name) == [value]
        assert reply["Server"] == "Apache"
        assert reply["X-Powered-By"] == ""


def test_an_opener_policy_is_not_sent_where_browsers_would_complain_of_it(front: Front) -> None:
    assert front.ask("/", headers={"Host": "192.0.2.1"})["Cross-Origin-Opener-Policy"] == ""


@pytest.mark.parametrize(
    "method", ["POST", "PUT", "DELETE", "OPTIONS", "PATCH", "TRACE", "PROPFIND", "NONSENSE"]
)
def test_static_files_take_get_and_head_alone(front: Front, method: str) -> None:
    assert front.ask("/", method).status == 405
    assert front.ask("/static/app.js", method).status == 405
    assert front.backend.requests == []


@pytest.mark.parametrize(
    "path",
    [
        "/../../../../etc/passwd",
        "/static/../../httpd.conf",
        "/static/..%2f..%2fhttpd.conf",
        "/%2e%2e/httpd.conf",
        "/static/%2e%2e/%2e%2e/httpd.conf",
        "/.%2e/.%2e/.%2e/.%2e/etc/passwd",
        "/httpd.conf",
        "/httpd.pid",
        "/static/",
        "/static",
        "/errors/",
        "/errors/404.html",
        "/apache/httpd.conf.template",
        "/index.html/extra",
        "//etc/passwd",
        "/static\\..\\index.html",
        "/~root/",
        "/server-status",
        "/cgi-bin/test",
    ],
)
def test_nothing_but_the_page_can_be_read(front: Front, path: str) -> None:
    reply = front.ask(path)
    assert reply.status in (400, 403, 404)
    assert b"root:" not in reply.body
    assert b"ServerRoot" not in reply.body
    assert b"<title>Index of" not in reply.body


def test_an_error_on_a_page_is_a_page(front: Front) -> None:
    reply = front.ask("/no-such-page")
    assert reply["Content-Type"] == "text/html; charset=utf-8"
    assert b"Nothing is at this address." in reply.body
    assert b"Apache" not in reply.body


# ── the back end behind it ──


@pytest.mark.parametrize(("route", "method"), ROUTES.items())
def test_a_route_reaches_the_back_end_with_its_own_method_alone(
    front: Front, route: str, method: str
) -> None:
    body = DRAWING if method == "POST" else None
    reply = front.ask(f"/api/{route}?x=1", method, body)
    assert reply.status in (200, 201)
    assert json.loads(reply.body) == front.backend.says[f"/{route}"][1]
    assert reply["Cache-Control"] == "no-store"
    (seen,) = front.backend.requests
    assert seen[:2] == (method, f"/{route}")
    for other in {"GET", "POST", "PUT", "DELETE", "OPTIONS", "PATCH", "TRACE"} - {method}:
        assert front.ask(f"/api/{route}", other).status == 405
    assert len(front.backend.requests) == 1


def test_what_is_inside_is_named_and_asked_for(front: Front) -> None:
    front.backend.says["/inside"] = (200, {"layers": []})
    assert front.ask("/api/inside").status == 200
    assert front.ask("/api/inside", "POST", DRAWING).status == 200
    for other in ("PUT", "DELETE", "OPTIONS", "PATCH", "TRACE"):
        assert front.ask("/api/inside", other).status == 405
    assert [seen[:2] for seen in front.backend.requests] == [("GET", "/inside"), ("POST", "/inside")]


def test_the_back_ends_other_routes_cannot_be_reached(front: Front) -> None:
    for path in (
        "/api", "/api/", "/api/metrics", "/api/healthz", "/api/serve", "/api/v1/models/mnist-cnn:predict",
        "/api/models/mnist-cnn/versions/1.zip", "/api/models/mnist-cnn:activate", "/api/predict/x",
        "/api/predictx", "/api/readyz/../metrics", "/api/readyz/..%2fmetrics", "/api/readyz%2f..%2fmetrics",
        "/api/readyz;/metrics", "/api//metrics", "/api/./metrics", "/API/readyz", "/metrics", "/predict",
        "http://127.0.0.1/metrics", "/api/readyz%00/metrics",
    ):  # fmt: skip
        for method in ("GET", "POST", "PUT"):
            assert front.ask(path, method).status in (400, 403, 404, 405), (method, path)
    assert front.backend.requests == []


def test_it_is_no_open_proxy(front: Front) -> None:
    with contextlib.closing(stand_in.Backend()) as other:
        assert front.ask(f"{other.url}/readyz").status == 404
        assert front.ask(f"127.0.0.1:{other.port}", "CONNECT").status in (400, 405)
        assert other.requests == []


def test_what_a_visitor_claims_about_itself_is_not_passed_on(front: Front) -> None:
    claims = {
        "X-Forwarded-For": "203.0.113.9",
        "Cookie": "token=1",
        "Authorization": "Bearer x",
        "Proxy": "x",
        "X-Workbench-Front": "x",
    }
    front.ask("/api/readyz", headers=claims)
    ((_, _, headers, _),) = front.backend.requests
    assert headers["X-Forwarded-For"] == "127.0.0.1"
    assert headers["X-Workbench-Front"] == front.settings.front_end_proof
    conf = front.settings.run / "frontend" / "httpd.conf"
    assert conf.stat().st_mode & 0o077 == 0
    assert {"Cookie", "Authorization", "Proxy"}.isdisjoint(headers)


def test_connections_to_the_back_end_are_used_again(front: Front) -> None:
    for _ in range(20):
        assert front.ask("/api/predict", "POST", DRAWING).status == 200
    assert front.backend.connections < 10


def test_the_back_ends_own_errors_pass_as_they_are(front: Front) -> None:
    front.backend.says["/predict"] = stand_in.error(415, "not_a_picture", "this is a song")
    reply = front.ask("/api/predict", "POST", DRAWING)
    assert (reply.status, reply.code) == (415, "not_a_picture")
    front.backend.says["/readyz"] = stand_in.training(3)
    reply = front.ask("/api/readyz")
    assert (reply.status, json.loads(reply.body)["step"]) == (503, 3)


def test_while_the_back_end_is_away_it_says_so_and_recovers_at_once(front: Front) -> None:
    assert front.ask("/api/readyz").status == 200
    front.backend.stop()
    for _ in range(3):
        reply = front.ask("/api/predict", "POST", DRAWING)
        assert (reply.status, reply.code) == (503, "unavailable")
    assert front.ask("/").status == 200
    front.backend.start()
    assert front.ask("/api/predict", "POST", DRAWING).status == 200


# ── limits ──


def test_a_body_that_is_too_large_is_refused_before_it_is_sent(front: Front) -> None:
    for path in ("/api/predict", "/api/corrections"):
        reply = front.ask(path, "POST", headers={"Content-Length": str(frontend.BODY_LIMIT_BYTES + 1)})
        assert (reply.status, reply.code) == (413, "too_large")
        huge = front.ask(path, "POST", headers={"Content-Length": "9" * 40})
        assert huge.status in (400, 413)
    assert front.backend.requests == []


def test_the_largest_body_that_the_back_end_takes_passes(front: Front) -> None:
    assert front.ask("/api/predict", "POST", b"x" * frontend.BODY_LIMIT_BYTES).status == 200


def test_a_body_without_a_length_is_refused(front: Front) -> None:
    reply = front.ask(
        "/api/predict",
        "POST",
        b"3\r\nabc\r\n0\r\n\r\n",
        {"Transfer-Encoding": "chunked", "Content-Length": "0"},
    )
    assert reply.status in (400, 411)
    said = front.raw(
        b"POST /api/predict HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n"
    )
    assert said.startswith(b"HTTP/1.1 411 ")
    assert front.backend.requests == []


def test_a_body_where_none_belongs_is_refused(front: Front) -> None:
    assert front.ask("/", "GET", b"x" * 5000).status == 413
    assert front.ask("/api/models", "GET", b"x").status == 413
    assert front.backend.requests == []


def test_long_addresses_and_many_or_long_headers_are_refused(front: Front) -> None:
    assert front.ask("/" + "a" * 5000).status == 414
    assert front.ask("/", headers={f"X-{i}": "x" for i in range(70)}).status == 400
    assert front.ask("/", headers={"X-Long": "x" * 9000}).status in (400, 431)


@pytest.mark.parametrize(
    "request_",
    [
        b"POST /api/predict HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0",
        b"POST /api/predict HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab",
        b"GET / HTTP/1.1\nHost: x\n\n",
        b"GET /\x00 HTTP/1.1\r\nHost: x\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost : x\r\n\r\n",
        b"GET / HTTP/1.1\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
    ],
)
def test_requests_that_two_servers_could_read_in_two_ways_are_refused(front: Front, request_: bytes) -> None:
    assert re.match(rb"HTTP/1.1 4(00|11) |<!doctype|<!DOCTYPE", front.raw(request_ + b"\r\n\r\n"))
    assert front.backend.requests == []


def test_who_is_slow_to_ask_is_let_go_while_others_are_served(
    tmp_path: Path, free_ports: Callable[[int], list[int]]
) -> None:
    """With a second instead of five, to be quick: the directive is the configuration's own."""

    def impatient(conf: str) -> str:
        changed = conf.replace("RequestReadTimeout header=5-10,", "RequestReadTimeout header=1-2,")
        assert changed != conf
        return changed

    with started(tmp_path, free_ports(1), impatient) as front, contextlib.ExitStack() as stack:
        began = time.monotonic()
        address = ("127.0.0.1", front.settings.frontend_port)
        slow = [stack.enter_context(socket.create_connection(address, timeout=120)) for _ in range(200)]
        for connection in slow:
            connection.sendall(b"GET / HTTP/1.1\r\nHost: x\r\nX-Sl")
        assert front.ask("/").status == 200
        for connection in slow:
            said = connection.recv(4096)
            assert not said or said.startswith(b"HTTP/1.1 408 ")
        assert time.monotonic() - began < 100  # one after the other they would take 200 s


@pytest.mark.parametrize(
    "half",
    [
        b"POST /api/predict HTTP/1.1\r\nHost: x\r\nContent-Type: text/plain\r\nContent-Length: 5000\r\n\r\ndata:",
        b"POST /api/predict HTTP/1.1\r\nHost: x\r\nX-Sl",
        b"",
    ],
    ids=["bodies", "heads", "nothing"],
)
def test_hundreds_of_half_sent_requests_of_one_visitor_keep_nobody_out(front: Front, half: bytes) -> None:
    address = ("127.0.0.1", front.settings.frontend_port)
    with contextlib.ExitStack() as stack:
        held = [stack.enter_context(socket.create_connection(address, timeout=120)) for _ in range(400)]
        for connection in held:
            connection.sendall(half)
        # No pause: they have had no time to be let go, and others are served beside them.
        for _ in range(5):
            assert front.ask("/").status == 200
            assert front.ask("/api/predict", "POST", DRAWING).status == 200


# ── the process ──


def processes(front: Front) -> list[psutil.Process]:
    pid = int((front.settings.run / "frontend" / "httpd.pid").read_text())
    parent = psutil.Process(pid)
    return [parent, *parent.children(recursive=True)]


def test_it_listens_on_loopback_alone(front: Front) -> None:
    (listening,) = (c.laddr for c in processes(front)[0].net_connections("tcp") if c.status == "LISTEN")
    assert listening == ("127.0.0.1", front.settings.frontend_port)


def test_it_says_what_happened_on_its_output_and_never_what_was_drawn(front: Front) -> None:
    front.ask("/api/predict", "POST", DRAWING)
    log = front.settings.logs / "frontend.log"
    wait_until(lambda: '"POST /api/predict HTTP/1.1" 200' in log.read_text(), 60, "the line in the log")
    assert "AAAA" not in log.read_text()
    assert "Warning" not in log.read_text()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root's Apache becomes someone else")
def test_as_root_its_processes_are_unprivileged_and_see_the_static_files_alone(front: Front) -> None:
    jail = front.settings.run / "frontend" / "jail"
    _, *workers = processes(front)
    looked_at = 0
    for worker in workers:
        with contextlib.suppress(
            psutil.NoSuchProcess, FileNotFoundError
        ):  # Apache ends those that it can spare
            assert min(worker.uids()) > 0
            assert min(worker.gids()) > 0
            if jail.exists():  # else this machine forbids root to confine them
                assert Path(f"/proc/{worker.pid}/root").readlink() == jail
            looked_at += 1
    assert looked_at
    if jail.exists():
        files = [path for path in jail.rglob("*") if path.is_file()]
        assert {path.suffix for path in files} == {".html", ".css", ".js", ".json"}


AS_NOBODY = """
import os
from workbench.services import frontend
from workbench.settings import from_environment
settings = from_environment()
os.setgroups([]), os.setgid(65534), os.setuid(65534)
service = frontend.prepare(settings)
os.execve(service.command[0], service.command, service.environment)
"""


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become someone else")
def test_an_ordinary_user_can_run_it(free_ports: Callable[[int], list[int]]) -> None:
    if not all(folder.stat().st_mode & 0o005 == 0o005 for folder in (PROJECT, *PROJECT.parents)):
        pytest.skip(f"an ordinary user may not read the project in {PROJECT}")
    with contextlib.ExitStack() as stack:
        home = Path(stack.enter_context(tempfile.TemporaryDirectory(ignore_cleanup_errors=True)))
        os.chown(home, 65534, 65534)
        settings = make_settings(home, WORKBENCH_FRONTEND_PORT=str(free_ports(1)[0]))
        environment = {
            "WORKBENCH_HOME": str(home),
            "WORKBENCH_FRONTEND_PORT": str(settings.frontend_port),
            "PYTHONPATH": str(PROJECT),
        }
        process = subprocess.Popen([sys.executable, "-c", AS_NOBODY], env=environment, start_new_session=True)
        stack.callback(process.wait, 60)
        stack.callback(process.terminate)
        wait_until(lambda: answers(f"http://127.0.0.1:{settings.frontend_port}/"), 60, "Apache as nobody")
        assert psutil.Process(process.pid).uids().real == 65534
        assert answers(f"http://127.0.0.1:{settings.frontend_port}/static/app.js")


def test_another_back_end_takes_one_setting(tmp_path: Path, free_ports: Callable[[int], list[int]]) -> None:
    with started(tmp_path, free_ports(1), WORKBENCH_BACKEND_URL="http://backend.example:5000/") as front:
        assert b'backend = "http://backend.example:5000"' in front.ask("/static/config.js").body
        assert "connect-src 'self' http://backend.example:5000;" in front.ask("/")["Content-Security-Policy"]
        assert not (PROJECT / "frontend" / "static" / "config.js").exists()
