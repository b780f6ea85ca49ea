"""A lock's packages in a folder of their own, read-only and named by the lock; put to use by who runs the recipe."""

import hashlib
import re
import site
import sys
import tempfile
from collections.abc import Callable, Mapping
from importlib import metadata
from pathlib import Path

from workbench.errors import RecipeError, Unavailable
from workbench.packages import uv
from workbench.packages.lines import FIELD, normal
from workbench.system import files
from workbench.system.locks import locked

_NAME = re.compile(r"[0-9a-f]{32}")
_BLOCK = re.compile(r"^([A-Za-z0-9][\w.-]*)==[^\n]*(?:\n[ \t]+[^\n]*)*", re.MULTILINE)
STALE_S = 3600.0


def here() -> Mapping[str, str]:
    """Packages of this Python and their versions, by their normal names."""
    found: dict[str, str] = {}
    for one in metadata.distributions():
        name = one.metadata["Name"]
        if name:
            found.setdefault(normal(name), one.version)
    return found


def keep_lock(text: str, folder: Path) -> str:
    """Keep a lock; its name."""
    name = hashlib.sha256(text.encode()).hexdigest()[:32]
    folder.mkdir(parents=True, exist_ok=True)
    if not lock_file(name, folder).is_file():
        files.write(lock_file(name, folder), text, mode=0o644, synced=True)
    return name


def lock_file(name: str, folder: Path) -> Path:
    """Where the lock of that name is kept; raises ``Unavailable`` for what is no name."""
    if not _NAME.fullmatch(name):
        raise Unavailable(f"no lock of packages is called {name[:80]!r}")
    return folder / f"{name}.lock"


def install(text: str, folder: Path, stop: Callable[[], bool] = lambda: False) -> Path:
    """Install what the lock names and is not here, wheels only, each checked by its hash; once, whoever asks at a time.

    Raises
    ------
    RecipeError, Unavailable, Stopped
        Nothing was installed.
    """
    name = keep_lock(text, folder)
    target = folder / name
    if target.is_dir():
        return target
    with locked(folder / ".lock"):
        if target.is_dir():
            return target
        with files.folder_aside(folder / ".new", stale_s=STALE_S) as aside:
            made = aside / "site"
            made.mkdir()
            missing = without(text, here())
            if missing.strip():
                with tempfile.NamedTemporaryFile("w", suffix=".txt") as wanted:
                    wanted.write(missing)
                    wanted.flush()
                    options = [
                        "--no-deps",
                        "--require-hashes",
                        "--only-binary",
                        ":all:",
                        "--link-mode",
                        "copy",
                        "--quiet",
                    ]
                    uv.run(["pip", "install", "--target", str(made), *options, "-r", wanted.name], stop=stop)
            _make_read_only(made)
            files.publish(made, target)
            target.chmod(0o555)
    return target


def use(name: str, folder: Path) -> None:
    """Have ``import`` find the packages of a lock, after all that is here; an empty name changes nothing.

    Raises
    ------
    RecipeError
        They are not on this machine; it says why.
    """
    if not name:
        return
    target = lock_file(name, folder).with_suffix("")
    if not target.is_dir():
        told = why_not(name, folder)
        why = told.read_text() if told.is_file() else "nobody has installed them"
        raise RecipeError(f"{FIELD}: the packages are not on this machine: {why}", field=FIELD)
    if str(target) not in sys.path:
        site.addsitedir(str(target))


def why_not(name: str, folder: Path) -> Path:
    """Where a machine notes why it could not install the packages of a lock."""
    return lock_file(name, folder).with_suffix(".failed")


def without(text: str, there: Mapping[str, str]) -> str:
    """The lock without packages that are there.

    >>> without("a==1 \\\\\\n    --hash=sha256:0\\nb==2 ; sys_platform == 'x' \\\\\\n    --hash=sha256:1\\n", {"a": "1"})
    "b==2 ; sys_platform == 'x' \\\\\\n    --hash=sha256:1\\n"
    """
    blocks = [match[0] for match in _BLOCK.finditer(text) if normal(match[1]) not in there]
    return "".join(f"{block}\n" for block in blocks)


def _make_read_only(folder: Path) -> None:
    for path in folder.rglob("*"):
        if not path.is_symlink():
            path.chmod(0o555 if path.is_dir() else 0o444)
