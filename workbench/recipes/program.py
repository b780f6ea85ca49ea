"""The program that a recipe's code defines: run from real files, or taken from a notebook's variables."""

import contextlib
import dataclasses
import importlib
import importlib.util
import math
import sys
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

from workbench.errors import RecipeError
from workbench.recipes.blame import explain
from workbench.recipes.checking import check
from workbench.recipes.source import FIELDS, REQUIRED, Recipe

Namespace = dict[str, Any]
"""The global variables of a recipe's code."""


@dataclass(frozen=True)
class Program:
    """The functions and settings that a recipe's code defines, ready to be called.

    Attributes
    ----------
    augment
        Optional: float32 ``(batch, …)`` → the same shape; applied to batches of the training part only.
    patience
        Optional: end after so many epochs without a lower validation loss, and take the best epoch's weights.
    class_weight
        Optional: what each example of a class weighs in the loss, by its number; 1 where none is told. Of several
        outputs by the output's name.
    callbacks
        Keras' own, as the recipe made them; what they ask for is done by the training loop.
    labels
        One text a class, or empty; of several outputs, those of the one that the model is judged by.
    output_labels
        Optional: the texts of each of several outputs, by its name, instead of ``labels``.
    output
        Optional: the name of the output that the model is judged by, where it has several.
    namespaces
        The global variables of the code, where ``EPOCHS`` lives.
    """

    load_data: Callable[[], tuple[Any, Any]]
    build_model: Callable[[], Any]
    augment: Callable[[Any], Any] | None
    epochs: int
    batch_size: int
    patience: int | None
    class_weight: Mapping[int, float] | Mapping[str, Mapping[int, float]] | None
    callbacks: tuple[Any, ...]
    labels: tuple[str, ...]
    output: str
    input_: Mapping[str, Any] | None
    namespaces: tuple[Namespace, ...]
    output_labels: Mapping[str, tuple[str, ...]] = dataclasses.field(default_factory=dict)

    def set_epochs(self, epochs: int) -> "Program":
        """The same program for another number of epochs; schedules in ``build_model`` follow it through ``EPOCHS``."""
        for namespace in self.namespaces:
            namespace["EPOCHS"] = epochs
        return from_namespace(*self.namespaces)


def load(recipe: Recipe, folder: Path) -> Program:
    """Write the recipe into the folder and run its three files; give what they define.

    The files are real, so that tracebacks show the user's lines and AutoGraph finds the source. Modules beside them
    can be imported, until another recipe is loaded.

    Raises
    ------
    RecipeError
        The code cannot be parsed, lacks a name or raises while it is imported.
    """
    check(recipe)
    recipe.write(folder)
    _make_importable(folder, recipe.modules)
    shared: Namespace = {}
    modules = []
    for field in FIELDS:
        modules.append(_run(field, folder / f"{field}.py", shared))
        shared.update({k: v for k, v in vars(modules[-1]).items() if not k.startswith("__")})
    return from_namespace(*(vars(module) for module in modules))


class _RecipeFolder(str):
    """An entry of ``sys.path`` that is a recipe's."""

    __slots__ = ()


def _make_importable(folder: Path, modules: Collection[str]) -> None:
    """Have ``import`` find the recipe's own modules, and none of a recipe that this process had before."""
    before = [Path(entry) for entry in sys.path if isinstance(entry, _RecipeFolder)]
    sys.path[:] = [entry for entry in sys.path if not isinstance(entry, _RecipeFolder)]
    sys.path.insert(0, _RecipeFolder(folder))
    for name, module in list(sys.modules.items()):
        file = getattr(module, "__file__", None)
        if name.partition(".")[0] in modules or (file and set(before) & set(Path(file).parents)):
            del sys.modules[name]
    importlib.invalidate_caches()


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


def from_namespace(*namespaces: Namespace) -> Program:
    """Make the program that the code in these namespaces defines; a later one wins. A notebook gives its ``globals()``.

    Raises
    ------
    RecipeError
        A required function is missing, or a setting is not what it should be.
    """
    names: Namespace = {}
    for namespace in namespaces:
        names.update(namespace)
    for field, name in REQUIRED.items():
        if not callable(names.get(name)):
            raise RecipeError(f"{field} must define {name}()", field=field)
    augment = names.get("augment")
    if augment is not None and not callable(augment):
        raise RecipeError(f"augment must be a function. Received: {augment!r}", field="training")
    labels = _labels(names.get("LABELS", ()))
    callbacks = names.get("CALLBACKS", ())
    return Program(
        load_data=names["load_data"],
        build_model=names["build_model"],
        augment=augment,
        epochs=_positive(names, "EPOCHS", 3),
        batch_size=_positive(names, "BATCH_SIZE", 128),
        patience=None if names.get("PATIENCE") is None else _positive(names, "PATIENCE", 1),
        class_weight=_class_weights(names.get("CLASS_WEIGHT")),
        callbacks=tuple(callbacks) if isinstance(callbacks, list | tuple) else (callbacks,),
        labels=() if isinstance(labels, Mapping) else labels,
        output_labels=labels if isinstance(labels, Mapping) else {},
        output=str(names["OUTPUT"])
        if isinstance(names.get("OUTPUT"), str)
        else "",  # a number is the recipe's own
        input_=names.get("INPUT"),
        namespaces=namespaces,
    )


def _labels(given: Any) -> tuple[str, ...] | Mapping[str, tuple[str, ...]]:
    several = given if isinstance(given, Mapping) else {"": given}
    for labels in several.values():
        if isinstance(labels, str) or not all(isinstance(label, (str, int)) for label in labels):
            raise RecipeError(
                f"LABELS must be a list of texts, or one by the name of each output. Received: {str(given)[:80]}",
                field="training",
            )
    found = {str(name): tuple(map(str, labels)) for name, labels in several.items()}
    return found if isinstance(given, Mapping) else found[""]


def _class_weights(given: Any) -> Mapping[int, float] | Mapping[str, Mapping[int, float]] | None:
    if given is None:
        return None
    if isinstance(given, Mapping) and given and all(isinstance(one, Mapping) for one in given.values()):
        return {str(name): _class_weight(one) for name, one in given.items()}
    return _class_weight(given)


def _class_weight(given: Any) -> Mapping[int, float]:
    found: dict[int, float] = {}
    if isinstance(given, Mapping):
        for key, value in given.items():
            with contextlib.suppress(TypeError, ValueError):
                if int(key) == key and 0 <= key < 2**31 and 0 <= float(value) < math.inf:
                    found[int(key)] = float(value)
    if not found or len(found) != len(given) or not any(found.values()):
        raise RecipeError(
            "CLASS_WEIGHT must give the numbers of classes and what each weighs, such as {0: 1.0, 1: 5.0}. "
            f"Received: {str(given)[:80]}",
            field="training",
        )
    return found


def _positive(names: Mapping[str, Any], name: str, default: int) -> int:
    value = names.get(name, default)
    if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value < 2**31:
        raise RecipeError(
            f"{name} must be a whole number from 1, below {2**31:,}. Received: {str(value)[:80]}",
            field="training",
        )
    return value
