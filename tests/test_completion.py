"""``workbench completion``, asked as a shell asks; and what ``--help`` says."""

import re
import shlex
import shutil
import subprocess
from pathlib import Path

import pytest

from workbench import cli
from workbench.cli import make_parser
from workbench.cli.examples import BEGIN, EXAMPLES, GROUPS


def complete_in_bash(line: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> set[str]:
    """What bash offers behind the line; its last word is what was begun."""
    cli.main(["completion", "bash"])
    script = tmp_path / "completion"
    script.write_text(capsys.readouterr().out)
    words = " ".join(shlex.quote(word) for word in line.split(" "))
    asked = f'source {script}; COMP_WORDS=({words}); COMP_CWORD=$((${{#COMP_WORDS[@]}} - 1)); _workbench; printf "%s\\n" "${{COMPREPLY[@]}}"'
    done = subprocess.run(["bash", "--norc", "-c", asked], capture_output=True, text=True, cwd=tmp_path)
    assert not done.stderr
    return set(done.stdout.split())


@pytest.mark.skipif(shutil.which("bash") is None, reason="bash is not installed")
@pytest.mark.parametrize(
    ("line", "offered", "not_offered"),
    [
        ("workbench s", {"status", "submit", "start", "stop", "sweep"}, {"up"}),
        ("workbench ", {"up", "predict"}, {"--name"}),
        ("workbench submit --w", {"--workers", "--wait"}, {"--name"}),
        ("workbench submit my --provider ", {"local", "aws"}, {"--name"}),
        ("workbench submit my --provider aws --c", {"--cluster"}, {"--ps"}),
        ("workbench data ", {"add", "list", "remove"}, {"up"}),
        ("workbench data add --ta", {"--target"}, set()),
        ("workbench data add --kind p", {"pictures"}, {"table"}),
        ("workbench up --detach --o", {"--only"}, set()),
        ("workbench predict dr", {"drawing.png"}, {"digits.txt"}),
        ("workbench plan ", {"app", "cluster"}, set()),
    ],
)
def test_bash_completes_commands_options_choices_and_files(
    line: str, offered: set[str], not_offered: set[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("drawing.png", "digits.txt"):
        (tmp_path / name).touch()
    found = complete_in_bash(line, tmp_path, capsys)
    assert offered <= found
    assert not not_offered & found


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_the_scripts_are_what_their_shell_can_read(
    shell: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(["completion", shell]) == 0
    (script := tmp_path / "script").write_text(capsys.readouterr().out)
    assert "sweep" in script.read_text()
    if (program := shutil.which(shell)) is None:
        pytest.skip(f"{shell} is not installed")
    done = subprocess.run([program, "-n", script], capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")


def test_help_shows_each_command_in_its_group_and_examples_that_are_commands() -> None:
    parser, verbs = make_parser()
    assert sorted(verbs.names) == sorted(name for names in GROUPS.values() for name in names)
    assert set(EXAMPLES) == set(verbs.names)
    said = parser.format_help()
    for name in verbs.names:
        assert re.search(rf"^  {name} +{re.escape(verbs.texts[name])}$", said, re.MULTILINE)
    for line in (*BEGIN, *(line for lines in EXAMPLES.values() for line in lines)):
        found = re.search(r"workbench (.*?)(?:\)\"|$)", line)
        assert found is not None
        parser.parse_args(shlex.split(found[1]))
    assert EXAMPLES["sweep"][0] in verbs.parsers["sweep"].format_help()


def test_what_is_no_picture_is_not_sent(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (secret := tmp_path / "secret.png").write_bytes(b"root:x:0:0")
    (cut := tmp_path / "cut.png").write_bytes(b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0")
    (large := tmp_path / "large.png").write_bytes(b"\x89PNG\r\n\x1a\n" + bytes(11 * 1024**2))
    nowhere = "http://127.0.0.1:1"
    for file, words in ((secret, "is no picture"), (cut, "cut off"), (large, "more than 10,485,760 bytes")):
        for more in ([], ["--model", "digits"]):
            assert cli.main(["predict", str(file), "--to", nowhere, *more]) == 2
            said = capsys.readouterr().err
            assert words in said
            assert "not sent" in said
            assert "x:0" not in said
