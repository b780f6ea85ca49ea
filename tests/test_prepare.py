"""``tools/prepare``, with a uv that only tells what it was asked."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from workbench.settings import PROJECT

TOLD = 'echo "$* compile=${UV_COMPILE_BYTECODE:-no}"'
COMPILES = 'case "$*" in *compileall*) echo "$*";; esac'


def prepare(folder: Path, environ: dict[str, str]) -> str:
    """What uv was asked by ``tools/prepare up`` in a checkout of its own."""
    programs = {"bin/uv": TOLD, "bin/apache2": "exit 0", ".venv/bin/python": COMPILES}
    for name, script in programs.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"#!/bin/sh\n{script}\n")
        path.chmod(0o755)
    (folder / "tools").mkdir()
    shutil.copy(PROJECT / "tools" / "prepare", folder / "tools" / "prepare")
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("UV_", "PYTHONDONT"))}
    told = subprocess.run(
        [folder / "tools" / "prepare", "up"],
        env={**kept, "PATH": f"{folder / 'bin'}:{kept['PATH']}", **environ},
        capture_output=True,
        text=True,
        check=True,
    )
    return told.stdout


@pytest.mark.parametrize(
    ("environ", "compiled", "ours"),
    [
        ({}, "no", ""),
        ({"PYTHONDONTWRITEBYTECODE": "1"}, "1", "-m compileall -q workbench backend tests benchmarks\n"),
    ],
    ids=["kept", "not kept"],
)
def test_what_is_installed_and_what_is_ours_is_compiled_where_python_keeps_nothing_that_it_compiles(
    environ: dict[str, str], compiled: str, ours: str, tmp_path: Path
) -> None:
    told = f"sync --frozen --quiet --extra all compile={compiled}\n"
    assert prepare(tmp_path, environ) == told + ours
