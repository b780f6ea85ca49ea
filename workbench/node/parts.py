"""The training and the test part as a recipe gives them: looked at before the first step, and named where they cannot be.

Every message says which part, where in it, and what to do.
"""

import time
from collections.abc import Mapping
from typing import Any

import numpy as np
import tensorflow as tf

from workbench.errors import RecipeError

SHOWN = 5
LOOK_BYTES = 32 * 1024**2
"""Of an array that are looked at at a time."""
LOOK_S = 10.0
"""How long the examples of a ``tf.data.Dataset`` are looked at."""
LOOK_BATCH = 256
_TWO = "give (x, y), arrays of one length, or an unbatched tf.data.Dataset of (x, y)"


def as_arrays(part: Any, name: str) -> tuple[np.ndarray, ...]:
    """The arrays ``(x, y)``, or ``(x, y, sample_weight)``, of a part that is no ``tf.data.Dataset``.

    Text comes as NumPy's own strings.

    Parameters
    ----------
    name
        ``training`` or ``test``.

    Raises
    ------
    RecipeError
    """
    if not isinstance(part, tuple | list):
        raise _refusal(name, f"is {_kind(part)}; {_TWO}")
    if len(part) not in (2, 3):
        raise _refusal(name, _of_another_length(part))
    x, y, *weights = part
    for given, what in ((x, "x"), (y, "y")):
        if isinstance(given, Mapping):
            raise _refusal(name, _named(what, given))
        if given is None:
            raise _refusal(name, f"has None as {what}; {_TWO}")
    if _are_several(x, y):
        raise _refusal(
            name,
            f"has {len(x)} arrays as x; a model here has one input: put them into one, for example with "
            "np.concatenate(…, axis=-1)",
        )
    x, y = _array(x, "x", name), _array(y, "y", name)
    if len(x) != len(y):
        raise _refusal(name, f"has {len(x):,} examples in x and {len(y):,} in y; each example needs one y")
    if not len(x):
        raise _refusal(name, "has no example")
    check_values(x, y, name)
    return (x, y, *(_weights(given, len(x), name) for given in weights))


def _weights(given: Any, count: int, name: str) -> np.ndarray:
    """The weights of examples, float32 ``(n,)``."""
    if isinstance(given, Mapping):
        raise _refusal(name, "has a dict as sample_weight; give one number for each example")
    weights = _array(given, "sample_weight", name)
    if weights.dtype.kind == "U" or weights.shape not in ((count,), (count, 1)):
        raise _refusal(
            name,
            f"has a sample_weight of shape {weights.shape} and type {weights.dtype} for {count:,} examples; give one "
            "number for each example",
        )
    weights = weights.reshape(-1).astype(np.float32)
    check_weights(weights, name)
    if not weights.any():
        raise _refusal(name, "has a sample_weight of 0 for each example, so nothing would be learned")
    return weights


def check_weights(weights: np.ndarray, name: str, first: int = 0) -> None:
    """Refuse weights of examples that are negative or no number; ``first`` is the number of the first one.

    Raises
    ------
    RecipeError
    """
    wrong = np.flatnonzero(~(np.isfinite(weights) & (weights >= 0)))
    if len(wrong):
        raise _refusal(
            name,
            f"has a sample_weight of {weights[wrong[0]]} in example {first + int(wrong[0])} ({len(wrong):,} such); give "
            "numbers from 0 on",
        )


def check_values(x: np.ndarray, y: np.ndarray, name: str, first: int = 0) -> None:
    """Refuse numbers that are none, and classes that are text.

    Parameters
    ----------
    first
        The number of the first example in its part.

    Raises
    ------
    RecipeError
    """
    for array, what in ((x, "x"), (y, "y")):
        found = _first_not_finite(array)
        if found is not None:
            place, value, count = found
            at = "" if len(place) == 1 else f" at [{', '.join(map(str, place[1:]))}]"
            said = "NaN, which is no number," if np.isnan(value) else "infinity"
            raise _refusal(
                name,
                f"has {said} in {what}, first in example {first + place[0]}{at}"
                f" ({count:,} of {array.size:,} values); leave such examples out, "
                f"{what}[np.isfinite({what}).reshape(len({what}), -1).all(1)], or np.nan_to_num({what})",
            )
    if y.dtype.kind == "U":
        texts = sorted({str(text) for text in y.ravel()[:10_000]})
        shown = ", ".join(repr(text) for text in texts[:SHOWN]) + (", …" if len(texts) > SHOWN else "")
        raise _refusal(
            name,
            f"has text in y ({shown}); a class is a number from 0: names, y = np.unique(y, return_inverse=True), "
            "of both parts alike, and LABELS = the names",
        )


def check_dataset(part: tf.data.Dataset, name: str) -> None:
    """Refuse a ``tf.data.Dataset`` whose elements are not one ``x``, one ``y``, and its weight or none, of one example.

    Raises
    ------
    RecipeError
    """
    spec = part.element_spec
    if not isinstance(spec, tuple):
        raise _refusal(name, f"gives {_kind_of_spec(spec)}; let it give (x, y)")
    if len(spec) not in (2, 3):
        raise _refusal(name, _of_another_length(spec))
    for one, what in zip(spec, ("x", "y", "sample_weight"), strict=False):
        if isinstance(one, Mapping):
            raise _refusal(name, _named(what, one))
        if not isinstance(one, tf.TensorSpec):
            raise _refusal(
                name, f"gives {_kind_of_spec(one)} as {what}; let it give one plain tensor, of one shape"
            )
    x, y, *weights = spec
    if x.shape.rank and y.shape.rank and _is_batched(part, x.shape[0], y.shape[0]):
        raise _refusal(
            name,
            f"is batched (x {_shape(x)}, y {_shape(y)}); the workbench batches, by BATCH_SIZE: leave .batch() "
            "out, or call .unbatch() and .apply(tf.data.experimental.assert_cardinality(n))",
        )
    if any(w.shape.rank or not (w.dtype.is_floating or w.dtype.is_integer) for w in weights):
        raise _refusal(
            name,
            f"gives a sample_weight {_shape(weights[0])} of {weights[0].dtype.name}; let it give one number",
        )


def look_through(part: tf.data.Dataset, name: str) -> np.ndarray:
    """Look at the examples of a ``tf.data.Dataset``, for ``LOOK_S`` at most; give the ``y`` that were seen.

    Raises
    ------
    RecipeError
    """
    began, seen, first = time.monotonic(), [], 0
    for x, y, *weights in part.batch(LOOK_BATCH).as_numpy_iterator():
        y = as_text(y)
        check_values(x, y, name, first)
        for given in weights:
            check_weights(np.asarray(given, np.float32), name, first)
        seen.append(y)
        first += len(y)
        if time.monotonic() - began > LOOK_S:
            break
    return np.concatenate(seen)


def as_text(array: np.ndarray) -> np.ndarray:
    """The array, with text as NumPy's own strings, however it came; anything else as it is.

    >>> as_text(np.array([b"ja", "nein"], dtype=object)).tolist()
    ['ja', 'nein']
    """
    if array.dtype.kind == "S" or (array.dtype.kind == "O" and array.size):
        flat = [v.decode() if isinstance(v, bytes) else v for v in array.ravel().tolist()]
        if all(isinstance(value, str) for value in flat):
            return np.array(flat).reshape(array.shape)
    return array


def _array(given: Any, what: str, name: str) -> np.ndarray:
    try:
        array = as_text(np.asarray(given))
    except UnicodeDecodeError as error:
        raise _refusal(
            name, f"has bytes in {what} that are no text in UTF-8 ({error}); give numbers"
        ) from error
    except ValueError as error:  # lists of lists of unequal lengths
        raise _refusal(
            name,
            f"has examples of different shapes in {what}; bring all to one shape, for example by padding",
        ) from error
    if array.ndim == 0:
        raise _refusal(name, f"has a value {_kind(given)} as {what}; {_TWO}")
    if array.dtype.kind not in "fiubU":
        kinds = sorted({type(value).__name__ for value in array.ravel()[:1000].tolist()})
        held = f" of {', '.join(kinds)}" if array.dtype.kind == "O" else ""
        raise _refusal(
            name,
            f"has values of type {array.dtype}{held} in {what}; give numbers or text in arrays of one shape, for "
            "example by padding, or by .astype('float32')",
        )
    return array


def _first_not_finite(array: np.ndarray) -> tuple[tuple[int, ...], float, int] | None:
    """Place and value of the first NaN or infinity, and how many there are."""
    if array.dtype.kind != "f" or not array.size:
        return None
    rows = max(1, LOOK_BYTES // max(1, array[0].nbytes))
    found: tuple[tuple[int, ...], float] | None = None
    count = 0
    for start in range(0, len(array), rows):
        wrong = ~np.isfinite(array[start : start + rows])
        here = int(wrong.sum())
        if here and found is None:
            place = np.unravel_index(int(wrong.argmax()), wrong.shape)
            whole = (start + int(place[0]), *(int(i) for i in place[1:]))
            found = whole, float(array[whole])
        count += here
    return None if found is None else (*found, count)


def _are_several(x: Any, y: Any) -> bool:
    """Whether ``x`` is a few arrays, each as long as ``y``, rather than a list of examples."""
    if not isinstance(x, tuple | list) or not all(isinstance(one, np.ndarray) and one.ndim for one in x):
        return False
    length = len(y) if hasattr(y, "__len__") else -1
    return len(x) != length and bool(x) and all(len(one) == length for one in x)


def _of_another_length(part: Any) -> str:
    return f"has {len(part)} parts instead of two or three; {_TWO}, or (x, y, sample_weight)"


def _named(what: str, given: Mapping[str, object]) -> str:
    names = ", ".join(str(name) for name in list(given)[:SHOWN])
    return (
        f"has a dict as {what} ({names}); a model here has one input and one output: give one array, for example "
        "np.stack([…], axis=-1), and let the model take it apart"
    )


def _is_batched(part: tf.data.Dataset, x: int | None, y: int | None) -> bool:
    """Whether the first side is that of batches: both open, or both of one size at the end of a ``batch()``."""
    if x is None and y is None:
        return True
    return x == y and type(part).__name__ in ("_BatchDataset", "_ParallelBatchDataset", "_PaddedBatchDataset")


def _shape(spec: tf.TensorSpec) -> str:
    return "(" + ", ".join("n" if side is None else str(side) for side in spec.shape) + ")"


def _kind(value: Any) -> str:
    return "None" if value is None else f"of type {type(value).__name__}"


def _kind_of_spec(spec: Any) -> str:
    if isinstance(spec, Mapping):
        return f"a dict ({', '.join(str(name) for name in list(spec)[:SHOWN])})"
    return f"a {type(spec).__name__.removesuffix('Spec')}"


def _refusal(name: str, said: str) -> RecipeError:
    return RecipeError(f"the {name} part of load_data() {said}", field="preprocessing")
