"""Lines and names that would steer the terminal of whoever reads a log."""

import pytest

from workbench.cli import output


@pytest.mark.parametrize(
    "text", ["\x1b[31mred", "\x1b]0;title\x07", "a\u202eb", "\x9b2J", "\r overwritten", "\x00"]
)
def test_nothing_that_steers_a_terminal_is_printed(text: str) -> None:
    assert output.plain(text).isprintable()
    assert output.columns([["head"], [text]]).replace("\n", "").isprintable()


def test_what_people_write_is_left_as_it_is() -> None:
    assert output.plain("Größe\t数字 🙂\nend") == "Größe\t数字 🙂\nend"
