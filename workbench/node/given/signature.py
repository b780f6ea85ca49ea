"""Names of what goes into a recipe's model and what comes out, and where each is in what the recipe gives.

A recipe gives arrays, dicts or tuples of them; everything behind the training knows one array, or several by name.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import keras
import tensorflow as tf

from workbench import arrays
from workbench.errors import RecipeError

INPUT, OUTPUT = "input", "output"
"""The names of an only one."""
Keys = tuple[str, ...] | int | None
"""The keys of a dict, the length of a tuple, or ``None`` of a plain tensor."""


@dataclass(frozen=True)
class Signature:
    """What a model takes and gives.

    Attributes
    ----------
    inputs, outputs
        Names, in the order in which the recipe gives the inputs, and the model the outputs.
    takes, gives
        Where each is in the model's own structure.
    first
        The output that the recipe says is the one to judge the model by; empty where it does not say.
    shapes
        Of the model's own inputs, without the batch; empty where it has none.
    """

    inputs: tuple[str, ...] = (INPUT,)
    outputs: tuple[str, ...] = (OUTPUT,)
    takes: Keys = None
    gives: Keys = None
    first: str = ""
    shapes: tuple[tuple[int | None, ...], ...] = ()

    @property
    def one_input(self) -> bool:
        """Whether one array goes in."""
        return len(self.inputs) == 1

    @property
    def one_output(self) -> bool:
        """Whether one array comes out."""
        return len(self.outputs) == 1

    def give(self, named: Any) -> Any:
        """The structure that the model takes, of the one array or of several by name."""
        if self.takes is None:
            return named
        parts = [named] if self.one_input else [named[name] for name in self.inputs]
        return dict(zip(self.takes, parts, strict=True)) if isinstance(self.takes, tuple) else tuple(parts)

    def name(self, outputs: Any) -> Any:
        """The one array that a model gave, or the several by name."""
        if self.gives is None:
            return outputs
        parts = [outputs[key] for key in self.gives] if isinstance(self.gives, tuple) else list(outputs)
        return parts[0] if self.one_output else dict(zip(self.outputs, parts, strict=True))

    def fit(self, x: Any, y: Any) -> tuple[Any, Any]:
        """Examples as ``data.arrays`` gives them, by this model's names."""
        given = arrays.with_sides(arrays.fit(x, self.inputs), self.inputs, self.shapes)
        return given, arrays.fit(y, self.outputs)


PLAIN = Signature()


def read(model: keras.Model, sample: tuple[Any, Any], outputs: Any, first: str = "") -> Signature:
    """The signature of a model that gave ``outputs`` for ``sample``, an ``(x, y)`` batch.

    Raises
    ------
    RecipeError
        The truth is not named as the outputs are, or the outputs lie in one another.
    """
    x, y = sample
    takes, gives = _keys(x), _keys(outputs)
    if isinstance(outputs, Mapping | list | tuple) and not all(map(tf.is_tensor, _parts(outputs))):
        raise RecipeError(
            "the model's outputs must be tensors: one, a dict or a tuple of them, none within another. "
            f"Received: {type(outputs).__name__} of {', '.join(sorted({type(o).__name__ for o in _parts(outputs)}))}",
            field="training",
        )
    named = _names(takes, model.inputs if getattr(model, "inputs", None) else (), INPUT)
    answered = _names(gives, getattr(model, "output_names", None) or (), OUTPUT)
    _check_truth(y, gives, answered)
    if first and first not in (*answered, *(gives if isinstance(gives, tuple) else ())):
        raise RecipeError(
            f"OUTPUT names the output {first!r}; the model has {', '.join(answered)}", field="training"
        )
    if isinstance(gives, tuple) and first in gives:
        first = answered[gives.index(first)]
    return Signature(named, answered, takes, gives, first)


def _keys(structure: Any) -> Keys:
    if isinstance(structure, Mapping):
        return tuple(structure)
    return len(structure) if isinstance(structure, list | tuple) else None


def _parts(structure: Any) -> list[Any]:
    return list(structure.values()) if isinstance(structure, Mapping) else list(structure)


def _names(keys: Keys, own: Sequence[Any], only: str) -> tuple[str, ...]:
    """Names by the keys, else by those that the model's own layers have, else by their places."""
    count = len(keys) if isinstance(keys, tuple) else keys or 1
    if count == 1:
        return (only,)
    if isinstance(keys, tuple):
        return arrays.legal(keys)
    told = [getattr(one, "name", one) for one in own]
    if len(told) == count and len(set(told)) == count and not any("keras_tensor" in name for name in told):
        return arrays.legal(told)
    return tuple(f"{only}_{place}" for place in range(1, count + 1))


def _check_truth(y: Any, gives: Keys, names: tuple[str, ...]) -> None:
    truth = _keys(y)
    told = ", ".join(gives if isinstance(gives, tuple) else names)
    if len(names) == 1 and (truth is None or (len(truth) if isinstance(truth, tuple) else truth) == 1):
        return
    if len(names) == 1:
        parts = ", ".join(truth) if isinstance(truth, tuple) else f"{truth} arrays"
        said = f"the model has one output, and y has {parts}; give one y, or the model as many outputs"
    elif truth is None:
        said = (
            f"the model has {len(names)} outputs ({told}), and y is one array; give a dict of them by name, "
            f"y = {{{names[0]!r}: …}}, of one or more"
        )
    elif isinstance(truth, int):
        if truth == len(names):
            return
        said = f"the model has {len(names)} outputs ({told}), and y has {truth} arrays; give as many, or a dict by name"
    else:
        wrong = sorted(set(arrays.legal(truth)) - set(names))
        if not wrong:
            return
        said = f"y names {', '.join(truth)}, the model's outputs are {told}; name them alike"
    raise RecipeError(said, field="training")
