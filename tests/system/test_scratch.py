"""Folders to work in that no killed process leaves behind."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from tests.system import killed
from workbench.system import files, scratch


def test_what_was_published_from_it_stays_and_nothing_else_does(tmp_path: Path) -> None:
    with scratch.folder(tmp_path) as folder:
        (folder / "half").write_text("x")
    assert list(tmp_path.iterdir()) == []
    with scratch.folder(tmp_path) as folder:
        (folder / "file").write_text("x")
        files.publish(folder, tmp_path / "place")
    assert [path.name for path in tmp_path.iterdir()] == ["place"]


def test_what_a_killed_process_left_goes_and_a_living_one_keeps_its_own(tmp_path: Path) -> None:
    def work(parent: Path) -> None:
        with scratch.folder(parent) as folder:
            (folder / "half").write_text("x")
            files.publish(folder, parent / "place")

    for moment in killed.moments(work, tmp_path / "counted", 8, seed=1):
        parent = tmp_path / str(moment)
        with scratch.folder(parent) as own:
            (own / "half").write_text("own")
            killed.killed_at(moment, work, parent)
            scratch.sweep(parent)
            assert (own / "half").read_text() == "own", f"lost at moment {moment}"
            assert list((parent / scratch.NAME).iterdir()) == [own], f"left at moment {moment}"
        assert {path.name for path in parent.iterdir()} <= {"place"}, f"left at moment {moment}"


def test_many_who_begin_and_end_at_once_do_not_disturb_each_other(tmp_path: Path) -> None:
    def work(number: int) -> str:
        for _ in range(20):
            with scratch.folder(tmp_path) as folder:
                (folder / "own").write_text(str(number))
                found = (folder / "own").read_text()
        return found

    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(work, range(8))) == [str(number) for number in range(8)]
    assert list(tmp_path.iterdir()) == []


def test_sweeping_makes_nothing(tmp_path: Path) -> None:
    scratch.sweep(tmp_path)
    scratch.sweep(tmp_path / "none")
    assert list(tmp_path.iterdir()) == []
