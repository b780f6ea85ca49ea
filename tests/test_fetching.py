"""URLs: fetched within limits from the open internet, and nowhere else."""

import http.server
import socket
import threading
import time
from collections.abc import Callable, Iterator
from io import BufferedIOBase
from pathlib import Path
from typing import Any, NoReturn

import pytest

from tests.chain import PATIENCE
from workbench import fetching
from workbench.errors import NotFetched, UrlRefused
from workbench.fetching import Fetched, Fetcher


class Site(http.server.ThreadingHTTPServer):
    """Serves what its ``pages`` say: path to (status, headers, body)."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Page)
        self.pages: dict[str, tuple[int, dict[str, str], bytes | Callable[[BufferedIOBase], None]]] = {}
        self.asked: list[tuple[str, dict[str, str]]] = []

    @property
    def host(self) -> str:
        return f"127.0.0.1:{self.server_address[1]}"


class Page(http.server.BaseHTTPRequestHandler):
    server: Site

    def do_GET(self) -> None:
        self.server.asked.append((self.path, dict(self.headers)))
        status, headers, body = self.server.pages.get(self.path, (404, {}, b""))
        known = headers.get("ETag") and self.headers.get("If-None-Match") == headers.get("ETag")
        self.send_response(304 if known else status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        if callable(body):
            body(self.wfile)
        elif not known:
            self.wfile.write(body)

    def log_message(self, *arguments: object) -> None:
        """Nothing."""


@pytest.fixture(scope="module")
def site() -> Iterator[Site]:
    site = Site()
    threading.Thread(target=site.serve_forever, args=(0.02,), daemon=True).start()
    yield site
    site.shutdown()
    site.server_close()


def never(*asked: object) -> NoReturn:
    """Fail if anybody asks."""
    raise AssertionError(f"asked for {asked}")


def fetch(fetcher: Fetcher, url: str, tmp_path: Path, **limits: Any) -> Fetched:
    return fetcher.fetch(url, tmp_path / "got", **({"max_bytes": 1_000_000, "timeout_s": 60.0} | limits))


def test_what_an_allowed_url_names_is_written_to_the_file(site: Site, tmp_path: Path) -> None:
    site.pages["/a%20b?c=d"] = (200, {"ETag": '"1"'}, b"contents")
    fetched = fetch(Fetcher([site.host]), f"http://{site.host}/a%20b?c=d", tmp_path)
    assert (tmp_path / "got").read_bytes() == b"contents"
    assert fetched.changed
    again = fetch(Fetcher([site.host]), fetched.url, tmp_path, known=fetched)
    assert not again.changed


LOOPBACK = {
    "by number": "http://127.0.0.1:{port}/",
    "by name": "http://localhost:{port}/",
    "in octal": "http://0177.0.0.1:{port}/",
    "in hexadecimal": "http://0x7f000001:{port}/",
    "as one number": "http://2130706433:{port}/",
    "short": "http://127.1:{port}/",
    "IPv6": "http://[::1]:{port}/",
    "IPv6-mapped": "http://[::ffff:127.0.0.1]:{port}/",
    "IPv6-mapped in hexadecimal": "http://[::ffff:7f00:1]:{port}/",
    "IPv4-compatible": "http://[::127.0.0.1]:{port}/",
    "NAT64": "http://[64:ff9b::127.0.0.1]:{port}/",
    "6to4": "http://[2002:7f00:1::]:{port}/",
    "any address": "http://0.0.0.0:{port}/",
    "a name in it": "http://user:pass@127.0.0.1:{port}/",
}


@pytest.mark.parametrize("way", LOOPBACK)
def test_a_url_to_loopback_is_refused_however_it_is_written(site: Site, tmp_path: Path, way: str) -> None:
    asked = len(site.asked)
    with pytest.raises((UrlRefused, NotFetched)) as refused:
        fetch(Fetcher(), LOOPBACK[way].format(port=site.server_address[1]), tmp_path)
    assert len(site.asked) == asked
    assert not (tmp_path / "got").exists()
    assert isinstance(refused.value, UrlRefused) or "not known" in str(refused.value)


@pytest.mark.parametrize(
    "address",
    [
        "10.0.0.1",
        "172.16.5.5",
        "192.168.0.1",
        "169.254.169.254",
        "100.64.0.1",
        "224.0.0.1",
        "255.255.255.255",
        "0.0.0.0",
        "fe80::1",
        "fc00::1",
        "fd00:ec2::254",
        "ff02::1",
        "::",
        "::ffff:10.0.0.1",
        "240.0.0.1",
    ],
)
def test_addresses_off_the_open_internet_are_refused(tmp_path: Path, address: str) -> None:
    def connect(*where: object) -> socket.socket:
        raise AssertionError(f"connected to {where}")

    fetcher = Fetcher(resolve=lambda host, port: [address], connect=connect)
    with pytest.raises(UrlRefused, match="not on the open internet"):
        fetch(fetcher, "http://models.example/m.zip", tmp_path)


def test_a_host_with_one_private_address_among_others_is_refused(tmp_path: Path) -> None:
    fetcher = Fetcher(resolve=lambda host, port: ["93.184.215.14", "10.0.0.1"], connect=never)
    with pytest.raises(UrlRefused):
        fetch(fetcher, "http://models.example/m.zip", tmp_path)


def test_rebinding_is_in_vain_because_the_checked_address_is_the_one_connected_to(
    site: Site, tmp_path: Path
) -> None:
    answers = iter([["93.184.215.14"], ["127.0.0.1"]])
    connected = []

    def connect(address: str, port: int, timeout_s: float) -> socket.socket:
        connected.append((address, port))
        return fetching.connect(
            "127.0.0.1", site.server_address[1], timeout_s
        )  # stands for the open internet

    site.pages["/m.zip"] = (200, {}, b"model")
    fetcher = Fetcher(resolve=lambda host, port: next(answers), connect=connect)
    fetch(fetcher, "http://models.example/m.zip", tmp_path)
    assert connected == [("93.184.215.14", 80)]
    assert site.asked[-1][1]["Host"] == "models.example"
    with pytest.raises(UrlRefused):  # asked again, the name now leads here
        fetch(fetcher, "http://models.example/m.zip", tmp_path)


def test_a_redirect_to_loopback_is_refused(site: Site, tmp_path: Path) -> None:
    site.pages["/away"] = (302, {"Location": "http://localhost:1/secret"}, b"")
    site.pages["/file"] = (302, {"Location": "file:///etc/passwd"}, b"")
    site.pages["/odd"] = (302, {"Location": "http://[::1"}, b"")
    for path in ("/away", "/file", "/odd"):
        with pytest.raises((UrlRefused, NotFetched)):
            fetch(Fetcher([site.host]), f"http://{site.host}{path}", tmp_path)
    assert not (tmp_path / "got").exists()


def test_a_few_redirects_are_followed_and_no_more(site: Site, tmp_path: Path) -> None:
    for n in range(9):
        site.pages[f"/{n}"] = (307, {"Location": f"/{n + 1}"}, b"")
    site.pages["/9"] = (200, {}, b"there")
    fetch(Fetcher([site.host]), f"http://{site.host}/6", tmp_path)
    assert (tmp_path / "got").read_bytes() == b"there"
    with pytest.raises(NotFetched, match="redirects more than 3 times"):
        fetch(Fetcher([site.host]), f"http://{site.host}/5", tmp_path)


@pytest.mark.parametrize(
    "url",
    [
        "file:///etc/passwd",
        "ftp://x.example/",
        "gopher://x.example/",
        "http://",
        "http:///x",
        "//x.example/",
        "x",
        "http://x.example:0/",
        "http://x.example:99999/",
        "http://[::1",
        "http://a b/",
        "http://x.example/\r\nHost: y",
        "",
        "http://x.example/" + "a" * 5000,
        "data:,x",
        "javascript:1",
    ],
)
def test_what_is_no_url_to_fetch_is_refused(tmp_path: Path, url: str) -> None:
    with pytest.raises(UrlRefused):
        fetch(Fetcher(resolve=never), url, tmp_path)


def test_more_than_is_allowed_is_not_taken_whether_announced_or_not(site: Site, tmp_path: Path) -> None:
    site.pages["/announced"] = (200, {"Content-Length": "2000000"}, b"x" * 2_000_000)
    site.pages["/silent"] = (200, {}, b"x" * 2_000_000)
    for path in ("/announced", "/silent"):
        with pytest.raises(NotFetched, match="more than 1,000,000"):
            fetch(Fetcher([site.host]), f"http://{site.host}{path}", tmp_path)


def test_what_comes_too_slowly_or_breaks_off_is_given_up(site: Site, tmp_path: Path) -> None:
    over = threading.Event()

    def drip(file: BufferedIOBase) -> None:
        try:
            while not over.wait(0.05):
                file.write(b"x")
                file.flush()
        except OSError:
            pass

    site.pages["/slow"] = (200, {}, drip)
    site.pages["/short"] = (200, {"Content-Length": "100"}, b"x" * 50)
    began = time.monotonic()
    try:
        with pytest.raises(NotFetched, match="too long"):
            fetch(Fetcher([site.host]), f"http://{site.host}/slow", tmp_path, timeout_s=0.5)
    finally:
        over.set()
    assert time.monotonic() - began < 20 * PATIENCE
    with pytest.raises(NotFetched):
        fetch(Fetcher([site.host]), f"http://{site.host}/short", tmp_path)


def test_hosts_that_are_away_or_unknown_are_said_so(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    with pytest.raises(NotFetched, match="cannot be reached"):
        fetch(Fetcher([f"127.0.0.1:{port}"]), f"http://127.0.0.1:{port}/", tmp_path)
    with pytest.raises(NotFetched, match="not known"):
        fetch(Fetcher(), "http://no-such-host.invalid/", tmp_path)
