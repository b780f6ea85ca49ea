"""One array, or several by name: what goes into a model, what comes out, and what is kept of either in a file.

A name is one that every form of a model can have: letters, digits and underscores, a letter first. What had no name but
a place, as in a tuple, is called by it: ``1``, ``2``, ….
"""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeAlias, TypeVar

if TYPE_CHECKING:
    import numpy as np

Arrays: TypeAlias = "np.ndarray | Mapping[str, np.ndarray]"
"""One, or several by name."""
T = TypeVar("T")


def legal(names: Iterable[object]) -> tuple[str, ...]:
    """Make names of these that TensorFlow, ONNX and JSON take alike, each once, whatever their case.

    >>> legal(["age", "Umsatz (€)", "Age", "2nd"])
    ('age', 'Umsatz', 'Age_2', 'n2nd')
    """
    found: list[str] = []
    for name in map(str, names):
        made = re.sub(r"[^A-Za-z0-9]+", "_", name).strip("_") or "n"
        made = made if made[0].isalpha() else f"n{made}"
        taken, number, first = {one.lower() for one in found}, 1, made
        while made.lower() in taken:
            number += 1
            made = f"{first}_{number}"
        found.append(made)
    return tuple(found)


def by_name(given: Mapping[Any, T] | Sequence[T]) -> dict[str, T]:
    """Name the parts of a dict by its keys, those of a tuple by their places.

    >>> by_name({"a b": 1}), by_name((5, 6))
    ({'a_b': 1}, {'1': 5, '2': 6})
    """
    if isinstance(given, Mapping):
        return dict(zip(legal(given), given.values(), strict=True))
    return {str(place): one for place, one in enumerate(given, 1)}


def fit(given: Any, names: Sequence[str]) -> Any:
    """Bring what is named to a model's own names: the one array where it has one; places become names.

    Raises
    ------
    ValueError
        It has others.

    >>> fit({"1": 5, "2": 6}, ("age", "size")), fit({"age": 5}, ("input",)), fit(5, ("input",))
    ({'age': 5, 'size': 6}, 5, 5)
    """
    if not isinstance(given, Mapping):
        if len(names) != 1:
            raise ValueError(f"the model has {len(names)}, {', '.join(names)}; here is one without a name")
        return given
    if len(names) == 1 and len(given) == 1:
        return next(iter(given.values()))
    placed = all(name.isdigit() for name in given)
    found = (
        {names[int(place) - 1]: one for place, one in given.items() if 0 < int(place) <= len(names)}
        if placed
        else {name: given[name] for name in names if name in given}
    )
    if len(found) != len(given):
        raise ValueError(f"the model has {', '.join(names)}. Received: {', '.join(given)}")
    return found


def convert(change: Callable[[Any], Any], given: Any) -> Any:
    """Change the array, or each of several.

    >>> convert(len, {"a": [1, 2], "b": [3, 4]}), convert(len, [1])
    ({'a': 2, 'b': 2}, 1)
    """
    if isinstance(given, Mapping):
        return {name: change(one) for name, one in given.items()}
    return change(given)


def each(given: Any) -> "list[np.ndarray]":
    """Give the array, or the several, in their order."""
    return list(given.values()) if isinstance(given, Mapping) else [given]


def count(given: Any) -> int:
    """Give the number of examples."""
    return len(each(given)[0])


def cut(given: Any, start: int, end: int) -> Any:
    """Give some of the examples."""
    return convert(lambda one: one[start:end], given)


def join(parts: Sequence[Any]) -> Any:
    """Put the answers to one batch after the other together."""
    import numpy as np

    if isinstance(parts[0], Mapping):
        return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
    return np.concatenate(list(parts))


def with_sides(given: Any, names: Sequence[str], shapes: Sequence[tuple[int | None, ...]]) -> Any:
    """Give or take the last side of one that Keras gives or takes by itself: ``(n,)`` for an input of ``(1,)``, and back.

    Parameters
    ----------
    shapes
        What the model takes, without the batch, by the names' order; empty where nobody knows.
    """
    known = dict(zip(names, shapes, strict=False))

    def change(one: Any, shape: tuple[int | None, ...] | None) -> Any:
        if shape is None or one.ndim - 1 == len(shape):
            return one
        if one.ndim == len(shape) and shape[-1] == 1:
            return one[..., None]
        return one[..., 0] if one.ndim - 2 == len(shape) and one.shape[-1] == 1 else one

    if isinstance(given, Mapping):
        return {name: change(one, known.get(name)) for name, one in given.items()}
    return change(given, known.get(names[0]))


def pack(**given: Any) -> "dict[str, np.ndarray]":
    """Name the arrays as they stand in a file: ``x`` for one, ``x.age`` for each of several.

    >>> list(pack(x={"age": 1, "size": 2}, y=3))
    ['x.age', 'x.size', 'y']
    """
    found = {}
    for what, arrays in given.items():
        named = isinstance(arrays, Mapping)
        found.update({f"{what}.{name}": one for name, one in arrays.items()} if named else {what: arrays})
    return found


def unpack(names: Iterable[str], read: "Callable[[str], np.ndarray]", what: str) -> Any:
    """Read what :func:`pack` named.

    Raises
    ------
    KeyError
        There is nothing of this.
    """
    names = list(names)
    if what in names:
        return read(what)
    several = [name for name in names if name.startswith(f"{what}.")]
    if not several:
        raise KeyError(what)
    return {name.removeprefix(f"{what}."): read(name) for name in several}
