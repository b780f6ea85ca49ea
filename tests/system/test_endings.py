"""Exit codes and last words."""

from pathlib import Path

from workbench.system.endings import LONGEST, describe_code, last_line


def test_a_signal_that_has_no_name_is_described_by_its_number() -> None:
    assert [describe_code(code) for code in (0, -15, -200)] == ["exit code 0", "signal SIGTERM", "signal 200"]


def test_the_last_line_that_says_something(tmp_path: Path) -> None:
    log = tmp_path / "log"
    assert last_line(log) == ""
    log.write_bytes(b"x\n" * 10_000 + b"refused: no\nTraceback\n  the \xff end  \n\n")
    assert last_line(log) == "the \N{REPLACEMENT CHARACTER} end"
    assert last_line(log, after="refused: ") == "no"
    log.write_text("y" * 1000)
    assert len(last_line(log)) == LONGEST
