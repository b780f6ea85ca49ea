"""Files written whole, folders published by a rename."""

import os
import stat
import threading
from pathlib import Path

import pytest

from workbench.system import files


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_a_file_is_replaced_as_a_whole_and_nothing_is_left_beside_it(tmp_path: Path) -> None:
    path = tmp_path / "file"
    files.write(path, "one")
    with path.open() as reader:
        files.write(path, b"two")
        assert reader.read() == "one"
    assert path.read_text() == "two"
    assert names(tmp_path) == ["file"]


def test_after_an_error_the_file_is_as_it_was(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_text("before")

    def write() -> None:
        with files.replacing(path) as aside:
            aside.write_text("half")
            raise KeyError

    with pytest.raises(KeyError):
        write()
    assert path.read_text() == "before"
    assert names(tmp_path) == ["file"]


def test_what_is_no_json_leaves_the_file_as_it_was(tmp_path: Path) -> None:
    path = tmp_path / "file"
    files.write_json(path, {"a": 1})
    with pytest.raises(TypeError):
        files.write_json(path, {"a": object()})
    assert path.read_text() == '{"a": 1}'
    assert names(tmp_path) == ["file"]


@pytest.mark.parametrize("mode", [0o600, 0o644])
@pytest.mark.parametrize("umask", [0o000, 0o077])
def test_a_file_has_its_mode_whatever_the_umask_is(tmp_path: Path, mode: int, umask: int) -> None:
    before = os.umask(umask)
    try:
        files.write(tmp_path / "written", "x", mode=mode, synced=True)
        with files.replacing(tmp_path / "replaced", mode=mode, synced=True) as aside:
            assert stat.S_IMODE(aside.stat().st_mode) == mode
            aside.write_text("x")
    finally:
        os.umask(before)
    assert {stat.S_IMODE((tmp_path / name).stat().st_mode) for name in ("written", "replaced")} == {mode}


def test_of_many_who_ask_at_once_all_get_the_text_that_is_kept(tmp_path: Path) -> None:
    path, begin, got = tmp_path / "new" / "secret", threading.Barrier(8), []

    def ask(text: str) -> None:
        begin.wait()
        got.append(files.keep_once(path, lambda: text))

    threads = [threading.Thread(target=ask, args=(f"text {i}",)) for i in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert set(got) == {path.read_text()}
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert names(path.parent) == ["secret"]


def test_a_folder_aside_is_removed_unless_it_was_published(tmp_path: Path) -> None:
    with files.folder_aside(tmp_path / "incoming", stale_s=60) as folder:
        (folder / "file").write_text("x")
    assert names(tmp_path / "incoming") == []
    with files.folder_aside(tmp_path / "incoming", stale_s=60) as folder:
        (folder / "file").write_text("x")
        assert files.publish(folder, tmp_path / "place")
    assert names(tmp_path / "place") == ["file"]


def test_what_killed_processes_left_goes_once_it_is_old(tmp_path: Path) -> None:
    for name, age_s in (("old", 120), ("new", 10)):
        (tmp_path / name).mkdir()
        then = (tmp_path / name).stat().st_mtime - age_s
        os.utime(tmp_path / name, (then, then))
    with files.folder_aside(tmp_path, stale_s=60):
        pass
    assert names(tmp_path) == ["new"]


def test_who_publishes_second_is_told_so_and_changes_nothing(tmp_path: Path) -> None:
    for name in ("first", "second"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "file").write_text(name)
    assert files.publish(tmp_path / "first", tmp_path / "place")
    assert not files.publish(tmp_path / "second", tmp_path / "place")
    assert (tmp_path / "place" / "file").read_text() == "first"


def test_a_folder_is_withdrawn_once(tmp_path: Path) -> None:
    folder = tmp_path / "folder"
    folder.mkdir()
    (folder / "file").touch()
    assert files.withdraw(folder)
    assert not files.withdraw(folder)
    assert names(tmp_path) == []


def test_a_link_is_removed_and_not_where_it_leads(tmp_path: Path) -> None:
    (tmp_path / "kept").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "kept")
    files.remove(tmp_path / "link")
    files.remove(tmp_path / "missing")
    assert names(tmp_path) == ["kept"]
