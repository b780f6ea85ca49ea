"""A model as a browser computes it: a list of plain steps and their numbers, ``browser.json``.

What a model has that is no such step is named instead.
"""

import base64
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import keras
import numpy as np
from keras import layers

from workbench.artifact import BROWSER
from workbench.manifest import Input
from workbench.node.companions.browser_steps import NotForBrowsers, Step, Steps

__all__ = ["NotForBrowsers", "Step", "as_json", "describe", "steps", "write"]

MOST_NUMBERS = 2_000_000


def write(folder: Path, model: keras.Model, takes: Input, told: Mapping[str, object]) -> None:
    """Write ``browser.json`` of a model of pictures: the form, or ``missing``, the reason why there is none.

    Parameters
    ----------
    told
        What else the page is to know, such as the labels.
    """
    if takes.kind != "image":
        return
    try:
        form = {**describe(model, takes), **told}
    except NotForBrowsers as error:
        form = {"format": 1, "missing": str(error)}
    (folder / BROWSER).write_text(json.dumps(form, ensure_ascii=False, separators=(",", ":")))


def describe(model: keras.Model, takes: Input) -> dict[str, object]:
    """Give the input, the steps, and the weights as little-endian float32 in base64.

    Raises
    ------
    NotForBrowsers
        The model has something that no step computes, or it is too large.
    """
    found = steps(model, takes)
    arrays = [weight() for step in found for weight in step.weights]
    total = sum(array.size for array in arrays)
    if total > MOST_NUMBERS:
        raise NotForBrowsers(f"it has {total:,} numbers, more than {MOST_NUMBERS:,}")
    flat = np.concatenate([array.ravel() for array in arrays]) if arrays else np.zeros(0)
    return {
        "format": 1,
        "input": {"shape": list(takes.sizes), "range": list(takes.range)},
        "steps": [as_json(step) for step in found],
        "weights": base64.b64encode(flat.astype("<f4").tobytes()).decode(),
    }


def as_json(step: Step) -> dict[str, object]:
    """The step without its numbers, and their shapes."""
    shapes = [list(weight().shape) for weight in step.weights]
    made: dict[str, object] = {"op": step.op, "of": step.of, "takes": list(step.takes), "gives": step.gives}
    return {**made, **step.how, **({"shapes": shapes} if shapes else {})}


def steps(model: keras.Model, takes: Input) -> list[Step]:
    """The model's steps in the order in which they are computed; the last one gives the answer.

    Raises
    ------
    NotForBrowsers
    """
    if (
        takes.kind != "image"
        or len(takes.sizes) != 3
        or len(model.outputs or ()) != 1
        or len(model.inputs) != 1
    ):
        raise NotForBrowsers("it does not take one picture and give one answer")
    try:
        return list(_Walk().whole(model))
    except NotForBrowsers:
        raise
    except (
        Exception
    ) as error:  # whatever Keras raises of a model that is put together in a way not known here
        raise NotForBrowsers(f"its layers cannot be told one by one: {str(error)[:200]}") from error


class _Walk:
    """Goes through a model's layers in the order in which they compute."""

    def __init__(self) -> None:
        self._steps = Steps()

    def whole(self, model: keras.Model) -> Iterator[Step]:
        if isinstance(model, keras.Sequential):
            at = 0
            for layer in model.layers:
                made = list(self.inner(layer, at))
                yield from made
                at = made[-1].gives if made else at
            return
        values: dict[int, int] = {id(model.inputs[0]): 0}
        last = -1
        for operation in model.operations:
            if isinstance(operation, layers.InputLayer):
                continue
            try:
                given, output = operation.input, operation.output
            except AttributeError as error:
                raise NotForBrowsers(f"{operation.name} is used more than once") from error
            given = given if isinstance(given, list | tuple) else [given]
            if isinstance(operation, keras.Model):
                raise NotForBrowsers(f"{operation.name} is a model within the model")
            if any(id(one) not in values for one in given):
                raise NotForBrowsers(f"{operation.name} takes more than values")
            made = list(self._steps.of(operation, tuple(values[id(one)] for one in given)))
            yield from made
            last = made[-1].gives if made else values[id(given[0])]
            values[id(output)] = last
        if values.get(id(model.outputs[0])) != last:
            raise NotForBrowsers("its answer is not what its last layer gives")

    def inner(self, layer: Any, at: int) -> Iterator[Step]:
        if isinstance(layer, keras.Sequential):
            for one in layer.layers:
                made = list(self.inner(one, at))
                yield from made
                at = made[-1].gives if made else at
        elif isinstance(layer, keras.Model):
            raise NotForBrowsers(f"{layer.name} is a model within the model")
        elif not isinstance(layer, layers.InputLayer):
            yield from self._steps.of(layer, (at,))
