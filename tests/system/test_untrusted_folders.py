"""Folders whose owner is not trusted: links at any depth, FIFOs, devices, sparse and endless files, deep trees."""

import contextlib
import os
import shutil
import socket
from pathlib import Path

import pytest

from workbench.system import untrusted_changes as changes
from workbench.system import untrusted_folders as folders


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "secret").write_text("secret")
    (tmp_path / "jobs" / "7").mkdir(parents=True)
    return tmp_path / "jobs" / "7"


def test_a_file_is_read_and_replaced(folder: Path) -> None:
    changes.write(folder, "file", b"one")
    changes.write(folder, "file", b"two")
    assert folders.read(folder, "file", 3) == b"two"
    assert [path.name for path in folder.iterdir()] == ["file"]


def test_no_link_is_followed_on_the_way(tmp_path: Path, folder: Path) -> None:
    (folder / "machines").symlink_to(tmp_path)
    with pytest.raises(OSError, match=r"Not a directory|Too many levels"):
        folders.read(folder, "machines/secret", 100)
    assert not folders.is_file(folder, "machines/secret")
    assert folders.list_names(folder, "machines") == []
    assert folders.read_end(folder, "machines/secret", 100).data == b""
    with pytest.raises(OSError), folders.opened(folder, "machines"):  # noqa: PT011
        pass
    with pytest.raises(OSError):  # noqa: PT011
        changes.write(folder, "machines/new", b"")
    with pytest.raises(OSError):  # noqa: PT011
        changes.copy(folder, "machines", tmp_path, most_bytes=10**6, most_files=10)
    changes.remove(folder, "machines/secret")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["jobs", "secret"]


@pytest.mark.parametrize("name", ["../secret", "/etc/passwd", "a/../../secret", ".", "x\0y"])
def test_no_name_leads_out(folder: Path, name: str) -> None:
    with pytest.raises(OSError):  # noqa: PT011
        folders.read(folder, name, 100)
    assert not folders.is_file(folder, name)


def test_a_file_that_is_a_link_is_not_read_and_is_replaced_itself(tmp_path: Path, folder: Path) -> None:
    (folder / "file").symlink_to(tmp_path / "secret")
    assert folders.read_end(folder, "file", 100).data == b""
    with pytest.raises(folders.NotPlain, match="no plain file"):
        folders.read(folder, "file", 100)
    changes.write(folder, "file", b"new")
    assert (tmp_path / "secret").read_text() == "secret"
    assert (folder / "file").read_text() == "new"


def test_a_pipe_a_socket_and_a_folder_keep_nobody_waiting(folder: Path) -> None:
    os.mkfifo(folder / "pipe")
    (folder / "folder").mkdir()
    with socket.socket(socket.AF_UNIX) as server, contextlib.chdir(folder):
        server.bind("socket")
    for name in ("pipe", "folder", "socket"):
        assert folders.read_end(folder, name, 100).data == b""
        assert not folders.is_file(folder, name)
        with pytest.raises(OSError):  # noqa: PT011
            folders.read(folder, name, 100)
        with pytest.raises(OSError):  # noqa: PT011
            folders.read_part(folder, name, 0, 100)
        changes.write(folder, name, b"file now")
        assert folders.read(folder, name, 100) == b"file now"


def test_a_file_may_be_too_long_also_one_that_only_says_so(folder: Path) -> None:
    (folder / "file").write_text("12345")
    with (folder / "sparse").open("wb") as file:
        file.truncate(3 * 1024**3)
    with pytest.raises(folders.TooMuch, match="more than 4 bytes"):
        folders.read(folder, "file", 4)
    with pytest.raises(folders.TooMuch):
        folders.read_json(folder, "sparse", 10**6)
    assert len(folders.read_part(folder, "sparse", 0, 1000).data) == 1000
    assert folders.read_end(folder, "file", 4) == folders.Part(b"2345", 1, 5)
    assert folders.read_end(folder, "missing", 4).data == b""
    assert folders.measure(folder).bytes < 10**6
    aim = folder.with_name("aim")
    aim.mkdir()
    with pytest.raises(folders.TooMuch):
        changes.copy(folder.parent, "7", aim, most_bytes=10**9, most_files=10)


NO_OBJECTS = {
    "empty": b"",
    "deep": b"[" * 100_000,
    "list": b"[]",
    "number": b"1",
    "digits": b"9" * 5000,
    "bytes": b"{\xff",
}


@pytest.mark.parametrize("kind", NO_OBJECTS)
def test_json_is_an_object_or_refused(folder: Path, kind: str) -> None:
    (folder / "file").write_bytes(NO_OBJECTS[kind])
    with pytest.raises(ValueError):  # noqa: PT011
        folders.read_json(folder, "file", 10**6)


def test_a_copy_takes_plain_files_and_nothing_else(tmp_path: Path, folder: Path) -> None:
    (folder / "export" / "a" / "b").mkdir(parents=True)
    (folder / "export" / "a" / "b" / "file").write_text("content")
    aim = tmp_path / "aim"
    for spoil in (
        lambda path: path.symlink_to(tmp_path / "secret"),
        lambda path: path.symlink_to(tmp_path),
        os.mkfifo,
        lambda path: path.with_name("a\nb\x1b[31m").write_text(""),
    ):
        shutil.rmtree(aim, ignore_errors=True)
        aim.mkdir()
        changes.copy(folder, "export", aim, most_bytes=7, most_files=3)
        assert (aim / "a" / "b" / "file").read_text() == "content"
        shutil.rmtree(aim)
        aim.mkdir()
        spoil(folder / "export" / "a" / "thing")
        with pytest.raises(folders.NotPlain):
            changes.copy(folder, "export", aim, most_bytes=7, most_files=30)
        for path in (folder / "export" / "a").iterdir():
            if path.name != "b":
                path.unlink()
    for limits in ({"most_bytes": 6, "most_files": 3}, {"most_bytes": 7, "most_files": 2}):
        shutil.rmtree(aim)
        aim.mkdir()
        with pytest.raises(folders.TooMuch):
            changes.copy(folder, "export", aim, **limits)


@pytest.mark.parametrize(
    ("size", "written"),
    [
        (3 * 1024**3, {1024**2: b"model", 2 * 1024**3: b"x" * 5000}),
        (10**9, {}),
        (2 * 1024**2 + 1, {0: b"\0" * 1024**2, 2 * 1024**2: b"e"}),
        (7, {0: b"content"}),
    ],
    ids=["two islands", "one hole", "written zeros", "no hole"],
)
def test_the_copy_of_a_sparse_file_is_as_long_and_as_sparse(
    tmp_path: Path, folder: Path, size: int, written: dict[int, bytes]
) -> None:
    (folder / "export").mkdir()
    (folder / "export" / "empty").touch()
    aim = tmp_path / "aim"
    aim.mkdir()
    source, made = folder / "export" / "weights", aim / "weights"
    with source.open("wb") as file:
        file.truncate(size)
        for place, content in written.items():
            file.seek(place)
            file.write(content)
    with pytest.raises(folders.TooMuch):  # a hole counts as what is read in it
        changes.copy(folder, "export", aim, most_bytes=size - 1, most_files=2)
    made.unlink(missing_ok=True)
    (aim / "empty").unlink(missing_ok=True)
    changes.copy(folder, "export", aim, most_bytes=size, most_files=2)
    assert (aim / "empty").stat().st_size == 0
    assert made.stat().st_size == size
    assert made.stat().st_blocks <= source.stat().st_blocks
    with source.open("rb") as one, made.open("rb") as other:
        for place in (0, *written, max(0, size - 5000)):
            one.seek(place)
            other.seek(place)
            assert one.read(5000) == other.read(5000)


def test_a_copy_of_a_link_to_a_folder_is_refused(tmp_path: Path, folder: Path) -> None:
    (tmp_path / "home").mkdir()
    (tmp_path / "home" / "cookie_secret").write_text("secret")
    (folder / "export").symlink_to("/proc/self/cwd")
    aim = tmp_path / "aim"
    aim.mkdir()
    with (
        contextlib.chdir(tmp_path / "home"),
        pytest.raises(OSError, match=r"Not a directory|Too many levels"),
    ):
        changes.copy(folder, "export", aim, most_bytes=10**6, most_files=10)
    assert list(aim.iterdir()) == []


def test_what_is_nested_a_thousand_deep_is_removed_and_not_walked(tmp_path: Path, folder: Path) -> None:
    (tmp_path / "aim").mkdir()
    with contextlib.chdir(folder):
        for _ in range(1100):  # more than Python calls itself
            Path("d").mkdir()
            os.chdir("d")
        Path("file").write_text("")
    try:
        with pytest.raises(folders.TooMuch):
            folders.measure(folder)
        with pytest.raises(folders.TooMuch):
            changes.copy(folder.parent, "7", tmp_path / "aim", most_bytes=10**6, most_files=10**6)
        with pytest.raises(folders.TooMuch):
            changes.give(folder, os.getuid())
    finally:
        changes.remove(folder.parent, "7")
    assert list(folder.parent.iterdir()) == []


def test_what_is_removed_may_be_anything(tmp_path: Path, folder: Path) -> None:
    (folder / "link").symlink_to(tmp_path / "secret")
    (folder / "to_folder").symlink_to(tmp_path)
    os.mkfifo(folder / "pipe")
    (folder / "closed" / "inner").mkdir(parents=True)
    (folder / "closed").chmod(0)
    for path in list(folder.iterdir()):
        changes.remove(folder, path.name)
    changes.remove(folder, "missing")
    assert list(folder.iterdir()) == []
    assert (tmp_path / "secret").read_text() == "secret"


def test_a_folder_is_made_where_links_and_files_lay(tmp_path: Path, folder: Path) -> None:
    (folder / "machines").symlink_to(tmp_path)
    changes.make_folder(folder, "machines/worker-0")
    (folder / "machines" / "worker-1").write_text("")
    changes.make_folder(folder, "machines/worker-1")
    assert (folder / "machines" / "worker-1").is_dir()
    assert not (folder / "machines").is_symlink()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["jobs", "secret"]


def test_something_of_ours_is_moved_in_whatever_was_there(tmp_path: Path, folder: Path) -> None:
    (folder / "recipe" / "full").mkdir(parents=True)
    for number in (1, 2):
        (tmp_path / "recipe").mkdir()
        (tmp_path / "recipe" / "file").write_text(str(number))
        changes.move_in(tmp_path / "recipe", folder, "recipe")
        assert (folder / "recipe" / "file").read_text() == str(number)
        assert not (folder / "recipe" / "full").exists()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root gives files away")
def test_links_are_given_away_and_not_where_they_lead(tmp_path: Path, folder: Path) -> None:
    (folder / "sub").mkdir()
    (folder / "sub" / "link").symlink_to(tmp_path / "secret")
    (folder / "to_folder").symlink_to(tmp_path)
    changes.give(folder, 61_200)
    assert (folder / "sub" / "link").lstat().st_uid == 61_200
    assert (tmp_path / "secret").stat().st_uid == 0
    assert tmp_path.stat().st_uid == 0
