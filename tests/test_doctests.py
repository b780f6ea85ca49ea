"""The examples in docstrings run, and say what they show."""

import doctest
import importlib
from pathlib import Path

import pytest

from workbench.settings import PROJECT

SIGN = ">>> "
EXAMPLES = [
    path
    for top in ("workbench", "backend", "benchmarks")
    for path in sorted((PROJECT / top).rglob("*.py"))
    if SIGN in path.read_text()
]


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: str(path.relative_to(PROJECT)))
def test_the_examples_in_docstrings_are_true(path: Path) -> None:
    name = ".".join(path.relative_to(PROJECT).with_suffix("").parts).removesuffix(".__init__")
    done = doctest.testmod(importlib.import_module(name), optionflags=doctest.ELLIPSIS)
    assert done.attempted, (
        f"{name} has no example that runs; write it in a public docstring or without {SIGN}"
    )
    assert not done.failed
