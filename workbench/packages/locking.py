"""A recipe's lines resolved into a lock: each package with its version and hashes, fitting what is here."""

import hashlib
import json
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

from workbench.packages import installing, uv
from workbench.packages.lines import parse
from workbench.system import files

_OURS = {"workbench", "uv", "pip", "setuptools"}


def provide(text: str, folder: Path, stop: Callable[[], bool] = lambda: False) -> str:
    """Have the packages that these lines name; the name of their lock, empty where there are none.

    The same lines in the same environment give the same lock for ever, so a job that is tried again has what it had.

    Parameters
    ----------
    folder
        Where locks and packages are kept.

    Raises
    ------
    RecipeError
        A line is none, or there is no such package, or it does not go together with what is here.
    Unavailable
        The index cannot be reached.
    Stopped
        ``stop`` said so.
    """
    asked = parse(text)
    if not asked:
        return ""
    here = installing.here()
    version = f"{sys.version_info.major}.{sys.version_info.minor}"
    lines = sorted({one.text for one in asked})
    key = hashlib.sha256(json.dumps([lines, sorted(here.items()), version]).encode()).hexdigest()[:32]
    kept = folder / "asked" / key
    if not kept.is_file():
        with tempfile.TemporaryDirectory() as aside:
            wanted, fixed = Path(aside, "wanted.txt"), Path(aside, "fixed.txt")
            wanted.write_text("\n".join(lines) + "\n")
            fixed.write_text("".join(f"{n}=={v}\n" for n, v in sorted(here.items()) if n not in _OURS))
            options = [
                "--universal",
                "--generate-hashes",
                "--no-header",
                "--no-annotate",
                "--only-binary",
                ":all:",
                "--quiet",
            ]
            command = ["pip", "compile", str(wanted), "--constraint", str(fixed), *options]
            locked = uv.run([*command, "--python-version", version], asked, stop)
        name = installing.keep_lock(locked, folder)
        kept.parent.mkdir(parents=True, exist_ok=True)
        files.write(kept, name)
    name = kept.read_text()
    installing.install(installing.lock_file(name, folder).read_text(), folder, stop)
    return name
