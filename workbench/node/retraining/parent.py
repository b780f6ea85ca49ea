"""The version that a training goes on from: its weights, given to the new model where they fit."""

import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Literal

import keras
import numpy as np
import tensorflow as tf

from workbench.datasets import find_parent
from workbench.errors import NotFound
from workbench.lineage import Parent
from workbench.node.model import predict
from workbench.settings import Settings


@dataclass
class _Loaded:
    """A version's model, or why it cannot be used."""

    reference: str
    model: keras.Model | None = None
    why: str = ""
    start: Literal["weights", "recipe"] = "recipe"
    weights: list[np.ndarray] = field(default_factory=list)


_used: dict[str, _Loaded] = {}
"""By name; what this process builds from now on was built on them."""


def continue_from(
    reference: str, model: keras.Model, settings: Settings | None = None, say: Callable[[str], Any] = print
) -> keras.Model:
    """Give the model the weights of a version, ``NAME:VERSION``, if it is built in the same way; the model itself.

    Where it is not, or the version cannot be read here, the model begins anew; that is said, and stands in the
    manifest of what is trained. A recipe calls this at the end of its ``build_model``.
    """
    loaded = _used.get(reference)
    if loaded is None:
        loaded = _used[reference] = _load(reference, settings)
    mine, theirs = [tuple(w.shape) for w in model.weights], [w.shape for w in loaded.weights]
    if loaded.model is None:
        loaded.start = "recipe"
    elif not mine:
        loaded.start, loaded.why = "recipe", "the model makes its variables only when training begins"
    elif mine != theirs:
        loaded.start, loaded.why = "recipe", f"it is built in another way than {reference}"
    else:
        model.set_weights(loaded.weights)
        loaded.start, loaded.why = "weights", ""
    went = f"goes on from {reference}" if loaded.start == "weights" else f"begins anew, not from {reference}"
    say(f"the training {went}{f': {loaded.why}' if loaded.why else ''}")
    return model


def remember(reference: str) -> None:
    """Let :func:`ask_parent` ask this version, in a process that builds nothing on it."""
    if reference not in _used:
        _used[reference] = _load(reference, None)


def parent_used() -> Parent | None:
    """Tell which version the model of this process goes on from; ``None`` where it is none."""
    if not _used:
        return None
    loaded = [*_used.values()][-1]
    name, _, version = loaded.reference.partition(":")
    return Parent(name, int(version), loaded.start, loaded.why)


def ask_parent(x: np.ndarray) -> np.ndarray | None:
    """What that version says to inputs ``(n, …)``; ``None`` where there is none or it cannot be asked."""
    loaded = [*_used.values()][-1] if _used else None
    if loaded is None or loaded.model is None or not len(x):
        return None
    try:
        return predict(loaded.model, x)
    except (ValueError, TypeError, tf.errors.OpError):  # it takes another input
        return None


def _load(reference: str, settings: Settings | None) -> _Loaded:
    """Load it in a thread of its own: the model is built within a strategy's scope, which holds for one thread."""
    loaded = _Loaded(reference)

    def load() -> None:
        try:
            loaded.model = keras.models.load_model(find_parent(reference, settings), compile=False)
            loaded.weights = [variable.value.numpy() for variable in loaded.model.weights]
        except NotFound as error:
            loaded.why = str(error)
        except Exception as error:  # Keras raises of many kinds, also for classes of the recipe's own
            loaded.why = f"its model cannot be read alone ({type(error).__name__})"

    thread = threading.Thread(target=load, name="parent")
    thread.start()
    thread.join()
    return loaded
