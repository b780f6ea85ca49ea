"""An environment of its own for each peer: made once of ``peers/NAME.txt``, kept in ``build/peers/NAME``.

What a peer needs is in no environment of ours: some of it contradicts what we have, all of it is large.
"""

import hashlib
import os
import shutil
import subprocess
import sys
from pathlib import Path

from workbench.errors import Unavailable
from workbench.settings import PROJECT

REQUIREMENTS = Path(__file__).parent / "peers"
ENVIRONMENTS = PROJECT / "build" / "peers"
STAMP = "made-of"
"""File in a whole environment: the SHA-256 of the requirements that it was made of."""
TIMEOUT_S = 900.0


def make(name: str, *, requirements: Path = REQUIREMENTS, environments: Path = ENVIRONMENTS) -> Path:
    """The peer's Python; does nothing where its environment is there and its requirements have not changed.

    Raises
    ------
    Unavailable
        uv is not there, or a package is not to be had.
    """
    wanted = requirements / f"{name}.txt"
    folder = environments / name
    python, stamp = folder / "bin" / "python", folder / STAMP
    sha256 = hashlib.sha256(wanted.read_bytes()).hexdigest()
    if stamp.is_file() and stamp.read_text() == sha256:
        return python
    uv = shutil.which("uv") or shutil.which(PROJECT / ".tools" / "bin" / "uv")
    if uv is None:
        raise Unavailable("uv is not there, which makes the peers' environments; `make bench` installs it")
    shutil.rmtree(folder, ignore_errors=True)
    print(f"installing {name} into {folder} …", file=sys.stderr)
    _run(name, [uv, "venv", "--quiet", "--python", sys.executable, str(folder)])
    _run(name, [uv, "pip", "install", "--quiet", "--python", str(python), "--requirement", str(wanted)])
    stamp.write_text(sha256)
    return python


def _run(name: str, command: list[str]) -> None:
    # Wheels that this machine's pip is pointed to, such as a build of torch for processors alone, count for uv as well.
    links = {"UV_FIND_LINKS": os.environ.get("PIP_FIND_LINKS", "").replace(" ", ",")}
    try:
        done = subprocess.run(
            command, env={**os.environ, **links}, capture_output=True, text=True, timeout=TIMEOUT_S
        )
    except subprocess.TimeoutExpired as error:
        raise Unavailable(f"{name} was not installed within {TIMEOUT_S:.0f} s") from error
    if done.returncode:
        raise Unavailable(f"{name} cannot be installed: {done.stderr.strip()[-500:]}")
