"""Recipes wherever they come from: a path, the name of a shipped one, a notebook, an upload."""

import io
import json
import zipfile
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path, PurePosixPath

from workbench import artifact, recipes
from workbench.errors import BadInput, Conflict, NotFound, TooLarge
from workbench.recipes import CODE, FIELDS, REQUIREMENTS, Recipe, beside, encoding, importing
from workbench.recipes.importing import Proposal
from workbench.settings import PROJECT, Settings

SHIPPED = PROJECT / "recipes"
MAX_CODE = 8 * 1024**2
"""Bytes of a notebook, or of one file of code, that is uploaded."""
MAX_UPLOAD = beside.MAX_BYTES + MAX_CODE
"""... and with all that lies beside it."""


def read(text: str | Path) -> Recipe:
    """The recipe that a path or the name of a shipped one means.

    Raises
    ------
    NotFound, BadInput
    RecipeError
        It needs what lies beside it.
    """
    path = find(text)
    recipe = recipes.read(path)
    if path.is_file():
        recipes.check_travel(recipe, path.parent)
    return recipe


def find(text: str | Path) -> Path:
    """The recipe that a path or the name of a shipped one means.

    Raises
    ------
    NotFound
    """
    if not Path(text).exists():
        for ours in (SHIPPED / text, recipes.DEFAULT.parent / text, recipes.DEFAULT.parent / f"{text}.ipynb"):
            if ours.is_dir() or ours.is_file():
                return ours
        shipped = sorted(folder.name for folder in SHIPPED.glob("*") if folder.is_dir())
        raise NotFound(
            f"there is no recipe at {text}; give a notebook, a folder, or one of: {', '.join(shipped)}"
        )
    return Path(text)


def offered(settings: Settings) -> dict[str, Path]:
    """The recipes that one can begin with, by name: the tutorial's, the shipped ones, and other notebooks that are one."""
    found = {recipes.DEFAULT.stem: recipes.DEFAULT}
    found |= {folder.name: folder for folder in sorted(SHIPPED.iterdir()) if folder.is_dir()}
    for folder in sorted((settings.home / "recipes").glob("*")):
        if (folder / "training.py").is_file():
            found.setdefault(folder.name, folder)
    for path in sorted(settings.notebooks.glob("*.ipynb")):
        if _is_recipe(path):
            found.setdefault(path.stem, path)
    return found


def _is_recipe(notebook: Path) -> bool:
    try:
        recipes.read(notebook)
    except BadInput:
        return False
    return True


def read_upload(files: Mapping[str, bytes], settings: Settings) -> Recipe:
    """The recipe in what somebody uploaded: a notebook or the three files, with what lies beside them, or a zip of either.

    Raises
    ------
    BadInput
        It is none of these, too large, lacks a field, or holds a name that does not travel.
    """
    if (size := sum(map(len, files.values()))) > MAX_UPLOAD:
        raise TooLarge(f"a recipe has at most {MAX_UPLOAD:,} bytes. Received: {size:,}")
    if len(files) == 1:
        ((name, content),) = files.items()
        if name.lower().endswith(".zip"):
            files = _unpack(name, content)
    found = _below_its_folder(files)
    for name, content in found.items():
        if len(content) > MAX_CODE and (name in CODE or name.lower().endswith(".ipynb")):
            raise TooLarge(
                f"{name} is larger than code is at most, {MAX_CODE:,} bytes. Received: {len(content):,}"
            )
    notebooks = [name for name in found if name.lower().endswith(".ipynb") and "/" not in name]
    if "training.py" not in found and len(notebooks) == 1:
        recipe = recipes.read_notebook(found[notebooks[0]], notebooks[0])
        others = {name: found[name] for name in found if name not in (*CODE, notebooks[0])}
        return replace(recipe, files=beside.keep(others, settings.recipe_files))
    if missing := [f"{field}.py" for field in recipes.REQUIRED if f"{field}.py" not in found]:
        raise BadInput(
            f"a recipe is a notebook, a zip, or the files {', '.join(f'{f}.py' for f in FIELDS)}; "
            f"{' and '.join(missing)} is missing. Received: {', '.join(sorted(files)[:20]) or 'nothing'}"
        )
    others = {name: content for name, content in found.items() if name not in CODE}
    return recipes.from_files(found, "the upload", beside.keep(others, settings.recipe_files))


def import_notebook(source: str | Path | bytes, name: str = "") -> Proposal:
    """Make a recipe of a notebook that trains with ``model.fit``, in whose cells nobody has set tags.

    Parameters
    ----------
    source
        A path, or what is in the notebook; then ``name`` is what an error calls it.

    Raises
    ------
    NotFound, BadInput
        It is not there, is no notebook, or trains nothing at its top level.
    """
    if isinstance(source, bytes):
        return importing.propose(source, name)
    path = Path(source)
    if not path.is_file():
        raise NotFound(f"there is no notebook at {path}")
    return importing.propose(path.read_bytes(), str(path))


def write(recipe: Recipe, folder: Path) -> list[Path]:
    """Write a recipe into a new folder; its files.

    Raises
    ------
    Conflict, BadInput
        There is something at the folder, or no folder to hold it.
    """
    if folder.exists() and any(folder.iterdir() if folder.is_dir() else [folder]):
        raise Conflict(f"there is something at {folder}; name a new folder")
    if not folder.parent.is_dir():
        raise BadInput(f"there is no folder {folder.parent}; make it first")
    recipe.write(folder)
    return sorted(path for path in folder.rglob("*") if path.is_file())


def is_tagged(content: bytes) -> bool:
    """Whether any cell of a notebook has the tag of a recipe's field."""
    try:
        cells = json.loads(content)["cells"]
        return any(set(FIELDS) & set(cell["metadata"].get("tags", [])) for cell in cells)
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return True  # no notebook that could be imported: told by who reads it


def is_code(files: Mapping[str, bytes]) -> bool:
    """Whether an upload is a recipe of its own, rather than files to go beside one.

    >>> [is_code({name: b""}) for name in ("n.ipynb", "training.py", "mine.zip", "rows.csv", "requirements.txt")]
    [True, True, True, False, False]
    """
    return any(name.lower().endswith((".ipynb", ".zip")) or name in CODE[: len(FIELDS)] for name in files)


def with_files(recipe: Recipe, files: Mapping[str, bytes], settings: Settings) -> Recipe:
    """The recipe with more files beside it, or another ``requirements.txt``; what has the same name is replaced.

    Raises
    ------
    BadInput
        A name that does not travel, or more than is taken.
    """
    there = {one.path: one for one in recipe.files}
    others = {name: content for name, content in files.items() if name != REQUIREMENTS}
    added = {one.path: one for one in beside.keep(others, settings.recipe_files)}
    if REQUIREMENTS in files:
        recipe = replace(recipe, requirements=encoding.decode(files[REQUIREMENTS], REQUIREMENTS))
    found = tuple(sorted((there | added).values(), key=lambda one: one.path))
    beside.check(found)
    return replace(recipe, files=found)


def kept(recipe: Recipe, settings: Settings) -> Recipe:
    """The recipe, whose files are kept in the home from now on.

    Raises
    ------
    BadInput, NotFound
        One of them has changed or gone since it was read.
    """
    return (
        replace(recipe, files=beside.keep_all(recipe.files, settings.recipe_files))
        if recipe.files
        else recipe
    )


def located(recipe: Recipe, settings: Settings) -> Recipe:
    """The recipe of a job's row or a draft, with the places where the home keeps its files."""
    return replace(recipe, files=beside.parse(beside.pack(recipe.files), settings.recipe_files))


def _below_its_folder(files: Mapping[str, bytes]) -> dict[str, bytes]:
    """The files as they are called from the folder that holds the recipe."""
    names = [name for name in files if not beside.is_left_out(name)]
    code = [n for n in names if PurePosixPath(n).name == "training.py"] or [
        n for n in names if n.lower().endswith(".ipynb")
    ]
    if not code:
        return {name: files[name] for name in names}
    top = min((PurePosixPath(name).parent for name in code), key=lambda path: len(path.parts))
    prefix = "" if str(top) == "." else f"{top}/"
    return {name.removeprefix(prefix): files[name] for name in names if name.startswith(prefix)}


def _unpack(name: str, content: bytes) -> dict[str, bytes]:
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            wanted = [i for i in archive.infolist() if not i.is_dir() and not beside.is_left_out(i.filename)]
            if len(wanted) > beside.MAX_FILES + len(CODE):
                raise TooLarge(f"{name} holds {len(wanted):,} files, more than {beside.MAX_FILES:,}")
            if sum(info.file_size for info in wanted) > MAX_UPLOAD:
                raise TooLarge(f"the files in {name} are larger than {MAX_UPLOAD:,} bytes")
            for info in wanted:
                beside.check_path(info.filename)
            return {info.filename: archive.read(info) for info in wanted}
    except (*artifact.UNREADABLE, OSError) as error:
        raise BadInput(f"{name} is not a zip that can be read: {error}") from error
