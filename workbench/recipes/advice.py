"""Words for what recipes bring along from notebooks and projects that a machine has not: each named, with the way out."""

import ast
import re
import sys
from collections.abc import Iterator
from functools import cache
from importlib import metadata
from pathlib import Path

from workbench import packages
from workbench.errors import RecipeError

STRATEGIES = {
    "CentralStorageStrategy",
    "MirroredStrategy",
    "MultiWorkerMirroredStrategy",
    "OneDeviceStrategy",
    "ParameterServerStrategy",
    "ParameterServerStrategyV1",
    "TPUStrategy",
    "TPUStrategyV1",
    "CollectiveAllReduceStrategy",
}
"""Of ``tf.distribute`` and its ``experimental``."""
TRAVEL = "of a notebook only the tagged cells go to the machines, of a folder all its files"
_IPYTHON = (
    (re.compile(r"\s*%%"), "a cell magic"),
    (re.compile(r"\s*+(?:[\w., ]+=\s*)?%\w"), "a magic"),
    (re.compile(r"\s*+(?:[\w., ]+=\s*)?!"), "a shell command"),
    (re.compile(r"\s*\?{1,2}[\w.]+|\s*[\w.]+\?{1,2}\s*(?:#.*)?$"), "a question for help"),
)
_STRAY = {"docs", "examples", "test", "tests", "tools"}
"""Folders that some packages install beside their module."""
ALWAYS = {"keras", "numpy", "tensorflow"}
"""Modules that no machine is without."""


def explain_syntax(line: str) -> str | None:
    """What a line is that is IPython's and not Python's, with the way out; ``None`` for any other.

    >>> explain_syntax("%matplotlib inline").split(";")[0]
    '%matplotlib inline is a magic of IPython, no Python'
    >>> explain_syntax("x = a % b")
    """
    for pattern, kind in _IPYTHON:
        if pattern.match(line):
            shown = line.strip()[:60]
            out = (
                "packages are named in requirements.txt, or in a cell with the tag requirements"
                if " install" in line and kind != "a magic"
                else "only a notebook runs it"
            )
            return (
                f"{shown} is {kind} of IPython, no Python; {out}: move it into a cell without the tags "
                "helpers, preprocessing, training"
            )
    return None


def check_strategies(tree: ast.Module, field: str) -> None:
    """Refuse a ``tf.distribute`` strategy of the recipe's own.

    Raises
    ------
    RecipeError
    """
    for node in ast.walk(tree):
        if not isinstance(node, ast.Call):
            continue
        name = getattr(node.func, "attr", None) or getattr(node.func, "id", None)
        if name in STRATEGIES:
            raise RecipeError(
                f"{field}, line {node.lineno}: {name}() is made by the recipe itself; the workbench places the model "
                "on its machines, by --workers and --ps: leave the strategy and its scope() out, and build the "
                "model plainly",
                field=field,
                line=node.lineno,
            )


def check_beside(trees: dict[str, ast.Module], folder: Path, own: tuple[str, ...]) -> None:
    """Refuse a notebook's code that needs a module or a file which lies beside it and does not travel.

    Parameters
    ----------
    trees
        By field.
    own
        Modules that do travel.

    Raises
    ------
    RecipeError
    """
    for field, tree in trees.items():
        for module, line in _imports(tree):
            there = folder / f"{module}.py", folder / module
            if module not in own and (there[0].is_file() or (there[1] / "__init__.py").is_file()):
                found = there[0].name if there[0].is_file() else f"the folder {module}"
                raise RecipeError(
                    f"{field}, line {line}: {module} is {found} beside the notebook, which does not travel: {TRAVEL}; "
                    "put its code into a cell tagged helpers, or make a folder of preprocessing.py, training.py and it",
                    field=field,
                    line=line,
                )
        for text, line in _texts(tree):
            if _lies_beside(text, folder):
                raise RecipeError(
                    f"{field}, line {line}: {text} lies beside the notebook and does not travel: {TRAVEL}; make a "
                    "folder of preprocessing.py, training.py and it, or a data set: workbench data add NAME FILE",
                    field=field,
                    line=line,
                )


def explain_error(error: BaseException) -> str | None:
    """The way out for what a recipe meets on a machine; ``None`` where there is nothing to add.

    >>> explain_error(ModuleNotFoundError("No module named 'yaml'", name="yaml"))[:46]
    'add the line pyyaml to the requirements, or pu'
    """
    if isinstance(error, ModuleNotFoundError) and error.name:
        add = f"add the line {packages.suggestion(error.name)} to the requirements, or put the module beside the recipe"
        return f"{add}; there are: {', '.join(modules())}"
    if isinstance(error, FileNotFoundError) or type(error).__name__ == "NotFoundError":  # TensorFlow's
        return TRAVEL
    if isinstance(error, NameError) and error.name == "get_ipython":
        return "only a notebook has it: move the line into a cell without the tags helpers, preprocessing, training"
    if "strategy.scope()" in str(error) or "within the scope of a different strategy" in str(error):
        return "the workbench places the model on its machines: leave strategies of tf.distribute out of the recipe"
    return None


@cache
def modules() -> tuple[str, ...]:
    """Modules besides Python's own that a recipe can import: those of the extra ``train``."""
    try:
        required = metadata.requires("workbench") or []
    except metadata.PackageNotFoundError:
        required = []
    train = [line for line in required if re.search(r"extra == ['\"]train['\"]", line)]
    names = {re.split(r"[^A-Za-z0-9_.-]", line, maxsplit=1)[0].lower() for line in train}
    found = {
        module
        for module, distributions in metadata.packages_distributions().items()
        if not module.startswith("_") and names & {d.lower() for d in distributions}
    }
    return tuple(sorted((found - _STRAY) | ALWAYS))


def is_pythons(module: str) -> bool:
    """Whether a module comes with Python itself."""
    return module in sys.stdlib_module_names


def _imports(tree: ast.Module) -> Iterator[tuple[str, int]]:
    """Modules that are imported for sure, each with its line: what a ``try`` holds may fail on purpose."""
    tried = {id(inner) for node in ast.walk(tree) if isinstance(node, ast.Try) for inner in ast.walk(node)}
    for node in ast.walk(tree):
        if id(node) in tried:
            continue
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            names = (
                [node.module or alias.name for alias in node.names][:1]
                if not node.level or node.module
                else [alias.name for alias in node.names]
            )
        else:
            continue
        for name in names:
            module = name.split(".")[0]
            if module not in sys.stdlib_module_names:
                yield module, node.lineno


def _texts(tree: ast.Module) -> Iterator[tuple[str, int]]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node.value, node.lineno


def _lies_beside(text: str, folder: Path) -> bool:
    """Whether a text in the code is the name of a file, with an ending, in the recipe's folder or below it."""
    path = Path(text)
    if not path.suffix or len(text) > 200 or "\n" in text or "\0" in text or path.is_absolute():
        return False
    try:
        return (folder / path).is_file()
    except OSError:
        return False
