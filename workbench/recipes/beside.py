"""Files and modules that lie beside a recipe's code and travel with it, byte for byte, each known by its content."""

import hashlib
import os
import shutil
import stat
import sys
from collections.abc import Container, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path, PurePosixPath

from workbench.errors import BadInput, NotFound, TooLarge, WorkbenchError
from workbench.fields import Fields
from workbench.system import files

MAX_BYTES = 50 * 1000**2
"""Of all files beside a recipe."""
MAX_FILES = 2_000
MAX_PATH = 400
"""Characters of a file's path."""
MAX_DEPTH = 20
OURS = {"keras", "numpy", "tensorflow", "workbench"}
"""Modules that the training itself needs."""
_LEFT = {"__pycache__", "__MACOSX", "node_modules"}
_BLOCK = 1024 * 1024


@dataclass(frozen=True)
class RecipeFile:
    """One file beside a recipe's code.

    Attributes
    ----------
    path
        Below the recipe, with ``/``.
    source
        Where its bytes are, as far as that is known here.
    """

    path: str
    size: int
    sha256: str
    source: Path | None = field(default=None, compare=False, repr=False)

    @property
    def is_module(self) -> bool:
        return self.path.endswith(".py")


def find(folder: Path, taken: Iterable[str]) -> tuple[RecipeFile, ...]:
    """The files in a recipe's folder, by path; hidden ones and what Python caches are left out.

    Parameters
    ----------
    taken
        Names of the folder's own files that are a recipe's code.

    Raises
    ------
    BadInput, TooLarge
        A name or a kind of file that does not travel, or more than is taken; said before much is read.
    """
    found = [(path.relative_to(folder).as_posix(), path) for path in _walk(folder, set(taken))]
    _check({name: path.stat().st_size for name, path in found})
    return tuple(RecipeFile(name, path.stat().st_size, _sha256(path), path) for name, path in found)


def keep(contents: Mapping[str, bytes], kept: Path) -> tuple[RecipeFile, ...]:
    """Keep files that somebody uploaded, by their content.

    Raises
    ------
    BadInput, TooLarge
        A name that does not travel, or more than is taken.
    """
    wanted = {name: content for name, content in sorted(contents.items()) if not is_left_out(name)}
    _check({name: len(content) for name, content in wanted.items()})
    found = []
    for name, content in wanted.items():
        sha256 = hashlib.sha256(content).hexdigest()
        place = _place(kept, sha256)
        if not place.is_file():
            place.parent.mkdir(parents=True, exist_ok=True)
            files.write(place, content, mode=0o600, synced=True)
        found.append(RecipeFile(name, len(content), sha256, place))
    return tuple(found)


def keep_all(found: Iterable[RecipeFile], kept: Path) -> tuple[RecipeFile, ...]:
    """Keep the files where they stay, whatever becomes of those that were read; doing so again changes nothing.

    Raises
    ------
    BadInput
        One has changed since it was read.
    NotFound
        One is neither where it was read nor kept.
    """
    return tuple(_keep(one, kept) for one in found)


def _keep(one: RecipeFile, kept: Path) -> RecipeFile:
    place = _place(kept, one.sha256)
    if not place.is_file():
        source = one.source
        if source is None or not source.is_file():
            raise NotFound(f"{one.path}, a file of the recipe, is not there any more; read the recipe again")
        place.parent.mkdir(parents=True, exist_ok=True)
        with files.replacing(place, mode=0o600, synced=True) as aside:
            shutil.copyfile(source, aside)
            if _sha256(aside) != one.sha256:
                raise BadInput(f"{one.path} has changed since the recipe was read; read the recipe again")
    return replace(one, source=place)


def write(found: Iterable[RecipeFile], folder: Path, kept: Path | None = None) -> None:
    """Write the files into a recipe's folder; what is there already, byte for byte, is left alone.

    Parameters
    ----------
    kept
        Where files are kept that were read from a job's row.

    Raises
    ------
    NotFound
        The bytes of one are not here.
    """
    for one in found:
        check_name(one.path)
        target = folder / one.path
        if target.is_file() and target.stat().st_size == one.size and _sha256(target) == one.sha256:
            continue
        kept_at = _place(kept, one.sha256) if kept is not None else None
        source = next((p for p in (kept_at, one.source) if p is not None and p.is_file()), None)
        if source is None:
            raise NotFound(f"{one.path}, a file beside the recipe, is not kept here; submit the recipe anew")
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source, target)
        if _sha256(target) != one.sha256:
            raise WorkbenchError(f"{source} is damaged; submit the recipe anew")


def enter(recipe: Path, own: Path) -> None:
    """Make ``own`` the working folder of a machine, in which the files beside the recipe are found by their names.

    Machines of one computer have folders of their own, so that what their code writes is not another one's.
    """
    own.mkdir(parents=True, exist_ok=True)
    for path in _walk(recipe, strict=False):
        target = own / path.relative_to(recipe)
        if not target.exists():
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, target)  # a link would be the same file to all machines
    os.chdir(own)


def check(found: Iterable[RecipeFile]) -> None:
    """Refuse what is too much in all: raises ``TooLarge``, or ``BadInput`` for names that do not fit together."""
    _check({one.path: one.size for one in found})


def check_path(path: str) -> None:
    """Refuse a path that leads elsewhere or that not every machine can have: raises ``BadInput``."""
    parts = path.split("/")
    if (
        not path
        or len(path) > MAX_PATH
        or len(parts) > MAX_DEPTH
        or any(part in ("", ".", "..") or len(part.encode(errors="replace")) > 255 for part in parts)
        or any(sign in path for sign in '\\:*?"<>|')
        or not path.isprintable()
        or _is_half(path)
    ):
        raise BadInput(
            f"a file beside a recipe is called by a path below it, such as data/rows.csv, without .., drives, "
            f'control characters or any of \\ : * ? " < > |. Received: {path[:200]!r}'
        )


def check_name(path: str) -> None:
    """Refuse the name of a file that must not or cannot travel: raises ``BadInput``."""
    check_path(path)
    parts = path.split("/")
    top = parts[0].removesuffix(".py") if len(parts) == 1 else parts[0]
    is_module = len(parts) == 1 or parts[1:] == ["__init__.py"]
    if path.endswith(".py") and is_module and (top in OURS or top in sys.stdlib_module_names):
        raise BadInput(
            f"{path} would hide the module {top} that {'the training' if top in OURS else 'Python itself'} needs; "
            "give it another name"
        )


def is_left_out(path: str) -> bool:
    """Whether a file stays behind: hidden ones, which may hold secrets, and what is made again anyway.

    >>> [is_left_out(name) for name in ("data/rows.csv", ".env", "a/__pycache__/b.pyc", ".git/config")]
    [False, True, True, True]
    """
    hidden = (part in _LEFT or (part[0] == "." and part.strip(".")) for part in PurePosixPath(path).parts)
    return any(hidden) or path.endswith((".pyc", ".pyo"))


def modules_of(found: Iterable[RecipeFile]) -> tuple[str, ...]:
    """Modules that can be imported from files beside the recipe.

    >>> modules_of([RecipeFile("mylib.py", 1, ""), RecipeFile("nets/deep.py", 1, ""), RecipeFile("a/b.csv", 1, "")])
    ('mylib', 'nets')
    """
    tops = {one.path.split("/")[0].removesuffix(".py") for one in found if one.is_module}
    return tuple(sorted(top for top in tops if top.isidentifier()))


def pack(found: Iterable[RecipeFile]) -> list[dict[str, object]]:
    """As JSON."""
    return [{"path": one.path, "size": one.size, "sha256": one.sha256} for one in found]


def parse(told: object, kept: Path | None = None) -> tuple[RecipeFile, ...]:
    """The files that JSON names; raises ``BadInput`` where it is none of ours."""
    found = []
    for one in Fields({"files": told}, "the recipe's ", BadInput).parts("files"):
        path, size, sha256 = one.text("path"), one.count("size"), one.text("sha256")
        check_name(path)
        if len(sha256) != 64 or set(sha256) - set("0123456789abcdef"):
            raise BadInput(f"the recipe's file {path} has no sha256. Received: {sha256[:80]!r}")
        found.append(RecipeFile(path, size, sha256, _place(kept, sha256) if kept else None))
    return tuple(found)


def _check(sizes: Mapping[str, int]) -> None:
    for name in sizes:
        check_name(name)
    for name in sizes:
        if inside := next((str(p) for p in PurePosixPath(name).parents if str(p) in sizes), None):
            raise BadInput(f"{inside} is a file and a folder at once, beside {name}")
    if len(sizes) > MAX_FILES:
        raise TooLarge(
            f"{len(sizes):,} files lie beside the recipe, at most {MAX_FILES:,} travel; make a data set of them: "
            "workbench data add NAME FOLDER"
        )
    if (size := sum(sizes.values())) > MAX_BYTES:
        largest = max(sizes, key=lambda name: sizes[name])
        raise TooLarge(
            f"the files beside the recipe are {size:,} bytes, at most {MAX_BYTES:,} travel; the largest is {largest} "
            f"({sizes[largest]:,}); make a data set of it: workbench data add NAME {largest}"
        )


def _walk(folder: Path, taken: Container[str] = (), *, strict: bool = True) -> Iterator[Path]:
    """The plain files in the folder that travel; of others, an error where it is ``strict``."""
    for path in sorted(_below(folder, strict)):
        name = path.relative_to(folder).as_posix()
        if is_left_out(name) or name in taken:
            continue
        kind = path.lstat().st_mode
        if stat.S_ISREG(kind):
            yield path
        elif strict and not stat.S_ISDIR(kind):
            what = "a link" if stat.S_ISLNK(kind) else "no plain file"
            raise BadInput(f"{name} beside the recipe is {what}; put the file itself there, or take it away")


def _below(folder: Path, strict: bool) -> Iterator[Path]:
    count = 0
    for root, folders, names in os.walk(folder):
        here = Path(root)
        links = [name for name in folders if (here / name).is_symlink()]
        folders[:] = [name for name in folders if name not in links and not is_left_out(name)]
        for name in (*names, *links):
            count += 1
            if strict and count > 20 * MAX_FILES:
                raise TooLarge(
                    f"more than {20 * MAX_FILES:,} files lie beside the recipe; at most {MAX_FILES:,} travel"
                )
            yield here / name


def _sha256(path: Path) -> str:
    found = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(_BLOCK):
            found.update(block)
    return found.hexdigest()


def _place(kept: Path, sha256: str) -> Path:
    return kept / sha256[:2] / sha256


def _is_half(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return True
    return False
