"""A recipe: its code and what lies beside it, read byte for byte from a notebook or a folder, and written again."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from workbench.errors import BadInput, NotFound
from workbench.recipes import beside, encoding
from workbench.recipes.beside import RecipeFile
from workbench.settings import PROJECT

FIELDS = ("helpers", "preprocessing", "training")
"""In the order in which they run."""
REQUIRED = {"preprocessing": "load_data", "training": "build_model"}
REQUIREMENTS = "requirements.txt"
_NEEDS = "requirements"
"""Tag of a notebook's cells, of whatever kind, that hold lines of it, or of ``%pip install``."""
CODE = (*(f"{field}.py" for field in FIELDS), REQUIREMENTS)
"""Names of the files that are a recipe's code; what else lies in its folder is beside it."""
DEFAULT = PROJECT / "notebooks" / "00-mnist-cnn.ipynb"


@dataclass(frozen=True)
class Recipe:
    """The source code of one training, and what goes with it.

    Attributes
    ----------
    requirements
        Packages that it needs besides ours, a line each, as in ``requirements.txt``.
    files
        Other files and modules, which travel beside the three.
    """

    helpers: str
    preprocessing: str
    training: str
    requirements: str = ""
    files: tuple[RecipeFile, ...] = ()

    @property
    def sha256(self) -> str:
        """Names this recipe: equal recipes have equal hashes."""
        told: list[object] = [self.helpers, self.preprocessing, self.training]
        if self.requirements or self.files:  # without either it is the name that it had before there was any
            told += [self.requirements, beside.pack(self.files)]
        return hashlib.sha256(json.dumps(told).encode()).hexdigest()

    @property
    def modules(self) -> tuple[str, ...]:
        """Modules of its own: the three, and those beside them."""
        return (*FIELDS, *beside.modules_of(self.files))

    def write(self, folder: Path, kept: Path | None = None) -> None:
        """Write the files, byte for byte; those that are there already are left alone.

        Parameters
        ----------
        kept
            Where the files beside the code are kept, for a recipe that comes from a job's row.

        Raises
        ------
        NotFound
            One of them is not here any more.
        """
        folder.mkdir(parents=True, exist_ok=True)
        for field in FIELDS:
            _put(folder / f"{field}.py", encoding.encode(getattr(self, field), f"{field}.py"))
        if self.requirements:
            _put(folder / REQUIREMENTS, self.requirements.encode())
        beside.write(self.files, folder, kept)


def _put(path: Path, content: bytes) -> None:
    if not path.is_file() or path.read_bytes() != content:  # another machine may be reading it
        path.write_bytes(content)


def read(path: str | Path) -> Recipe:
    """The recipe in a notebook or a folder.

    Raises
    ------
    NotFound
        There is nothing at the path.
    BadInput
        It is neither a notebook nor a folder, or a field is missing.
    """
    path = Path(path)
    if path.is_dir():
        return replace(read_code(path), files=beside.find(path, CODE))
    if path.is_file():
        return read_notebook(path.read_bytes(), str(path))
    raise NotFound(f"there is no recipe at {path}; give a notebook or a folder")


def read_code(folder: Path) -> Recipe:
    """The recipe in a folder without the files beside it; as :func:`read`."""
    found = {name: (folder / name).read_bytes() for name in CODE if (folder / name).is_file()}
    return from_files(found, str(folder))


def from_files(found: Mapping[str, bytes], name: str, files: tuple[RecipeFile, ...] = ()) -> Recipe:
    """The recipe in the bytes of its code's files, by name; ``name`` is what an error calls it.

    Raises
    ------
    BadInput
        A field is missing, or a file is no text.
    """
    requirements = encoding.decode(found[REQUIREMENTS], REQUIREMENTS) if REQUIREMENTS in found else ""
    return _from_sources(read_sources(found), name, requirements, files)


def read_sources(files: Mapping[str, bytes]) -> dict[str, str]:
    """The text of those of a recipe's files that are there, by field; raises ``BadInput`` for one that is no text."""
    return {f: encoding.decode(files[f"{f}.py"], f"{f}.py") for f in FIELDS if f"{f}.py" in files}


def read_notebook(content: bytes, name: str) -> Recipe:
    """The recipe in the bytes of a notebook; ``name`` is what an error calls it.

    Raises
    ------
    BadInput
        It is no notebook, or a field is missing.
    """
    try:
        notebook = json.loads(content)
        if notebook.get("nbformat", 4) < 4 or "worksheets" in notebook:
            raise BadInput(
                f"{name} is a notebook of format {notebook.get('nbformat', 3)}, from before 2015; bring it to format "
                "4: open and save it in JupyterLab, or jupyter nbconvert --to notebook --inplace FILE"
            )
        cells = notebook["cells"]
        needed = [_text(cell) for cell in cells if _NEEDS in cell.get("metadata", {}).get("tags", [])]
        code = [cell for cell in cells if cell["cell_type"] == "code"]
        found: dict[str, list[str]] = {field: [] for field in FIELDS}
        for cell in code:
            for tag in dict.fromkeys(cell.get("metadata", {}).get("tags", [])):
                if tag in found:
                    found[tag].append(_text(cell))
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise BadInput(
            f"{name} is not a notebook that can be read: {type(error).__name__}: {error}"
        ) from error
    sources = {field: "\n\n".join(texts) for field, texts in found.items() if texts}
    return _from_sources(sources, name, "\n".join(needed))


def _text(cell: Mapping[str, Any]) -> str:
    return "".join(cell["source"])


def _from_sources(
    sources: dict[str, str], name: str, requirements: str = "", files: tuple[RecipeFile, ...] = ()
) -> Recipe:
    if missing := [field for field in REQUIRED if field not in sources]:
        raise BadInput(
            f"{name} has no {' and no '.join(missing)}: a notebook needs a cell with that tag, "
            f"a folder a file {missing[0]}.py"
        )
    return Recipe(**{"helpers": "", **sources}, requirements=requirements, files=files)
