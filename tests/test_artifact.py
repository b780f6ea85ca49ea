import io
import stat
import zipfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from workbench import artifact, manifest
from workbench.errors import BadInput, ModelRefused
from workbench.manifest import write_listing as rewrite


@pytest.fixture
def version(tmp_path: Path) -> Path:
    folder = tmp_path / "7"
    (folder / "saved_model").mkdir(parents=True)
    (folder / "model.keras").write_bytes(b"weights" * 100)
    (folder / "saved_model" / "saved_model.pb").write_bytes(b"graph")
    rewrite(folder, {"name": "mnist-cnn", "version": 7})
    return folder


def archive(**members: bytes) -> io.BytesIO:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as file:
        for name, content in members.items():
            file.writestr(name, content)
    return packed


def refused(source: io.BytesIO, tmp_path: Path, **limits: int) -> str:
    """The reason, and that nothing is left."""
    before = set(tmp_path.rglob("*"))
    with pytest.raises(ModelRefused) as caught:
        artifact.unpack(source, tmp_path / "unpacked", **limits)
    assert set(tmp_path.rglob("*")) == before
    return str(caught.value)


def test_a_version_packs_and_unpacks_to_the_same_files(version: Path, tmp_path: Path) -> None:
    packed = artifact.pack(version, tmp_path / "version.zip")
    artifact.unpack(packed, tmp_path / "copy")
    assert artifact.verify(tmp_path / "copy") == artifact.verify(version)
    assert artifact.pack(tmp_path / "copy", tmp_path / "again.zip").read_bytes() == packed.read_bytes()


@pytest.mark.parametrize("damage", ["changed", "missing", "added"])
def test_files_that_differ_from_the_manifest_are_named(version: Path, damage: str) -> None:
    if damage == "changed":
        (version / "model.keras").write_bytes(b"weighty" * 100)
    elif damage == "missing":
        (version / "model.keras").unlink()
    else:
        (version / "extra.py").write_text("import os")
    with pytest.raises(ModelRefused, match="extra.py" if damage == "added" else "model.keras"):
        artifact.verify(version)


@pytest.mark.parametrize("text", ["", "[]", '{"format": 2}', "{", "\x00"])
def test_a_manifest_that_cannot_be_read_is_refused(version: Path, text: str) -> None:
    (version / manifest.FILE).write_text(text)
    with pytest.raises(ModelRefused):
        artifact.verify(version)


@pytest.mark.parametrize(
    "name", ["../evil", "a/../../evil", "/etc/evil", "..\\evil", "C:\\evil", "a/b/../../../evil"]
)
def test_a_path_that_leaves_the_folder_is_refused(tmp_path: Path, name: str) -> None:
    assert "leaves its folder" in refused(archive(**{name: b"x"}), tmp_path)


def test_a_link_is_refused(tmp_path: Path) -> None:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as file:
        link = zipfile.ZipInfo("model.keras")
        link.external_attr = (stat.S_IFLNK | 0o777) << 16
        file.writestr(link, "/etc/passwd")
    assert "link" in refused(packed, tmp_path)


def test_a_bomb_is_refused_before_it_fills_the_disk(tmp_path: Path) -> None:
    assert "unpacks to more" in refused(archive(bomb=bytes(300 * 1024 * 1024)), tmp_path)


def test_more_than_the_limit_is_refused(tmp_path: Path) -> None:
    assert "unpacks to more than 10 bytes" in refused(archive(a=b"12345678901"), tmp_path, max_bytes=10)


def test_too_many_members_are_refused(tmp_path: Path) -> None:
    many = {f"f{k}": b"" for k in range(artifact.MAX_MEMBERS + 1)}
    assert "members" in refused(archive(**many), tmp_path)


def test_one_path_named_twice_is_refused(tmp_path: Path) -> None:
    assert "twice" in refused(archive(**{"a": b"1", "./a": b"2"}), tmp_path)
    assert "twice" in refused(archive(**{"a": b"1", "a/b": b"2"}), tmp_path)


@given(st.binary(max_size=400))
def test_any_bytes_are_unpacked_or_refused_and_never_anything_else(
    tmp_path_factory: pytest.TempPathFactory, junk: bytes
) -> None:
    tmp_path = tmp_path_factory.mktemp("junk")
    good = archive(**{"model.keras": b"weights" * 9}).getvalue()
    for content in (
        junk,
        good + junk,
        good[: len(good) // 2] + junk,
        good[:30] + junk + good[30 + len(junk) :],
    ):
        target = tmp_path / str(len(list(tmp_path.iterdir())))
        try:
            artifact.unpack(io.BytesIO(content), target)
        except ModelRefused:
            assert not target.exists()
            target.mkdir()


@pytest.mark.parametrize("name", ["mnist-cnn", "a", "a.b_c-1", "x" * 64])
def test_names_that_fit_are_given_back(name: str) -> None:
    assert artifact.check_name(name) == name


@pytest.mark.parametrize("name", ["", "Mnist", "-a", "a-", "a..b", "a/b", "ä", "a b", "x" * 65, "a\n", ".."])
def test_names_that_do_not_fit_are_refused(name: str) -> None:
    with pytest.raises(BadInput, match="a model name is"):
        artifact.check_name(name)
