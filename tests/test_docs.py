"""The documents: a site that is built of them without a complaint, and examples that are true."""

import ast
import contextlib
import io
import itertools
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import workbench
from workbench.cli import make_parser
from workbench.settings import PROJECT

PAGES = [PROJECT / "README.md", PROJECT / "CONTRIBUTING.md", *sorted((PROJECT / "docs").rglob("*.md"))]
_FENCE = re.compile(r"^( *)```(\w+)\n(.*?)^\1```", re.MULTILINE | re.DOTALL)


def blocks(*languages: str) -> Iterator[tuple[Path, str]]:
    for page in PAGES:
        for indent, language, text in _FENCE.findall(page.read_text()):
            if language in languages:
                yield page, re.sub(rf"^{indent}", "", text, flags=re.MULTILINE)


def commands() -> Iterator[tuple[str, list[str]]]:
    """Each ``workbench …`` in the examples for a shell; parts that stand for something are taken for a number."""
    for page, text in blocks("sh", "bash"):
        for line in re.sub(r"\\\n", " ", text).splitlines():
            lexer = shlex.shlex(line, posix=True, punctuation_chars="&|;<>")
            lexer.whitespace_split = True
            for words in _parts(list(lexer)):
                program = next(
                    (n for n, word in enumerate(words) if word.split("/")[-1] == "workbench"), None
                )
                if program is not None and not {"cd", "git", "pip", "tool"} & set(words[:program]):
                    yield page.name, words[program + 1 :]


def _parts(words: list[str]) -> Iterator[list[str]]:
    """The commands of a line, without where their output goes."""
    for is_between, part in itertools.groupby(words, lambda word: set(word) <= set("&|;<>")):
        if not is_between:
            yield list(part)


def test_the_site_is_built_without_a_complaint_and_loads_nothing_from_elsewhere(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "tools/site/build.py", str(tmp_path)], cwd=PROJECT, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr[-3000:]
    pages = list((tmp_path / "html").rglob("*.html"))
    assert len(pages) > len(PAGES)
    loads = re.compile(r"<(?:script|link|img|iframe)[^>]*(?:src|href)=[\"']?(?:https?:)?//")
    assert not [page.name for page in pages if loads.search(page.read_text())]
    reference = (tmp_path / "html" / "reference" / "python.html").read_text()
    assert all(f">{name}<" in reference for name in workbench.__all__ if name != "__version__")


def test_the_commands_of_the_examples_are_commands() -> None:
    parser, _ = make_parser()
    found = list(commands())
    assert len(found) > 10
    wrong = []
    for page, words in found:
        said = io.StringIO()
        try:
            with contextlib.redirect_stderr(said), contextlib.redirect_stdout(io.StringIO()):
                parser.parse_args([re.sub(r"^(ID|N|P|W)$", "1", word) for word in words])
        except SystemExit as end:
            if end.code:
                wrong.append(f"{page}: workbench {shlex.join(words)}: {said.getvalue().splitlines()[-1]}")
    assert not wrong


def test_the_python_of_the_examples_is_python_and_names_what_there_is() -> None:
    found = list(blocks("python", "py"))
    assert len(found) > 5
    for page, text in found:
        tree = ast.parse(text.replace("…", "..."), page.name)
        for node in ast.walk(tree):
            if (
                isinstance(node, ast.Attribute)
                and isinstance(node.value, ast.Name)
                and node.value.id == "workbench"
            ):
                assert hasattr(workbench, node.attr), f"{page.name}: workbench.{node.attr}"


@pytest.mark.parametrize("text", ["workbench sweeep x", "workbench sweep x --set A=1"])
def test_a_command_that_is_none_would_be_found(text: str) -> None:
    parser, _ = make_parser()
    with contextlib.redirect_stderr(io.StringIO()), pytest.raises(SystemExit):
        parser.parse_args(shlex.split(text)[1:])
