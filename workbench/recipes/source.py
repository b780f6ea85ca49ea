"""The source code of a recipe: read byte for byte from a notebook or a folder, and written again."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from workbench.errors import BadInput, NotFound
from workbench.recipes import encoding
from workbench.settings import PROJECT

FIELDS = ("helpers", "preprocessing", "training")
"""In the order in which they run."""
REQUIRED = {"preprocessing": "load_data", "training": "build_model"}
DEFAULT = PROJECT / "notebooks" / "00-mnist-cnn.ipynb"


@dataclass(frozen=True)
class Recipe:
    """The source code of one training."""

    helpers: str
    preprocessing: str
    training: str

    @property
    def sha256(self) -> str:
        """Names this code: equal recipes have equal hashes."""
        return hashlib.sha256(
            json.dumps([self.helpers, self.preprocessing, self.training]).encode()
        ).hexdigest()

    def write(self, folder: Path) -> None:
        """Write the three files; their bytes are the fields' bytes."""
        folder.mkdir(parents=True, exist_ok=True)
        for field in FIELDS:
            (folder / f"{field}.py").write_bytes(encoding.encode(getattr(self, field), f"{field}.py"))


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
        sources = read_sources({f.name: f.read_bytes() for f in path.glob("*.py") if f.stem in FIELDS})
    elif path.is_file():
        return read_notebook(path.read_bytes(), str(path))
    else:
        raise NotFound(f"there is no recipe at {path}; give a notebook or a folder")
    return _from_sources(sources, str(path))


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
        code = [cell for cell in cells if cell["cell_type"] == "code"]
        found: dict[str, list[str]] = {field: [] for field in FIELDS}
        for cell in code:
            for tag in dict.fromkeys(cell.get("metadata", {}).get("tags", [])):
                if tag in found:
                    found[tag].append("".join(cell["source"]))
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise BadInput(
            f"{name} is not a notebook that can be read: {type(error).__name__}: {error}"
        ) from error
    return _from_sources({field: "\n\n".join(texts) for field, texts in found.items() if texts}, name)


def _from_sources(sources: dict[str, str], name: str) -> Recipe:
    if missing := [field for field in REQUIRED if field not in sources]:
        raise BadInput(
            f"{name} has no {' and no '.join(missing)}: a notebook needs a cell with that tag, "
            f"a folder a file {missing[0]}.py"
        )
    return Recipe(**{"helpers": "", **sources})
