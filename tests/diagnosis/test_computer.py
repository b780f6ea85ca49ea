"""``doctor``: what works on this computer, what does not, and what mends it."""

import json
import os
import shutil
import socket
import subprocess
import sys
from collections import namedtuple
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from tests.chain import make_settings
from workbench import cli
from workbench.diagnosis import Diagnosis, computer, run
from workbench.errors import Unavailable
from workbench.jobs import Store
from workbench.machines.local.messages import FULL, NONE, USER, Standing
from workbench.machines.local.provider import LocalProvider
from workbench.recipes import Recipe
from workbench.services import state
from workbench.services.state import Row, State
from workbench.settings import Settings

Usage = namedtuple("Usage", "free")
Memory = namedtuple("Memory", ["total", "available"])


@pytest.fixture(autouse=True)
def standing(monkeypatch: pytest.MonkeyPatch) -> None:
    isolated(monkeypatch, FULL)


def isolated(monkeypatch: pytest.MonkeyPatch, how: str, why_not: str = "") -> None:
    """Let the fork server say so, without starting one."""
    answer = Standing(1, (), False, how, why_not)
    monkeypatch.setattr(LocalProvider, "prewarm", lambda self: answer)


def look(settings: Settings) -> dict[str, Diagnosis]:
    return {one.check: one for one in run(computer.checks(settings))}


def test_a_fresh_computer_is_fine_and_nothing_is_made(
    tmp_path: Path, free_ports: Callable[[int], list[int]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda path: Usage(100 * 1024**3))
    monkeypatch.setattr(psutil, "virtual_memory", lambda: Memory(16 * 1024**3, 8 * 1024**3))
    names = ("FRONTEND", "BACKEND", "DASHBOARD")
    ports = {f"WORKBENCH_{name}_PORT": str(port) for name, port in zip(names, free_ports(3), strict=True)}
    found = look(make_settings(tmp_path / "home", **ports))
    assert {name: one.said for name, one in found.items() if one.ok is False} == {}
    assert {"system", "disk", "memory", "job store", "isolation", "data sets"} <= set(found)
    assert not (tmp_path / "home").exists()


def test_an_installation_without_any_extra_is_looked_at(tmp_path: Path) -> None:
    hidden = "import sys; sys.modules.update(dict.fromkeys(('numpy', 'tensorflow', 'boto3', 'flask', 'jupyterlab')))"
    code = f"{hidden}; from workbench.cli import main; main(['doctor', '--json'])"
    environ = {"PATH": os.environ["PATH"], "WORKBENCH_HOME": str(tmp_path / "home")}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=environ)
    assert done.stderr == ""
    found = {row["check"]: row for row in json.loads(done.stdout)}
    assert [found[name]["ok"] for name in ("extra train", "data sets", "isolation")] == [None, None, None]
    assert "pip install 'workbench[train]'" in found["extra train"]["fix"]


def test_each_finding_is_a_row_of_json(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("WORKBENCH_HOME", str(tmp_path / "home"))
    code = cli.main(["doctor", "--json"])
    rows = json.loads(capsys.readouterr().out)
    assert {tuple(row) for row in rows} == {("check", "ok", "said", "fix")}
    assert code == int(any(row["ok"] is False for row in rows))


def test_a_port_that_another_program_has_is_named_with_its_owner_and_the_way_out(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        found = look(make_settings(tmp_path, WORKBENCH_BACKEND_PORT=str(port)))[f"port {port}"]
    assert found.ok is False
    assert "process" in found.said
    assert "WORKBENCH_BACKEND_PORT=" in found.fix


@pytest.mark.parametrize(("free_gb", "ok"), [(0.5, False), (3, None), (50, True)])
def test_a_disk_with_too_little_room_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, free_gb: float, ok: bool | None
) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda path: Usage(free_gb * 1024**3))
    found = look(make_settings(tmp_path))["disk"]
    assert found.ok is ok
    assert bool(found.fix) is (ok is not True)


def test_a_token_that_others_can_read_is_told_with_the_command_that_mends_it(tmp_path: Path) -> None:
    settings = make_settings(tmp_path)
    (tmp_path / "deploy_token").write_text("secret")
    (tmp_path / "deploy_token").chmod(0o644)
    found = look(settings)["secrets"]
    assert found.ok is False
    assert found.fix == f"chmod 600 {tmp_path / 'deploy_token'}"
    assert "secret" not in found.said + found.fix


def test_a_job_that_nobody_looks_after_is_told(tmp_path: Path) -> None:
    settings = make_settings(tmp_path)
    with Store(settings.database_url) as store:
        id = store.submit(name="net", requester="ann", recipe=Recipe("", "", "x = 1\n"), provider="local")
        assert look(settings)["job store"].ok
        assert store.claim("runner-1", 1)
        assert store.release(id, "runner-1")
    found = look(settings)["job store"]
    assert found.ok is False
    assert str(id) in found.said


@pytest.mark.parametrize(("how", "word"), [(USER, "no namespaces"), (NONE, "all your rights")])
def test_jobs_that_are_not_kept_apart_are_told_with_the_systems_own_reason(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, how: str, word: str
) -> None:
    isolated(monkeypatch, how, "unshare: not permitted")
    found = look(make_settings(tmp_path))["isolation"]
    assert found.ok is not True
    assert word in found.said
    assert "unshare: not permitted" in found.said


def test_isolation_that_is_asked_for_and_missing_needs_doing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    isolated(monkeypatch, USER, "unshare: not permitted")
    found = look(make_settings(tmp_path, WORKBENCH_ISOLATION="full"))["isolation"]
    assert found.ok is False
    assert "jobs are refused" in found.said
    assert "WORKBENCH_ISOLATION=user" in found.fix


def test_a_check_that_fails_is_a_finding_and_the_next_one_runs() -> None:
    def fails() -> Diagnosis:
        raise Unavailable("the database does not answer; start it")

    found = list(run([("job store", fails), ("disk", lambda: Diagnosis("disk", True, "fine"))]))
    assert found[0] == Diagnosis("job store", False, "the database does not answer", "start it")
    assert found[1].ok


def test_little_memory_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(psutil, "virtual_memory", lambda: Memory(2 * 1024**3, 1024**3))
    assert look(make_settings(tmp_path))["memory"].ok is False


def test_services_are_told_without_the_token_that_their_addresses_carry(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = (
        Row("dashboard", "ready", "http://127.0.0.1:8888/workbench?token=s3cret"),
        Row("back end", "given up", "http://127.0.0.1:5000", message="ended with exit code 1"),
    )
    monkeypatch.setattr(state, "read", lambda settings: State(1, 0.0, rows))
    found = look(make_settings(tmp_path))
    assert found["dashboard"].ok
    assert not [one for one in found.values() if "s3cret" in one.said + one.fix]
    assert found["back end"].ok is False
    assert "exit code 1" in found["back end"].said
