"""The demonstration: whoever looks is told that it is one, and everything leads to the emulator."""

import stat
import subprocess
from dataclasses import replace
from pathlib import Path

import jinja2
import pytest

from tests.chain import make_settings
from tests.emulator import Emulator, demo
from workbench.services import dashboard
from workbench.settings import PROJECT, from_environment

TEMPLATES = PROJECT / "workbench" / "ui" / "voila" / "templates" / "workbench"
PAGES: dict[str, dict[str, object]] = {
    "login.html": {"next": "/"},
    "error.html": {"status_code": 500, "status_message": "Wrong"},
}


def render(name: str, **told: object) -> str:
    loader = jinja2.FileSystemLoader(TEMPLATES)
    return jinja2.Environment(loader=loader, autoescape=True).get_template(name).render(base_url="/", **told)


@pytest.mark.parametrize("page", PAGES)
def test_the_servers_own_pages_say_the_notice_once_and_as_text(page: str) -> None:
    told: dict[str, object] = {"xsrf_form_html": str, **PAGES[page]}
    shown = render(page, notice="Only a <b>demo</b>", **told)
    assert shown.count('<p class="wb wb-notice" role="note">Only a &lt;b&gt;demo&lt;/b&gt;</p>') == 1
    assert 'class="wb wb-notice"' not in render(page, notice="", **told)


def test_voilas_pages_say_it_above_their_bar() -> None:
    bar = {"pages": [], "current": ""}
    shown = render("bar.html.j2", page_config={"workbench": {"notice": "Only a demo"}}, **bar)
    assert shown.index("Only a demo") < shown.index("<header")
    assert "wb-notice" not in render("bar.html.j2", page_config={"workbench": {"notice": ""}}, **bar)


def test_the_server_and_the_pages_are_given_the_notice(tmp_path: Path) -> None:
    settings = replace(make_settings(tmp_path), notice="Only a 'demo'")
    assert f"c.ServerApp.jinja_template_vars = { ({'notice': settings.notice})!r}" in dashboard.configuration(
        settings
    )


def test_jupyterlab_says_it_by_its_own_style_sheet_for_its_user(tmp_path: Path) -> None:
    settings = replace(make_settings(tmp_path), notice='Only a "demo"\nof {it}; \\')
    assert "c.LabApp.custom_css = True" in dashboard.configuration(settings)
    assert r'content: "Only a \"demo\" of {it}; \\";' in dashboard.lab_css(settings.notice)
    assert "c.LabApp.custom_css = False" in dashboard.configuration(replace(settings, notice=""))


def test_the_demonstration_leads_everything_to_the_emulator(tmp_path: Path) -> None:
    emulator = Emulator(tmp_path / "emulator", "proc")
    emulator.port = 4321
    told = demo.environment(
        emulator, {"WORKBENCH_BACKEND_PORT": "5999", "AWS_PROFILE": "work"}, tmp_path / "home"
    )
    settings = from_environment(told)
    assert (settings.home, settings.notice) == (tmp_path / "home", demo.NOTICE)
    assert (settings.frontend_port, settings.backend_port, settings.dashboard_port) == (8180, 5999, 8988)
    assert told["AWS_ENDPOINT_URL"] == "http://127.0.0.1:4321"

    file = tmp_path / "environment"
    demo.write(file, told)
    script = f'. {file}; printf %s "$WORKBENCH_NOTICE"'
    assert subprocess.run(["sh", "-c", script], capture_output=True, text=True).stdout == demo.NOTICE
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
