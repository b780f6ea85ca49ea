import multiprocessing
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from workbench import artifact
from workbench.errors import BadInput, ModelRefused, NotFound
from workbench.manifest import Manifest
from workbench.models import registry
from workbench.settings import PROJECT, Settings


def write(folder: Path) -> Manifest:
    (folder / "model.keras").write_bytes(b"weights")
    return Manifest(labels=("0", "1"))


def write_nothing_whole(folder: Path) -> Manifest:
    (folder / "model.keras").write_bytes(b"half")
    raise OSError(28, "No space left on device")


def publish_five(settings: Settings) -> None:
    for _ in range(5):
        registry.add("mnist-cnn", write, settings)


def test_versions_count_up_and_are_found_by_name_and_number(settings: Settings) -> None:
    first, second = (registry.add("mnist-cnn", write, settings) for _ in range(2))
    registry.add("other", write, settings)
    assert (first.version, second.version) == (1, 2)
    assert registry.find("mnist-cnn", settings) == second
    assert registry.find("mnist-cnn:1", settings) == first
    assert [str(version) for version in registry.versions(settings)] == [
        "mnist-cnn:1",
        "mnist-cnn:2",
        "other:1",
    ]
    assert artifact.verify(first.folder).labels == ("0", "1")


def test_version_ten_comes_after_version_nine(settings: Settings) -> None:
    for _ in range(10):
        newest = registry.add("m", write, settings)
    assert registry.find("m", settings).version == newest.version == 10


def test_four_processes_at_once_give_every_version_its_own_number(settings: Settings) -> None:
    context = multiprocessing.get_context("spawn")
    publishers = [context.Process(target=publish_five, args=(settings,)) for _ in range(4)]
    for publisher in publishers:
        publisher.start()
    for publisher in publishers:
        publisher.join(200)
        assert publisher.exitcode == 0
    assert [version.version for version in registry.versions(settings, "mnist-cnn")] == list(range(1, 21))


def test_a_write_that_fails_leaves_nothing(settings: Settings) -> None:
    with pytest.raises(OSError, match="No space left"):
        registry.add("mnist-cnn", write_nothing_whole, settings)
    assert registry.versions(settings) == []
    assert [path.name for path in (settings.models / "mnist-cnn").iterdir()] == []


def test_a_publisher_that_was_killed_leaves_nothing_for_long(settings: Settings) -> None:
    code = (
        "import time; from workbench.models import registry; from workbench import settings as s\n"
        "def write(folder):\n    (folder / 'half').write_text('x'); print('writing', flush=True); time.sleep(600)\n"
        "registry.add('m', write, s.from_environment())"
    )
    environment = {**os.environ, "WORKBENCH_HOME": str(settings.home)}
    process = subprocess.Popen(
        [sys.executable, "-c", code], env=environment, cwd=PROJECT, stdout=subprocess.PIPE
    )
    assert process.stdout is not None
    process.stdout.readline()
    process.send_signal(signal.SIGKILL)
    process.communicate()
    assert registry.versions(settings) == []
    registry.add("m", write, settings)
    assert sorted(path.name for path in (settings.models / "m").iterdir()) == [".lock", "1"]


def test_a_changed_file_is_noticed_before_it_leaves_the_house(settings: Settings, tmp_path: Path) -> None:
    version = registry.add("m", write, settings)
    (version.folder / "model.keras").chmod(0o644)
    (version.folder / "model.keras").write_bytes(b"poison!")
    with pytest.raises(ModelRefused, match=r"model\.keras"):
        registry.download(version, tmp_path / "m.zip")
    assert list(tmp_path.glob("*.zip")) == []


@pytest.mark.parametrize("reference", ["m:2", "none", "none:1"])
def test_what_is_not_there_is_not_found(settings: Settings, reference: str) -> None:
    registry.add("m", write, settings)
    with pytest.raises(NotFound):
        registry.find(reference, settings)


@pytest.mark.parametrize("reference", ["", ":", "m:", "m:0", "m:x", "m:1:2", "../m", "m:-1"])
def test_what_is_no_reference_is_refused(settings: Settings, reference: str) -> None:
    with pytest.raises(BadInput):
        registry.find(reference, settings)


def test_no_version_is_taken_from_a_name_that_leads_elsewhere(settings: Settings) -> None:
    began = time.time()
    for name in ("../../etc", "a/b", ".."):
        with pytest.raises(BadInput):
            registry.add(name, write, settings)
    assert not [p for p in settings.home.parent.rglob("model.keras") if p.stat().st_mtime > began]
