"""A kill -9 at any moment of an upload, of a data set's write or end, of a download: nothing lost, nothing left."""

import itertools
import os
import shutil
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from tests.datasets import bringing
from tests.system import killed
from tests.test_fetching import Site, site
from workbench import artifact, datasets
from workbench.datasets import adding
from workbench.datasets.kept import store
from workbench.datasets.sources import How
from workbench.manifest import Manifest
from workbench.models import registry
from workbench.settings import Settings, from_environment
from workbench.system import files, scratch
from workbench.ui.datasets.upload import Upload
from workbench.verbs import datasets as verbs

pytest.importorskip("pyarrow")
pytest.importorskip("google_crc32c")
ACKNOWLEDGED = {"kept:1": 50, "kept:2": 90, "other:1": 60}
MOMENTS = 12
__all__ = ["site"]


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home with a data set of two versions that share files, another one, and sources."""
    folder = tmp_path_factory.mktemp("killed")
    for reference, rows in ACKNOWLEDGED.items():
        add(folder, reference.partition(":")[0], rows)
    return folder


@pytest.fixture
def homes(template: Path, tmp_path: Path) -> Iterator[Path]:
    """One copy of it after the other."""
    return (shutil.copytree(template, tmp_path / str(n)) for n in itertools.count())


def write_model(folder: Path) -> Manifest:
    (folder / "model.keras").write_bytes(os.urandom(200_000))
    return Manifest()


def settings_of(folder: Path) -> Settings:
    return replace(from_environment(), home=folder / "home")


def add(folder: Path, name: str, rows: int) -> str:
    path = bringing.garden(folder / "rows.csv", rows)
    return str(adding.add(name, path, How(), settings_of(folder)))


def remove(folder: Path) -> None:
    store.remove("other:1", (), settings_of(folder))


@pytest.mark.parametrize(
    ("work", "may_be_gone"),
    [
        pytest.param(lambda folder: add(folder, "kept", 120), set(), id="next version"),
        pytest.param(lambda folder: add(folder, "new", 40), set(), id="first version"),
        pytest.param(remove, {"other:1"}, id="removal"),
    ],
)
def test_a_data_set_is_there_whole_or_not_at_all(
    homes: Iterator[Path], work: Callable[[Path], object], may_be_gone: set[str]
) -> None:
    counted = next(homes)
    for moment in killed.moments(work, counted, MOMENTS, seed=5):
        folder = next(homes)
        killed.killed_at(moment, work, folder)
        settings = settings_of(folder)
        there = store.versions(settings)
        assert {*ACKNOWLEDGED} - may_be_gone <= {str(one) for one in there}, f"lost at moment {moment}"
        for one in there:
            (x, _), (x_test, _) = datasets.load(str(one), settings)
            assert (len(x), len(x_test)) == (one.train.examples, one.test.examples)
        work(folder) if not may_be_gone or len(there) == 3 else add(folder, "next", 30)
        named = {shard.sha256 for one in store.versions(settings) for shard in one.shards}
        blobs, sets = settings.data / store.BLOBS, settings.data / store.SETS
        assert {path.name for path in blobs.glob("*/*")} == named, f"left at moment {moment}"
        left = {path.name for path in sets.rglob("*") if path.name.startswith(".")}
        assert left <= {".lock", ".highest"}, f"left at moment {moment}"


def test_a_source_from_the_web_leaves_nothing_when_its_fetch_is_killed(
    homes: Iterator[Path], tmp_path: Path, site: Site
) -> None:
    site.pages["/rows.csv"] = (200, {}, bringing.garden(tmp_path / "rows.csv", 40).read_bytes())

    def fetch(folder: Path) -> None:
        settings = replace(settings_of(folder), allowed_hosts=(site.host,))
        verbs.add("web", f"http://{site.host}/rows.csv", How(), settings)

    counted = next(homes)
    for moment in killed.moments(fetch, counted, MOMENTS // 2, seed=11):
        folder = next(homes)
        killed.killed_at(moment, fetch, folder)
        fetch(folder)
        data = settings_of(folder).data
        assert not (data / scratch.NAME).exists(), f"left at moment {moment}"
        assert {*ACKNOWLEDGED, "web:1"} == {str(one) for one in store.versions(settings_of(folder))}


def test_an_upload_goes_on_after_the_last_piece_that_was_acknowledged(tmp_path: Path) -> None:
    piece, count = os.urandom(50_000), 6
    size = len(piece) * count

    def begin(folder: Path) -> tuple[Upload, list[Path], list[int]]:
        taken: list[Path] = []
        wanted: list[int] = []
        upload = Upload(folder / "up", 10_000_000, taken.append, lambda why: None)
        upload.send = lambda told, *_: wanted.append(told.get("offset", -1))
        upload._heard(None, {"kind": "begin", "name": "a.csv", "size": str(size), "changed": "1"}, [])
        return upload, taken, wanted

    def send(folder: Path) -> list[Path]:
        upload, taken, wanted = begin(folder)
        while 0 <= wanted[-1] < size:
            (folder / "acknowledged").write_text(str(wanted[-1]))
            upload._heard(None, {"kind": "piece", "offset": wanted[-1]}, [piece])
        upload._heard(None, {"kind": "end"}, [])
        return taken

    (counted := tmp_path / "counted").mkdir()
    for moment in killed.moments(send, counted, MOMENTS, seed=7):
        (folder := tmp_path / str(moment)).mkdir()
        killed.killed_at(moment, send, folder)
        told = folder / "acknowledged"
        before = int(told.read_text() or "0") if told.exists() else 0
        _, _, wanted = begin(folder)
        assert wanted[0] >= before, f"lost at moment {moment}"
        (path,) = send(folder)
        assert path.read_bytes() == piece * count
        assert [p for p in (folder / "up").rglob("*") if p.is_file()] == [path]


def test_a_download_is_there_whole_or_not_at_all_and_the_next_one_clears_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    version = registry.add("m", write_model, settings_of(tmp_path))
    monkeypatch.setattr(files, "HELD_AFTER_S", -1.0)

    def download(folder: Path) -> Path:
        return registry.download(version, folder / "m.zip")

    (counted := tmp_path / "counted").mkdir()
    for moment in killed.moments(download, counted, MOMENTS, seed=3):
        (folder := tmp_path / str(moment)).mkdir()
        (folder / "m.zip").write_bytes(b"before")
        killed.killed_at(moment, download, folder)
        if (folder / "m.zip").read_bytes() != b"before":
            artifact.unpack(folder / "m.zip", folder / "out")
        download(folder)
        assert {path.name for path in folder.iterdir()} <= {"m.zip", "out"}, f"left at moment {moment}"
    artifact.verify(version.folder)


def test_a_version_that_comes_back_is_there_whole_or_not_at_all(tmp_path: Path) -> None:
    version = registry.add("m", write_model, settings_of(tmp_path))
    packed = artifact.pack(version.folder, tmp_path / "m.zip")

    def bring(folder: Path) -> registry.Version:
        return registry.bring(packed, "m:1", settings_of(folder))

    for moment in killed.moments(bring, tmp_path / "counted", MOMENTS // 2, seed=17):
        folder = tmp_path / str(moment)
        killed.killed_at(moment, bring, folder)
        assert registry.damaged(settings_of(folder)) == []
        artifact.verify(bring(folder).folder)
        home = settings_of(folder).models / "m"
        assert {path.name for path in home.iterdir()} <= {".lock", scratch.NAME, "1"}, (
            f"left at moment {moment}"
        )
        scratch.sweep(home)
        assert {path.name for path in home.iterdir()} == {".lock", "1"}, f"left at moment {moment}"
