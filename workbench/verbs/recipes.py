"""Recipes wherever they come from: a path, the name of a shipped one, a notebook, an upload."""

import io
import zipfile
from collections.abc import Mapping
from pathlib import Path, PurePosixPath

from workbench import artifact, recipes
from workbench.errors import BadInput, NotFound
from workbench.recipes import FIELDS, Recipe
from workbench.settings import PROJECT, Settings

SHIPPED = PROJECT / "recipes"
MAX_UPLOAD = 8 * 1024**2
"""Bytes of a notebook or a zip that holds a recipe."""


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
    recipes.check_travel(recipe, path if path.is_dir() else path.parent)
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


def read_upload(files: Mapping[str, bytes]) -> Recipe:
    """The recipe in what somebody uploaded: a notebook, a zip with the three files, or the files themselves.

    Raises
    ------
    BadInput
        It is none of these, too large, or lacks a field.
    """
    if (size := sum(map(len, files.values()))) > MAX_UPLOAD:
        raise BadInput(f"a recipe has at most {MAX_UPLOAD:,} bytes. Received: {size:,}")
    if len(files) == 1:
        ((name, content),) = files.items()
        if name.lower().endswith(".zip"):
            files = _unpack(name, content)
        elif name.lower().endswith(".ipynb"):
            return recipes.read_notebook(content, name)
    sources = recipes.read_sources({PurePosixPath(name).name: content for name, content in files.items()})
    if missing := [f"{field}.py" for field in recipes.REQUIRED if field not in sources]:
        raise BadInput(
            f"a recipe is a notebook, a zip, or the files {', '.join(f'{f}.py' for f in FIELDS)}; "
            f"{' and '.join(missing)} is missing. Received: {', '.join(sorted(files)) or 'nothing'}"
        )
    return Recipe(**{"helpers": "", **sources})


def _unpack(name: str, content: bytes) -> dict[str, bytes]:
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            wanted = [i for i in archive.infolist() if PurePosixPath(i.filename).stem in FIELDS]
            if sum(info.file_size for info in wanted) > MAX_UPLOAD:
                raise BadInput(f"the files in {name} are larger than {MAX_UPLOAD:,} bytes")
            return {info.filename: archive.read(info) for info in wanted}
    except (*artifact.UNREADABLE, OSError) as error:
        raise BadInput(f"{name} is not a zip that can be read: {error}") from error
