"""What the page is told and what Apache is told, as text."""

import dataclasses
import json
import re
from pathlib import Path

import pytest

from tests.chain import make_settings
from workbench.errors import BadInput, Unavailable
from workbench.services import frontend
from workbench.settings import PROJECT, Settings

TEMPLATE = frontend.SOURCE / "apache" / "httpd.conf.template"
ELSEWHERE = "http://backend.example:5000"


def with_backend(settings: Settings, url: str) -> Settings:
    return dataclasses.replace(settings, backend_url=url)


def policy(settings: Settings) -> dict[str, list[str]]:
    parts = [part.split() for part in frontend.content_security_policy(settings).split(";")]
    return {name: values for name, *values in parts}


def told(config: str) -> str:
    match = re.search(r"^export const backend = (.*);$", config, re.MULTILINE)
    assert match
    return str(json.loads(match[1]))


def test_the_page_finds_the_back_end_at_its_own_api(settings: Settings) -> None:
    assert told(frontend.config_js(settings)) == "/api"
    assert policy(settings)["connect-src"] == ["'self'"]


def test_one_setting_puts_the_back_end_elsewhere(settings: Settings) -> None:
    elsewhere = with_backend(settings, f"{ELSEWHERE}/digits")
    assert told(frontend.config_js(elsewhere)) == f"{ELSEWHERE}/digits"
    assert policy(elsewhere)["connect-src"] == ["'self'", ELSEWHERE]


def test_the_page_is_told_the_notice(settings: Settings) -> None:
    config = frontend.config_js(dataclasses.replace(settings, notice='Only a "demo"'))
    assert config.endswith('export const notice = "Only a \\"demo\\"";\n')


def test_who_serves_the_page_itself_may_have_its_api_elsewhere(settings: Settings) -> None:
    assert told(frontend.config_js(settings, api="")) == ""


def test_the_policy_allows_nothing_that_it_does_not_name(settings: Settings) -> None:
    rules = policy(settings)
    assert rules["default-src"] == ["'none'"]
    assert rules["script-src"] == rules["style-src"] == ["'self'"]
    assert rules["img-src"] == ["'self'", "data:"]
    for name in ("base-uri", "form-action", "frame-ancestors"):
        assert rules[name] == ["'none'"]


@pytest.mark.parametrize(
    "url",
    [
        "backend.example",
        "ftp://backend.example",
        "http://",
        "http://user:secret@backend.example",
        "http://a.example http://b.example",
        "http://a.example; script-src *",
        "http://a.example/x;y",
        "http://a.example?x=1",
        "http://a.example:99999999",
        'http://a.example"',
        "http://[::1]:5000",
        "http://a.example\nHeader set X y",
        "http://*.example",
        "javascript:alert(1)",
    ],
)
def test_a_back_end_url_that_could_widen_the_policy_is_refused(settings: Settings, url: str) -> None:
    for make in (frontend.config_js, frontend.content_security_policy):
        with pytest.raises(BadInput, match="WORKBENCH_BACKEND_URL"):
            make(with_backend(settings, url))


@pytest.mark.parametrize("name", ["index.html", "collect.html"])
def test_every_module_that_a_page_loads_is_announced_in_it(name: str) -> None:
    """Else the browser learns of each only from the one before: a round trip apiece."""
    page = (frontend.SOURCE / name).read_text()
    named = set(re.findall(r'(?:href|src)="static/([\w.]+\.js)"', page))
    loaded, left = set(), set(re.findall(r'src="static/([\w.]+\.js)"', page))
    while left:
        module = left.pop()
        loaded.add(module)
        if module != "config.js":  # is generated, and imports nothing
            text = (frontend.SOURCE / "static" / module).read_text()
            left |= set(re.findall(r'^import .*?from "\./([\w.]+\.js)"', text, re.M | re.S)) - loaded
    assert named == loaded


def test_the_pages_and_their_files_name_no_other_host() -> None:
    files = [path for path in (frontend.SOURCE / "static").rglob("*") if path.is_file()]
    for path in [*frontend.SOURCE.glob("*.html"), *files]:
        urls = re.findall(r"(?:https?:)?//[\w.-]+\.\w+[^\s'\")]*", path.read_text())
        assert [url for url in urls if "www.w3.org" not in url] == [], path.name


def test_what_is_generated_is_not_in_the_source_tree(settings: Settings) -> None:
    if frontend.find_apache() is None:
        pytest.skip("Apache is not installed (Debian: apt-get install apache2-bin)")
    frontend.prepare(settings)
    assert not (PROJECT / "frontend" / "static" / "config.js").exists()


def test_preparing_twice_writes_nothing_new_and_drops_what_is_gone(settings: Settings) -> None:
    if frontend.find_apache() is None:
        pytest.skip("Apache is not installed (Debian: apt-get install apache2-bin)")
    first = frontend.prepare(settings)
    public = settings.run / "frontend" / "public"
    stale = public / "static" / "gone.js"
    stale.write_text("// of an earlier version")
    before = {path: path.stat().st_mtime_ns for path in public.rglob("*") if path.is_file()}
    assert frontend.prepare(settings) == first
    del before[stale]
    assert {path: path.stat().st_mtime_ns for path in public.rglob("*") if path.is_file()} == before


def test_the_service_says_how_it_is_started_and_where_it_is(settings: Settings) -> None:
    if frontend.find_apache() is None:
        pytest.skip("Apache is not installed (Debian: apt-get install apache2-bin)")
    service = frontend.prepare(settings)
    assert service.name == "frontend"
    assert service.url == service.health == f"http://127.0.0.1:{settings.frontend_port}/"
    assert service.command[-1] == "-DFOREGROUND"
    assert not any("TOKEN" in name for name in service.environment)


def test_a_path_with_quotes_and_spaces_is_given_to_apache_as_it_is(tmp_path: Path) -> None:
    if frontend.find_apache() is None:
        pytest.skip("Apache is not installed (Debian: apt-get install apache2-bin)")
    frontend.prepare(
        make_settings(tmp_path / 'a "strange" %{home}')
    )  # Apache itself checks the configuration


def test_a_path_that_apache_would_expand_is_refused(tmp_path: Path) -> None:
    settings = make_settings(tmp_path / "${PATH}")
    with pytest.raises(BadInput, match="WORKBENCH_HOME"):
        frontend.httpd_conf(settings, root=settings.run, modules={})


def test_without_apache_it_says_what_to_install(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nonexistent")
    monkeypatch.setattr("shutil.which", lambda *_, **__: None)
    assert frontend.find_apache() is None
    with pytest.raises(Unavailable, match="apt-get install apache2-bin"):
        frontend.prepare(settings)


def test_it_agrees_with_the_back_end_on_what_is_too_large_and_how_long_connections_last() -> None:
    from backend.http.requests import MAX_BODY

    assert frontend.BODY_LIMIT_BYTES == MAX_BODY
    kept = re.search(
        r"^keepalive = (\d+)", (PROJECT / "backend" / "gunicorn.conf.py").read_text(), re.MULTILINE
    )
    left = re.search(r"^ProxyPassMatch .* ttl=(\d+)$", TEMPLATE.read_text(), re.MULTILINE)
    assert kept
    assert left
    assert int(left[1]) < int(kept[1])
