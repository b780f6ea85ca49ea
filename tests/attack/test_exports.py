"""Exports that are no plain files, or say of themselves what cannot be."""

import json
import os
import shutil
import socket
import stat
from pathlib import Path

import pytest

from tests.attack.hostile import Deed, attack, nothing_leaked
from tests.runner.stand import export
from tests.stub_tools import ACCURACY
from workbench.jobs import Store
from workbench.models import registry
from workbench.settings import Settings


def export_is_a_link(to: str) -> Deed:
    def deed(folder: Path, secret: Path) -> None:
        shutil.rmtree(folder / "export")
        (folder / "export").symlink_to(to.format(home=secret.parent.parent))

    return deed


def fields_say(told: dict[str, object]) -> Deed:
    def deed(folder: Path, secret: Path) -> None:
        del secret
        fields = json.loads((folder / "fields.json").read_text())
        (folder / "fields.json").write_text(json.dumps({**fields, **told}))

    return deed


def link_in_export(folder: Path, secret: Path) -> None:
    (folder / "export" / "stolen.json").symlink_to(secret)


def linked_folder_in_export(folder: Path, secret: Path) -> None:
    (folder / "export" / "deep").symlink_to(secret.parent)


def fields_is_a_link(folder: Path, secret: Path) -> None:
    (folder / "fields.json").unlink()
    (folder / "fields.json").symlink_to(secret)


def fields_is_a_fifo(folder: Path, secret: Path) -> None:
    del secret
    (folder / "fields.json").unlink()
    os.mkfifo(folder / "fields.json")


def fifo_in_export(folder: Path, secret: Path) -> None:
    del secret
    os.mkfifo(folder / "export" / "pipe")


def many_files(folder: Path, secret: Path) -> None:
    del secret
    for number in range(1200):
        (folder / "export" / str(number)).touch()


def odd_names(folder: Path, secret: Path) -> None:
    del secret
    (folder / "export" / "a\x1b]0;title\x07b").touch()


def hard_link_in_export(folder: Path, secret: Path) -> None:
    (folder / "export" / "stolen.json").hardlink_to(secret)


def fields_is_a_hard_link(folder: Path, secret: Path) -> None:
    (folder / "fields.json").unlink()
    (folder / "fields.json").hardlink_to(secret)


def link_to_a_descriptor(folder: Path, secret: Path) -> None:
    held = os.open(secret, os.O_RDONLY)
    (folder / "export" / "stolen.json").symlink_to(f"/proc/self/fd/{held}")


def export_is_a_descriptor(folder: Path, secret: Path) -> None:
    held = os.open(secret.parent, os.O_RDONLY)
    shutil.rmtree(folder / "export")
    (folder / "export").symlink_to(f"/proc/{os.getpid()}/fd/{held}")


def socket_in_export(folder: Path, secret: Path) -> None:
    del secret
    with socket.socket(socket.AF_UNIX) as made:
        here = os.open(folder / "export", os.O_RDONLY)
        made.bind(f"/proc/self/fd/{here}/s")  # an own path may be too long for one
        os.close(here)


def device_in_export(folder: Path, secret: Path) -> None:
    if os.geteuid() != 0:
        link_in_export(folder, secret)
        return
    os.mknod(folder / "export" / "zero", 0o666 | stat.S_IFCHR, os.makedev(1, 5))


def names_that_are_no_text(folder: Path, secret: Path) -> None:
    del secret
    inner = os.fsencode(folder / "export") + b"/" + b"\xff" * 255
    os.mkdir(inner)  # noqa: PTH102 - no path of bytes
    os.close(os.open(inner + b"/" + b"\xfe" * 255, os.O_CREAT | os.O_WRONLY))


def folders_without_end(folder: Path, secret: Path) -> None:
    del secret
    inner = os.open(folder / "export", os.O_RDONLY)
    for _ in range(100):
        os.mkdir("d", dir_fd=inner)
        inner, above = os.open("d", os.O_RDONLY, dir_fd=inner), inner
        os.close(above)
    os.close(inner)


def sparse_in_export(folder: Path, secret: Path) -> None:
    del secret
    with (folder / "export" / "model.onnx").open("wb") as file:
        file.truncate(3 * 1024**3)


@pytest.mark.parametrize(
    "deed",
    [
        hard_link_in_export,
        fields_is_a_hard_link,
        link_to_a_descriptor,
        export_is_a_descriptor,
        socket_in_export,
        device_in_export,
        names_that_are_no_text,
        folders_without_end,
        sparse_in_export,
        export_is_a_link("{home}/run"),
        export_is_a_link("/proc/self/cwd"),
        export_is_a_link("/proc/self/root/etc"),
        link_in_export,
        linked_folder_in_export,
        fields_is_a_link,
        fields_is_a_fifo,
        fifo_in_export,
        many_files,
        odd_names,
    ],
)
def test_what_is_no_plain_export_is_refused_and_nothing_of_the_host_gets_out(
    store: Store, settings: Settings, secret: Path, deed: Deed
) -> None:
    job = attack(store, settings, deed, secret)
    assert job.state == "failed"
    assert job.error is not None
    assert "the runner failed" not in job.error.message
    assert registry.versions(settings) == []
    nothing_leaked(settings)


@pytest.mark.parametrize(
    "told",
    [
        {"created": "yesterday", "name": "other", "version": 77, "job": 12},
        {"created": 5, "name": ["x"], "version": "9" * 400, "job": {}, "files": 7},
        {"frameworks": {}, "hint": "<img src=x>", "format": "none"},
        {"metrics": {"accuracy": "<b>1e9"}, "output": []},
        {"metrics": {"accuracy": 1.0, "low": 1e9, "invented": 3}, "corrections": {"version": 10**400}},
        {"metrics": [], "corrections": "all"},
    ],
)
def test_a_version_is_named_numbered_dated_and_measured_by_others(
    store: Store, settings: Settings, secret: Path, told: dict[str, object]
) -> None:
    job = attack(store, settings, fields_say(told), secret)
    assert job.state == "completed"
    manifest = registry.find("net:1", settings).manifest
    assert (manifest.name, manifest.version, manifest.job) == ("net", 1, job.id)
    assert manifest.created.startswith("20")
    assert not manifest.others
    assert (manifest.metrics, manifest.corrections) == ({"accuracy": ACCURACY}, None)


@pytest.mark.parametrize(
    "told",
    [
        {"labels": ["a", 5]},
        {"labels": ["x" * 5000]},
        {"labels": ["x"] * 200_000},
        {"frameworks": "x"},
        {"frameworks": {"python": 3}},
        {"training": {"seconds": -1}},
        {"training": {"stopped": "yes"}},
        {"input": {"shape": [2**40]}},
        {"input": {"shape": [1] * 40}},
        {"preprocessing": "rm -rf"},
    ],
)
def test_what_an_export_says_of_itself_must_be_possible(
    store: Store, settings: Settings, secret: Path, told: dict[str, object]
) -> None:
    job = attack(store, settings, fields_say(told), secret)
    assert job.state == "failed"
    assert job.error is not None
    (key,) = told
    assert key in job.error.message or "fields.json" in job.error.message
    assert "the runner failed" not in job.error.message
    assert registry.versions(settings) == []


def test_an_export_is_copied_as_it_is(store: Store, settings: Settings, secret: Path) -> None:
    def deed(folder: Path, secret: Path) -> None:
        del secret
        shutil.rmtree(folder / "export")
        export(folder)
        (folder / "export" / "saved_model" / "variables").mkdir(parents=True)
        (folder / "export" / "saved_model" / "variables" / "index").write_bytes(b"\0\1")

    assert attack(store, settings, deed, secret).state == "completed"
    version = registry.find("net:1", settings)
    assert (version.folder / "saved_model" / "variables" / "index").read_bytes() == b"\0\1"
    assert {"model.keras", "saved_model/variables/index"} <= set(version.manifest.files)
