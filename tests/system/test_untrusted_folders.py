"""Folders whose owner is not trusted: links, pipes and files that grow without end."""

import os
from pathlib import Path

import pytest

from workbench.system import untrusted_folders as folders


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "secret").write_text("secret")
    (tmp_path / "jobs" / "7").mkdir(parents=True)
    return tmp_path / "jobs" / "7"


def test_a_file_is_read_and_replaced(tmp_path: Path, folder: Path) -> None:
    with folders.opened(tmp_path, "jobs", "7") as opened:
        folders.write(opened, "file", b"one")
        folders.write(opened, "file", b"two")
        assert folders.read(opened, "file", 3) == b"two"
    assert [path.name for path in folder.iterdir()] == ["file"]


def test_no_link_is_followed_on_the_way(tmp_path: Path, folder: Path) -> None:
    folder.rmdir()
    folder.symlink_to(tmp_path)
    with (
        pytest.raises(OSError, match=r"Not a directory|Too many levels"),
        folders.opened(tmp_path, "jobs", "7"),
    ):
        pass


def test_a_file_that_is_a_link_is_not_read_and_is_replaced_itself(tmp_path: Path, folder: Path) -> None:
    (folder / "file").symlink_to(tmp_path / "secret")
    assert folders.read_end(folder / "file", 100) == b""
    with folders.opened(tmp_path, "jobs", "7") as opened:
        with pytest.raises(OSError, match="Too many levels"):
            folders.read(opened, "file", 100)
        folders.write(opened, "file", b"new")
    assert (tmp_path / "secret").read_text() == "secret"
    assert (folder / "file").read_text() == "new"


def test_a_pipe_keeps_nobody_waiting(tmp_path: Path, folder: Path) -> None:
    os.mkfifo(folder / "pipe")
    assert folders.read_end(folder / "pipe", 100) == b""
    with folders.opened(tmp_path, "jobs", "7") as opened, pytest.raises(OSError, match="no file of at most"):
        folders.read(opened, "pipe", 100)


def test_a_file_may_be_too_long(tmp_path: Path, folder: Path) -> None:
    (folder / "file").write_text("12345")
    with folders.opened(tmp_path, "jobs", "7") as opened, pytest.raises(OSError, match="at most 4 bytes"):
        folders.read(opened, "file", 4)
    assert folders.read_end(folder / "file", 4) == b"2345"
    assert folders.read_end(folder / "missing", 4) == b""
