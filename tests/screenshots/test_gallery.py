"""The folder of pictures is filled in parts, and goes on where it was ended."""

import os
from pathlib import Path

from playwright.sync_api import Error

from tests.screenshots.gallery import Gallery, named, newest_source


def test_what_is_newer_than_the_code_is_not_taken_again(tmp_path: Path) -> None:
    for name, changed in (("page-full_light", 200), ("page-full_dark", 50)):
        (tmp_path / f"{name}.png").write_bytes(b"")
        os.utime(tmp_path / f"{name}.png", (changed, changed))
    gallery = Gallery(tmp_path, newer_than=100)
    looks = ("light", "dark")
    assert gallery.lacking("page", ("full", "empty"), looks) == [
        ("empty", "light"),
        ("full", "dark"),
        ("empty", "dark"),
    ]
    chosen = Gallery(tmp_path, ("page-full", "other"), newer_than=100)
    assert chosen.lacking("page", ("full", "empty"), looks) == [("full", "light"), ("full", "dark")]


def test_a_picture_that_cannot_be_taken_is_told_and_the_next_one_is(tmp_path: Path) -> None:
    gallery, reached = Gallery(tmp_path), []
    for name in ("one", "two", "three"):
        with gallery.attempt(name):
            if name == "two":
                raise Error("Timeout 60000ms exceeded\nwaiting for a button\n\n\nand a long log")
            reached.append(name)
    assert reached == ["one", "three"]
    assert gallery.complaints == ["two: not taken: Timeout 60000ms exceeded waiting for a button"]


def test_all_pictures_of_a_state_stand_in_one_row(tmp_path: Path) -> None:
    for look in ("light", "narrow-dark"):
        (tmp_path / f"{named('page', 'two_words', look)}.png").write_bytes(b"")
    page = Gallery(tmp_path).write_index().read_text()
    assert page.count("<h2>") == 1
    assert "<h2>page-two-words</h2>" in page
    assert page.count("<img") == 2


def test_a_change_of_any_page_makes_the_pictures_old(tmp_path: Path) -> None:
    script = tmp_path / "frontend" / "static" / "app.js"
    script.parent.mkdir(parents=True)
    script.write_text("")
    os.utime(script, (300, 300))
    made = tmp_path / "workbench" / "__pycache__" / "made.pyc"
    made.parent.mkdir(parents=True)
    made.write_bytes(b"")
    assert newest_source(tmp_path) == 300
