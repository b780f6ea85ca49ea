"""The training and the test part as a recipe gives them: looked at before the first step, and named where they cannot be.

Every message says which part, where in it, and what to do.
"""

import time
from collections.abc import Mapping
from typing import Any

import numpy as np
import tensorflow as tf

from workbench.errors import RecipeError
from workbench.node.given import structures

SHOWN = 5
LOOK_BYTES = 32 * 1024**2
"""Of an array that are looked at at a time."""
LOOK_S = 10.0
"""How long the examples of a ``tf.data.Dataset`` are looked at."""
LOOK_BATCH = 256
_TWO = "give (x, y), arrays of one length, or an unbatched tf.data.Dataset of (x, y)"


def as_structures(part: Any, name: str) -> tuple[Any, ...]:
    """The parts ``(x, y)``, or ``(x, y, sample_weight)``, of what is no ``tf.data.Dataset``: each an array, or a dict or a
    tuple of arrays; the weights in the structure of ``y``.

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
    for given, what in zip(part, ("x", "y"), strict=False):
        if given is None:
            raise _refusal(name, f"has None as {what}; {_TWO}")
    x, y = structures.tell_apart(*part[:2])
    x, y = (_structure(given, what, name) for given, what in ((x, "x"), (y, "y")))
    count = _check_lengths(x, y, name)
    check_values(x, y, name)
    return (x, y, *(_weights(given, y, count, name) for given in part[2:]))


def _structure(given: Any, what: str, name: str) -> Any:
    if structures.is_several(given) and not len(given):
        raise _refusal(name, f"has an empty {type(given).__name__} as {what}; {_TWO}")
    for words, leaf in structures.leaves(given, what):
        if structures.is_several(given) and (isinstance(leaf, Mapping | tuple) or leaf is None):
            raise _refusal(
                name,
                f"has {_kind(leaf)} within the {type(given).__name__} {what} ({words}); give one array for each "
                f"{'input' if what == 'x' else 'output'}",
            )
    return structures.change(lambda leaf, words: _array(leaf, words, name), given, what)


def _check_lengths(x: Any, y: Any, name: str) -> int:
    found = [
        (words, len(leaf))
        for given, what in ((x, "x"), (y, "y"))
        for words, leaf in structures.leaves(given, what)
    ]
    (first, count), *others = found
    for words, length in others:
        if length != count:
            need = "each example needs one of each" if len(found) > 2 else "each example needs one y"
            raise _refusal(name, f"has {count:,} examples in {first} and {length:,} in {words}; {need}")
    if not count:
        raise _refusal(name, "has no example")
    return count


def _weights(given: Any, y: Any, count: int, name: str) -> Any:
    """The weights of examples, float32 ``(n,)``, in the structure of ``y``."""
    try:
        filled = structures.fill(given, y, np.ones(count, np.float32))
    except ValueError as error:
        raise _refusal(
            name,
            f"has sample weights that {error}; give one number for each example, or a dict of them by output",
        ) from error
    found = structures.change(lambda leaf, words: _weight(leaf, words, count, name), filled, "sample_weight")
    if not any(leaf.any() for _, leaf in structures.leaves(found, "")):
        raise _refusal(name, "has a sample_weight of 0 for each example, so nothing would be learned")
    return found


def _weight(given: Any, what: str, count: int, name: str) -> np.ndarray:
    weights = _array(given, what, name)
    if weights.dtype.kind == "U" or weights.shape not in ((count,), (count, 1)):
        raise _refusal(
            name,
            f"has a {what} of shape {weights.shape} and type {weights.dtype} for {count:,} examples; give one "
            "number for each example",
        )
    weights = weights.reshape(-1).astype(np.float32)
    check_weights(weights, name)
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


def check_values(x: Any, y: Any, name: str, first: int = 0) -> None:
    """Refuse numbers that are none, and classes that are text.

    Parameters
    ----------
    first
        The number of the first example in its part.

    Raises
    ------
    RecipeError
    """
    leaves = [*structures.leaves(x, "x"), *structures.leaves(y, "y")]
    for what, array in leaves:
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
    for what, array in structures.leaves(y, "y"):
        _check_no_text(array, what, name)


def _check_no_text(truth: np.ndarray, what: str, name: str) -> None:
    if truth.dtype.kind != "U":
        return
    texts = sorted({str(text) for text in truth.ravel()[:10_000]})
    shown = ", ".join(repr(text) for text in texts[:SHOWN]) + (", …" if len(texts) > SHOWN else "")
    raise _refusal(
        name,
        f"has text in {what} ({shown}); a class is a number from 0: names, {what} = np.unique({what}, return_inverse=True), "
        "of both parts alike, and LABELS = the names",
    )


def check_dataset(part: tf.data.Dataset, name: str) -> None:
    """Refuse a ``tf.data.Dataset`` whose elements are not an ``x``, a ``y``, and a weight or none, of one example; each
    is a tensor, or a dict or a tuple of them.

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
        for words, leaf in structures.leaves(one, what):
            if not isinstance(leaf, tf.TensorSpec):
                raise _refusal(
                    name,
                    f"gives {_kind_of_spec(leaf)} as {words}; let it give one plain tensor, of one shape",
                )
    x, y, *weights = spec
    specs = [leaf for one, what in ((x, "x"), (y, "y")) for _, leaf in structures.leaves(one, what)]
    if all(leaf.shape.rank for leaf in specs) and _is_batched(part, {leaf.shape[0] for leaf in specs}):
        raise _refusal(
            name,
            f"is batched ({_shapes(x, 'x')}, {_shapes(y, 'y')}); the workbench batches, by BATCH_SIZE: leave .batch() "
            "out, or call .unbatch() and .apply(tf.data.experimental.assert_cardinality(n))",
        )
    for given in weights:
        for words, leaf in structures.leaves(given, "sample_weight"):
            if leaf.shape.rank or not (leaf.dtype.is_floating or leaf.dtype.is_integer):
                raise _refusal(
                    name, f"gives a {words} {_shape(leaf)} of {leaf.dtype.name}; let it give one number"
                )
        try:
            structures.fill(given, y, 1.0)
        except ValueError as error:
            raise _refusal(
                name,
                f"gives sample weights that {error}; let it give one number, or a dict of them by output",
            ) from error


def look_through(part: tf.data.Dataset, name: str) -> Any:
    """Look at the examples of a ``tf.data.Dataset``, for ``LOOK_S`` at most; give the ``y`` that were seen.

    Raises
    ------
    RecipeError
    """
    began, seen, first = time.monotonic(), [], 0
    for x, y, *weights in part.batch(LOOK_BATCH).as_numpy_iterator():
        y = structures.change(lambda leaf, _: as_text(leaf), y, "y")
        check_values(x, y, name, first)
        for given in weights:
            for _, leaf in structures.leaves(given, "sample_weight"):
                check_weights(np.asarray(leaf, np.float32), name, first)
        seen.append(y)
        first += len(next(structures.leaves(y, "y"))[1])
        if time.monotonic() - began > LOOK_S:
            break
    return join(seen)


def join(parts: list[Any]) -> Any:
    """Put the batches of a structure together, with text as NumPy's own strings."""
    columns = [[leaf for _, leaf in structures.leaves(one, "")] for one in parts]
    joined = iter([as_text(np.concatenate(column)) for column in zip(*columns, strict=True)])
    return structures.change(lambda *_: next(joined), parts[0], "")


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


def _of_another_length(part: Any) -> str:
    return f"has {len(part)} parts instead of two or three; {_TWO}, or (x, y, sample_weight)"


def _is_batched(part: tf.data.Dataset, sides: set[int | None]) -> bool:
    """Whether the first side is that of batches: all open, or all of one size at the end of a ``batch()``."""
    if sides == {None}:
        return True
    return len(sides) == 1 and type(part).__name__ in (
        "_BatchDataset",
        "_ParallelBatchDataset",
        "_PaddedBatchDataset",
    )


def _shapes(given: Any, what: str) -> str:
    return ", ".join(f"{words} {_shape(leaf)}" for words, leaf in structures.leaves(given, what))


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
