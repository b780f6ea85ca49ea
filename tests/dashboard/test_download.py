"""The server's own routes over HTTP: a version's zip for who has the token, addresses without it, cookies, compression."""

import gzip
import json
import sys
import urllib.error
import urllib.request
import zipfile
from collections.abc import Callable, Iterator
from io import BytesIO
from pathlib import Path

import pytest

from tests.chain import make_settings
from tests.dashboard.serving import Dashboard, serving
from workbench.manifest import Input, Manifest
from workbench.models import registry


@pytest.fixture(scope="module")
def dashboard(
    tmp_path_factory: pytest.TempPathFactory, free_ports: Callable[[int], list[int]]
) -> Iterator[Dashboard]:
    folder = tmp_path_factory.mktemp("download")
    (folder / "notebooks").mkdir()
    settings = make_settings(folder / "home", WORKBENCH_DASHBOARD_PORT=str(free_ports(1)[0]))

    def write(aside: Path) -> Manifest:
        (aside / "model.keras").write_bytes(b"weights" * 100_000)
        return Manifest()

    def write_one_for_pages(aside: Path) -> Manifest:
        form = {"format": 1, "input": {"shape": [28, 28, 1], "range": [0, 255]}, "steps": [], "weights": ""}
        (aside / "browser.json").write_text(json.dumps({**form, "labels": ["0"]}))
        return Manifest(input=Input((28, 28, 1), "image"), preprocessing="mnist")

    registry.add("digits", write, settings)
    registry.add("mnist", write_one_for_pages, settings)
    with serving(settings, folder / "notebooks") as running:
        yield running


def get(dashboard: Dashboard, path: str, *, token: bool = True) -> tuple[int, bytes, str]:
    headers = {"Authorization": f"token {dashboard.settings.token}"} if token else {}
    request = urllib.request.Request(f"{dashboard.origin}/{path}", headers=headers)
    try:
        with urllib.request.urlopen(request, timeout=120) as answer:
            return answer.status, answer.read(), str(answer.headers.get("Content-Disposition"))
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read(), ""


def test_a_version_comes_as_a_whole_zip_under_its_name(dashboard: Dashboard) -> None:
    status, body, disposition = get(dashboard, "workbench/models/digits/1.zip")
    assert status == 200
    assert disposition == 'attachment; filename="digits-1.zip"'
    with zipfile.ZipFile(BytesIO(body)) as archive:
        assert archive.testzip() is None
        assert archive.read("model.keras") == b"weights" * 100_000
        assert "manifest.json" in archive.namelist()


def test_a_version_comes_as_a_page_to_take_home_or_says_why_not(dashboard: Dashboard) -> None:
    status, body, disposition = get(dashboard, "workbench/models/mnist/1.html")
    assert (status, disposition) == (200, 'attachment; filename="mnist-1.html"')
    assert b"<title>mnist:1 at home</title>" in body
    assert b"modules['main'].begin(" in body
    status, body, _ = get(dashboard, "workbench/models/digits/1.html")
    assert status == 400
    assert b"publish it again" in body
    assert get(dashboard, "workbench/models/digits/1.html", token=False)[1].count(b"publish") == 0


@pytest.mark.parametrize(
    "path", ["digits/2.html", "digits/2.zip", "other/1.zip", "No!/1.zip", "..%2Fx/1.zip"]
)
def test_what_is_not_there_is_an_error_and_no_zip(dashboard: Dashboard, path: str) -> None:
    status, _, _ = get(dashboard, f"workbench/models/{path}")
    assert status in (400, 404)


def test_without_the_token_there_is_only_the_login(dashboard: Dashboard) -> None:
    _, body, _ = get(dashboard, "workbench/models/digits/1.zip", token=False)
    assert not body.startswith(b"PK")


class _Stay(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_: object) -> None:
        """Follow nothing."""


@pytest.mark.parametrize("path", ["lab", "lab/tree/a.ipynb", "lab/workspaces/auto-x", "workbench", "tree"])
@pytest.mark.parametrize("more", ["", "&reset=1"])
def test_no_page_keeps_a_token_in_its_address(dashboard: Dashboard, path: str, more: str) -> None:
    opener = urllib.request.build_opener(_Stay)
    address = f"{dashboard.origin}/{path}?token={dashboard.settings.token}{more}"
    with pytest.raises(urllib.error.HTTPError) as answered:
        opener.open(address, timeout=120)
    with answered.value as answer:
        if path == "tree":  # there is no such page
            assert answer.code == 404
            return
        assert answer.code == 302
        assert answer.headers["Location"] == f"/{path}{more.replace('&', '?')}"
        cookies = answer.headers.get_all("Set-Cookie")
    assert cookies
    assert all("SameSite=Lax" in cookie for cookie in cookies)


def test_a_wrong_token_in_an_address_opens_nothing(dashboard: Dashboard) -> None:
    with urllib.request.urlopen(f"{dashboard.origin}/lab?token=guessed", timeout=120) as answer:
        assert "/login" in answer.url
        assert b"jupyter-config-data" not in answer.read()


@pytest.mark.parametrize(
    "path",
    [
        "workbench/..%2f..%2f..%2fetc/passwd",
        "workbench/static/..%2f..%2f..%2f..%2fetc/passwd",
        "%2e%2e/%2e%2e/%2e%2e/etc/passwd",
        "..%2f..%2f",
        "none/static/x.js",
        "none",
        "static",
        "",
        "lab/static/%00",
        "lab/static/%ff%fe",
        "lab//static//x",
    ],
)
def test_a_templates_file_that_is_none_is_not_found(dashboard: Dashboard, path: str) -> None:
    status, body, _ = get(dashboard, f"voila/templates/{path}")
    assert status in (400, 403, 404)
    assert b"root:" not in body


def fetch(dashboard: Dashboard, path: str, **headers: str) -> tuple[int, bytes, dict[str, str]]:
    known = {"Authorization": f"token {dashboard.settings.token}", **headers}
    request = urllib.request.Request(f"{dashboard.origin}/{path}", headers=known)
    try:
        with urllib.request.urlopen(request, timeout=120) as answer:
            return answer.status, answer.read(), dict(answer.headers)
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read(), dict(error.headers)


@pytest.mark.parametrize(
    ("file", "kind"),
    [("index.css", "css"), ("voila-style.js", "javascript"), ("page.css", "css")],
)
def test_style_sheets_and_scripts_are_sent_compressed_to_who_takes_it(
    dashboard: Dashboard, file: str, kind: str
) -> None:
    path = f"voila/templates/workbench/static/{file}"
    status, plain, told = fetch(dashboard, path)
    assert (status, told.get("Content-Encoding")) == (200, None)
    assert told["Content-Type"].endswith(kind)
    assert told["Vary"] == "Accept-Encoding"
    status, packed, packed_told = fetch(dashboard, path, **{"Accept-Encoding": "gzip, br"})
    assert gzip.decompress(packed) == plain
    assert len(packed) < len(plain) / 2
    assert packed_told["Content-Type"] == told["Content-Type"]
    assert packed_told["Etag"] != told["Etag"]
    again = {"Accept-Encoding": "gzip", "If-None-Match": packed_told["Etag"]}
    assert fetch(dashboard, path, **again)[0] == 304


def test_scripts_of_widgets_are_kept_by_the_browser_where_their_name_tells_their_content(
    dashboard: Dashboard,
) -> None:
    (entry,) = Path(sys.prefix).glob("share/jupyter/labextensions/anywidget/static/remoteEntry.*.js")
    status, packed, told = fetch(
        dashboard, f"voila/labextensions/anywidget/static/{entry.name}", **{"Accept-Encoding": "gzip"}
    )
    assert status == 200
    assert gzip.decompress(packed) == entry.read_bytes()
    assert "immutable" in told["Cache-Control"]
    status, _, told = fetch(dashboard, "voila/labextensions/anywidget/package.json")
    assert status == 200
    assert "immutable" not in told.get("Cache-Control", "")
    assert fetch(dashboard, "voila/labextensions/..%2f..%2f..%2fetc/passwd")[0] in (400, 403, 404)
