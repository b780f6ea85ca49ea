import multiprocessing
import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from tests.chain import make_settings
from workbench.errors import BadInput
from workbench.settings import PROJECT, Settings, from_environment


def give_tokens(home: Path) -> tuple[str, str]:
    settings = make_settings(home)
    return settings.token, settings.deploy_token


def test_the_defaults_are_those_of_the_documentation() -> None:
    settings = from_environment({})
    assert settings.home == PROJECT / ".workbench"
    assert settings.database_url == f"sqlite:///{PROJECT}/.workbench/workbench.db"
    assert (settings.frontend_port, settings.backend_port, settings.dashboard_port) == (8080, 5000, 8888)
    assert (settings.backend_url, settings.allowed_origins, settings.allowed_hosts) == ("", ("*",), ())


@pytest.mark.parametrize("port", ["0", "65536", "-1", "http", "8080x", "１"])
def test_a_port_that_is_none_is_refused_with_its_value(port: str) -> None:
    with pytest.raises(BadInput, match="WORKBENCH_BACKEND_PORT"):
        from_environment({"WORKBENCH_BACKEND_PORT": port})


def test_root_wants_recipes_kept_apart_and_others_cannot(monkeypatch: pytest.MonkeyPatch) -> None:
    for uid, least in ((0, "full"), (1000, "none")):
        monkeypatch.setattr(os, "geteuid", lambda uid=uid: uid)
        assert from_environment({}).isolation == least
        assert from_environment({"WORKBENCH_ISOLATION": "user"}).isolation == "user"


def test_an_isolation_that_is_none_of_them_is_refused() -> None:
    with pytest.raises(BadInput, match="none, user, full"):
        from_environment({"WORKBENCH_ISOLATION": "some"})


def test_one_port_for_two_services_is_refused() -> None:
    with pytest.raises(BadInput, match="one port"):
        from_environment({"WORKBENCH_BACKEND_PORT": "8080"})


def test_tokens_are_private_differ_and_stay(settings: Settings) -> None:
    assert settings.token != settings.deploy_token
    assert (settings.token, len(settings.token)) == (settings.token, 43)
    assert stat.S_IMODE((settings.home / "token").stat().st_mode) == 0o600


def test_processes_that_make_the_token_at_once_agree(tmp_path: Path) -> None:
    with multiprocessing.get_context("spawn").Pool(4) as pool:
        given = pool.map(give_tokens, [tmp_path] * 16)
    assert len(set(given)) == 1
    assert sorted(path.name for path in tmp_path.iterdir()) == ["deploy_token", "token"]


def test_a_token_from_the_environment_wins(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WORKBENCH_TOKEN", "mine")
    assert settings.token == "mine"


def test_importing_the_package_and_the_commands_loads_nothing_heavy() -> None:
    code = "import sys, workbench, workbench.cli; print([m for m in sys.modules if m in sys.argv[1:]])"
    heavy = ["numpy", "tensorflow", "keras", "boto3", "sqlalchemy", "flask", "cv2", "psutil", "onnxruntime"]
    done = subprocess.run(
        [sys.executable, "-c", code, *heavy], capture_output=True, text=True, cwd=PROJECT, env=os.environ
    )
    assert done.stdout.strip() == "[]", done.stderr
