"""Versions whose manifest cannot be believed: named, left out, and in nobody's way."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.runner.stand import run, submit
from workbench import cli
from workbench.errors import ModelRefused
from workbench.jobs import Store
from workbench.manifest import Manifest
from workbench.models import registry
from workbench.settings import Settings
from workbench.ui.serving.models import views as version_views
from workbench.verbs import models

Deed = Callable[[Path], object]


def told(**changed: object) -> Deed:
    def deed(path: Path) -> None:
        path.chmod(0o644)
        path.write_text(json.dumps({**json.loads(path.read_text()), **changed}))

    return deed


def text(content: bytes) -> Deed:
    def deed(path: Path) -> None:
        path.chmod(0o644)
        path.write_bytes(content)

    return deed


def a_folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


DAMAGED = {
    "not JSON": text(b"{"),
    "empty": text(b""),
    "not UTF-8": text(b'{"name": "\xff"}'),
    "deep": text(b"[" * 100_000),
    "another format": told(format=99),
    "a list": text(b"[]"),
    "a figure as text": told(metrics={"accuracy": "<b>1e9"}),
    "another's name": told(name="other", version=77),
    "labels": told(labels=["<img src=x onerror=alert(1)>", 5]),
    "a number without end": text(b'{"format": 1, "version": ' + b"9" * 5000 + b"}"),
    "a folder": a_folder,
}


@pytest.fixture
def published(settings: Settings) -> Settings:
    def write(folder: Path) -> Manifest:
        (folder / "model.keras").write_text("weights")
        return Manifest(labels=("a", "b"), metrics={"accuracy": 0.5})

    for _ in range(2):
        registry.add("net", write, settings)
    return settings


@pytest.mark.parametrize("deed", DAMAGED.values(), ids=DAMAGED.keys())
def test_a_damaged_version_is_named_and_nothing_else_suffers(
    store: Store,
    published: Settings,
    deed: Deed,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    deed(published.models / "net" / "2" / "manifest.json")
    monkeypatch.setenv("WORKBENCH_HOME", str(published.home))

    assert [str(version) for version in models.versions(published)] == ["net:1"]
    assert models.find("net", published).version == 1
    (damaged,) = models.damaged(published)
    assert str(damaged).startswith("net:2 is damaged and left out: ")
    assert "net:2 is damaged" in version_views.damaged([damaged])
    with pytest.raises(ModelRefused, match="net:2 is damaged"):
        models.find("net:2", published)
    assert cli.main(["models"]) == 0
    said = capsys.readouterr()
    assert "net:1" in said.out
    assert "net:2 is damaged" in said.err

    submit(store)
    job = run(store, published)
    assert (job.state, job.version) == ("completed", 3)
    assert [version.version for version in models.versions(published, "net")] == [1, 3]


@pytest.mark.parametrize("created", ["yesterday", "", "0001-01-01T00:00:00+14:00", "2026-11-30", "9" * 5000])
def test_a_time_that_is_none_is_shown_as_none(
    store: Store,
    published: Settings,
    created: str,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    told(created=created, job=1)(published.models / "net" / "2" / "manifest.json")
    monkeypatch.setenv("WORKBENCH_HOME", str(published.home))

    assert "net:2" in version_views.head(models.find("net:2", published), "")
    assert cli.main(["models"]) == 0
    assert "yesterday" not in capsys.readouterr().out
    submit(store)
    assert run(store, published).version == 3


def test_folders_that_are_no_versions_are_passed_over(published: Settings) -> None:
    for name in ("9" * 5000, "x", "٣", "-1", "07", "0"):
        if len(name) < 200:
            (published.models / "net" / name).mkdir()
            shutil.copy(published.models / "net" / "1" / "manifest.json", published.models / "net" / name)
    assert [version.version for version in models.versions(published)] == [1, 2]
    assert models.damaged(published) == []
