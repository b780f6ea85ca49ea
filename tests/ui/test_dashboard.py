"""The Jupyter server's configuration and environment, without starting it."""

import json
from pathlib import Path
from typing import Any

import pytest
from jupyter_server.services.contents.largefilemanager import LargeFileManager
from traitlets.config import Config

from tests.chain import make_settings
from workbench.dashboard.catalogue import PAGES
from workbench.dashboard.forked import client
from workbench.dashboard.kernels import PageKernels
from workbench.dashboard.pages import complete_page
from workbench.services import dashboard
from workbench.settings import Settings


@pytest.fixture
def outside(monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """What somebody's shell may hold."""
    variables = {
        "WORKBENCH_DEPLOY_TOKEN": "deploy-secret",
        "AWS_SECRET_ACCESS_KEY": "cloud-secret",
        "AWS_SESSION_TOKEN": "cloud-secret",
        "GITHUB_TOKEN": "other-secret",
        "JUPYTER_CONFIG_DIR": "/home/somebody/.jupyter",
        "JUPYTER_TOKEN": "their-secret",
        "WORKBENCH_REQUESTER": "ada",
        "https_proxy": "http://proxy.example:3128",
        "PYTHONPATH": "/somewhere",
    }
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    return variables


def test_kernels_get_what_they_need_and_no_token_of_ours(settings: Settings, outside: dict[str, str]) -> None:
    environment = dashboard.prepare(settings).environment
    assert {name for name, value in environment.items() if "secret" in value} == {
        "AWS_SECRET_ACCESS_KEY",  # pages launch machines
        "AWS_SESSION_TOKEN",
    }
    assert settings.token not in environment.values()
    assert settings.deploy_token not in environment.values()
    assert environment["WORKBENCH_HOME"] == str(settings.home)
    assert environment["WORKBENCH_REQUESTER"] == "ada"
    assert environment["https_proxy"] == outside["https_proxy"]
    assert "PYTHONPATH" not in environment


@pytest.mark.usefixtures("outside")
def test_the_users_own_jupyter_is_neither_used_nor_changed(settings: Settings) -> None:
    environment = dashboard.prepare(settings).environment
    for name in ("JUPYTER_CONFIG_DIR", "JUPYTER_DATA_DIR", "JUPYTER_RUNTIME_DIR", "IPYTHONDIR"):
        assert Path(environment[name]).is_relative_to(settings.home), name


def test_the_token_is_in_the_private_file_alone_and_in_the_url(settings: Settings) -> None:
    service = dashboard.prepare(settings)
    assert settings.token not in " ".join(service.command)
    config = Path(service.command[-1].removeprefix("--config="))
    assert config.stat().st_mode & 0o777 == 0o600
    assert repr(settings.token) in config.read_text()
    assert service.url.endswith(f"/workbench?token={settings.token}")
    readable = [p for p in settings.home.rglob("*") if p.is_file() and p.stat().st_mode & 0o077]
    assert not [p for p in readable if settings.token in p.read_text()]


@pytest.mark.parametrize("forks", [True, False])
def test_pages_with_tensorflow_have_kernels_ready_where_these_are_forks(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, forks: bool
) -> None:
    def sizes(settings: Settings) -> dict[str, int]:
        config = Config()
        exec(dashboard.configuration(settings), {"get_config": lambda: config})
        return PageKernels(config=config).pool_sizes

    monkeypatch.setattr(client, "supported", lambda: forks)
    for wanted in (1, 0):
        asked = make_settings(settings.home, WORKBENCH_PREPARED_KERNELS=str(wanted))
        light = {page.notebook: wanted for page in PAGES if page.light}
        heavy = {page.notebook: wanted for page in PAGES if not page.light}
        assert heavy, "the tutorial trains in its kernel"
        assert sizes(asked) == (light | heavy if forks else light)


def test_the_bar_names_the_pages_that_exist_and_marks_this_one(tmp_path: Path) -> None:
    (tmp_path / "serve_and_predict.ipynb").touch()
    settings = {
        "contents_manager": LargeFileManager(root_dir=str(tmp_path)),
        "workbench_page_scripts": "scripts.js",
    }
    told = complete_page(
        {"fullMathjaxUrl": "https://elsewhere.example"},
        settings=settings,
        notebook_path="serve_and_predict.ipynb",
    )
    path = "voila/render/serve_and_predict.ipynb"
    pages = [{"title": "Models and serving", "path": path}]
    assert told["workbench"].items() >= {"pages": pages, "current": path, "scripts": "scripts.js"}.items()
    assert told["fullMathjaxUrl"] is None


def test_preparing_twice_changes_nothing(settings: Settings) -> None:
    def files() -> dict[Path, bytes]:
        return {path: path.read_bytes() for path in settings.home.rglob("*") if path.is_file()}

    first, before = dashboard.prepare(settings), files()
    assert dashboard.prepare(settings) == first
    assert files() == before


def test_the_configuration_is_python_that_listens_on_loopback_only(settings: Settings) -> None:
    class Part(dict[str, Any]):
        def __getattr__(self, name: str) -> Any:
            return self.setdefault(name, Part())

        def __setattr__(self, name: str, value: object) -> None:
            self[name] = value

    config = Part()
    exec(dashboard.configuration(settings), {"get_config": lambda: config})
    assert config["ServerApp"]["ip"] == "127.0.0.1"
    assert config["ServerApp"]["port"] == settings.dashboard_port
    assert config["ServerApp"]["port_retries"] == 0
    assert config["VoilaConfiguration"]["file_allowlist"] == []
    policy = config["ServerApp"]["tornado_settings"]["headers"]["Content-Security-Policy"]
    assert "://" not in policy
    assert "*" not in policy


def test_news_and_updates_are_not_asked_for(settings: Settings) -> None:
    dashboard.prepare(settings)
    (overrides,) = settings.home.rglob("default_setting_overrides.json")
    notification = json.loads(overrides.read_text())["@jupyterlab/apputils-extension:notification"]
    assert notification["fetchNews"] == "false"
    assert notification["checkForUpdates"] is False
