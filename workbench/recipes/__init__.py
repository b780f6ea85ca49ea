"""Recipes: the user's three pieces of code, read byte for byte, and the program that they make.

A recipe comes from a notebook, whose cells are tagged ``helpers``, ``preprocessing`` and ``training``, or from a
folder with ``helpers.py``, ``preprocessing.py`` and ``training.py``. In a notebook all cells share one namespace;
so that the same code runs on a machine, ``preprocessing`` finds there what ``helpers`` defines, and ``training``
what both define. ``import helpers`` works as well.
"""

import ast
import hashlib
import importlib.util
import json
import re
import sys
import traceback
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

from workbench.errors import BadInput, NotFound, RecipeError
from workbench.settings import PROJECT

FIELDS = ("helpers", "preprocessing", "training")
"""In the order in which they run."""
REQUIRED = {"preprocessing": "load_data", "training": "build_model"}
MAX_REASON = 600
"""Characters of what TensorFlow says; it may list a whole batch."""
_TOLD_FRAME = re.compile(r'File "([^"]+)", line (\d+), in (\w+)')
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
            (folder / f"{field}.py").write_bytes(getattr(self, field).encode())


@dataclass(frozen=True)
class Program:
    """What a recipe's code defines, ready to be called.

    Attributes
    ----------
    augment
        Optional: float32 ``(batch, …)`` → the same shape; applied to batches of the training part only.
    patience
        Optional: end after so many epochs without a lower validation loss, and take the best epoch's weights.
    labels
        One text a class, or empty.
    namespaces
        The global variables of the code, where ``EPOCHS`` lives.
    """

    load_data: Callable[[], tuple[Any, Any]]
    build_model: Callable[[], Any]
    augment: Callable[[Any], Any] | None
    epochs: int
    batch_size: int
    patience: int | None
    labels: tuple[str, ...]
    input_: Mapping[str, Any] | None
    namespaces: tuple[dict[str, Any], ...]

    def set_epochs(self, epochs: int) -> "Program":
        """The same program for another number of epochs; schedules in ``build_model`` follow it through ``EPOCHS``."""
        for namespace in self.namespaces:
            namespace["EPOCHS"] = epochs
        return from_namespace(*self.namespaces)


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
        sources = {
            f: (path / f"{f}.py").read_bytes().decode() for f in FIELDS if (path / f"{f}.py").is_file()
        }
    elif path.is_file():
        return read_notebook(path.read_bytes(), str(path))
    else:
        raise NotFound(f"there is no recipe at {path}; give a notebook or a folder")
    return _from_sources(sources, str(path))


def read_notebook(content: bytes, name: str) -> Recipe:
    """The recipe in the bytes of a notebook; ``name`` is what an error calls it.

    Raises
    ------
    BadInput
        It is no notebook, or a field is missing.
    """
    try:
        cells = json.loads(content)["cells"]
        code = [cell for cell in cells if cell["cell_type"] == "code"]
        found: dict[str, list[str]] = {field: [] for field in FIELDS}
        for cell in code:
            for tag in cell.get("metadata", {}).get("tags", []):
                if tag in found:
                    found[tag].append("".join(cell["source"]))
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise BadInput(f"{name} is not a notebook that can be read: {error}") from error
    return _from_sources({field: "\n\n".join(texts) for field, texts in found.items() if texts}, name)


def _from_sources(sources: dict[str, str], name: str) -> Recipe:
    if missing := [field for field in REQUIRED if field not in sources]:
        raise BadInput(
            f"{name} has no {' and no '.join(missing)}: a notebook needs a cell with that tag, "
            f"a folder a file {missing[0]}.py"
        )
    return Recipe(**{"helpers": "", **sources})


def check(recipe: Recipe) -> None:
    """Check what can be seen without running: syntax and the names that must be there.

    Raises
    ------
    RecipeError
        With the field and line.
    """
    for field in FIELDS:
        source = getattr(recipe, field)
        try:
            tree = ast.parse(source, f"{field}.py")
        except (SyntaxError, ValueError) as error:
            line = getattr(error, "lineno", None)
            raise RecipeError(
                f"{field}, line {line}: {getattr(error, 'msg', error)}",
                field=field,
                line=line,
                traceback="".join(traceback.format_exception_only(error)),
            ) from error
        if (name := REQUIRED.get(field)) and name not in _names(tree):
            raise RecipeError(f"{field} must define {name}()", field=field)


def _names(tree: ast.Module) -> set[str]:
    names = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef):
            names.add(node.name)
        elif isinstance(node, ast.alias):
            names.add((node.asname or node.name).split(".")[0])
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            names.add(node.id)
    return names


def load(recipe: Recipe, folder: Path) -> Program:
    """Write the recipe into the folder and run its three files; give what they define.

    The files are real, so that tracebacks show the user's lines and AutoGraph finds the source.

    Raises
    ------
    RecipeError
        The code cannot be parsed, lacks a name or raises while it is imported.
    """
    check(recipe)
    recipe.write(folder)
    shared: dict[str, Any] = {}
    modules = []
    for field in FIELDS:
        modules.append(_run(field, folder / f"{field}.py", shared))
        shared.update({k: v for k, v in vars(modules[-1]).items() if not k.startswith("__")})
    return from_namespace(*(vars(module) for module in modules))


def _run(field: str, path: Path, shared: Mapping[str, Any]) -> ModuleType:
    spec = importlib.util.spec_from_file_location(field, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    vars(module).update(shared)
    sys.modules[field] = module
    try:
        spec.loader.exec_module(module)
    except (Exception, SystemExit) as error:
        raise explain(error, path.parent) from error
    return module


def explain(error: BaseException, folder: Path) -> RecipeError:
    """The recipe's own part of an error: the field, the line and a traceback without our frames."""
    text = str(error)
    # For an operation of a graph, TensorFlow says in its message where it was written.
    told = [
        traceback.FrameSummary(f, int(n), name) for f, n, name in dict.fromkeys(_TOLD_FRAME.findall(text))
    ]
    for stack in (traceback.extract_tb(error.__traceback__), told):
        frames = [frame for frame in stack if Path(frame.filename).parent == folder]
        if frames:
            break
    reason = _reason(text)
    what = f"{type(error).__name__}: {reason}" if reason else type(error).__name__
    if not frames:
        return RecipeError(what, traceback="".join(traceback.format_exception_only(error)))
    field, line = Path(frames[-1].filename).stem, frames[-1].lineno
    lines = [*traceback.format_list(frames), f"{what}\n"]
    return RecipeError(f"{field}, line {line}: {what}", field=field, line=line, traceback="".join(lines))


def _reason(text: str) -> str:
    """What an error says; of TensorFlow's messages with stacks in them, the part after the stacks."""
    if not text.startswith(("in user code:", "Graph execution error:")):
        return text
    text = text.split("\nAdditional GRPC error information")[0]
    last = [part for part in text.split("\n\n") if part.strip()][-1]
    lines = [line.strip() for line in last.splitlines() if not line.lstrip().startswith("[[")]
    reason = re.sub(r"^[A-Z]\w*(Error|Exception): ", "", "\n".join(lines))
    return reason if len(reason) <= MAX_REASON else reason[:MAX_REASON] + " …"


def from_namespace(*namespaces: dict[str, Any]) -> Program:
    """The program that the code in these namespaces defines; a later one wins. A notebook gives its ``globals()``.

    Raises
    ------
    RecipeError
        A required function is missing, or a setting is not what it should be.
    """
    names: dict[str, Any] = {}
    for namespace in namespaces:
        names.update(namespace)
    for field, name in REQUIRED.items():
        if not callable(names.get(name)):
            raise RecipeError(f"{field} must define {name}()", field=field)
    augment = names.get("augment")
    if augment is not None and not callable(augment):
        raise RecipeError(f"augment must be a function. Received: {augment!r}", field="training")
    labels = names.get("LABELS", ())
    if isinstance(labels, str) or not all(isinstance(label, (str, int)) for label in labels):
        raise RecipeError(f"LABELS must be a list of texts. Received: {labels!r}", field="training")
    return Program(
        load_data=names["load_data"],
        build_model=names["build_model"],
        augment=augment,
        epochs=_positive(names, "EPOCHS", 3),
        batch_size=_positive(names, "BATCH_SIZE", 128),
        patience=None if names.get("PATIENCE") is None else _positive(names, "PATIENCE", 1),
        labels=tuple(str(label) for label in labels),
        input_=names.get("INPUT"),
        namespaces=namespaces,
    )


def _positive(names: Mapping[str, Any], name: str, default: int) -> int:
    value = names.get(name, default)
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        raise RecipeError(f"{name} must be a whole number from 1. Received: {value!r}", field="training")
    return value
