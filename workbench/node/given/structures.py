"""Arrays in the structures that Keras takes: one, or a dict or a tuple of them, for each input, output, or weight."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np

Structure = Any
"""A leaf, or a dict or a tuple of leaves."""


def tell_apart(x: Any, y: Any) -> tuple[Structure, Structure]:
    """Tell a few arrays, one an input or an output, from a list of examples; a few arrays become a tuple.

    >>> one, two = np.zeros((5, 2)), np.zeros(5)
    >>> [type(part).__name__ for part in tell_apart([one, one], two)]
    ['tuple', 'ndarray']
    >>> [type(part).__name__ for part in tell_apart([one[0], one[1]], [0, 1])]
    ['list', 'list']
    """
    x_length, y_length = _length_of_parts(x), _length_of_parts(y)
    if x_length is not None and (y_length == x_length or len(x) != _length(y) == x_length):
        x = tuple(x)
    if y_length is not None and (x_length == y_length or len(y) != _length(x) == y_length):
        y = tuple(y)
    return x, y


def is_several(given: Structure) -> bool:
    """Tell whether it is a dict or a tuple of leaves; a list is one array that is yet to be made."""
    return isinstance(given, Mapping | tuple)


def leaves(given: Structure, what: str) -> Iterator[tuple[str, Any]]:
    """Give each leaf with the words for it: ``x``, ``x["age"]``, ``x[0]``."""
    if isinstance(given, Mapping):
        yield from ((f'{what}["{key}"]', one) for key, one in given.items())
    elif isinstance(given, tuple):
        yield from ((f"{what}[{place}]", one) for place, one in enumerate(given))
    else:
        yield what, given


def change(make: Callable[[Any, str], Any], given: Structure, what: str) -> Structure:
    """Change each leaf, by the words for it too."""
    made = [make(one, words) for words, one in leaves(given, what)]
    if isinstance(given, Mapping):
        return dict(zip(map(str, given), made, strict=True))
    return tuple(made) if isinstance(given, tuple) else made[0]


def fill(weights: Structure, y: Structure, ones: Any) -> Structure:
    """Bring weights to the structure of the truth, so that each output has some: those for all, or its own, or ``ones``.

    Raises
    ------
    ValueError
        They are for outputs that the truth has not.
    """
    if not is_several(y):
        if not is_several(weights):
            return weights
        found = [one for _, one in leaves(weights, "")]
        if len(found) != 1:
            raise ValueError(f"are {len(found)}, and y is one")
        return found[0]
    if isinstance(y, Mapping) and isinstance(weights, Mapping):
        if wrong := sorted(set(map(str, weights)) - set(map(str, y))):
            raise ValueError(f"are for {', '.join(wrong)}, and y has {', '.join(map(str, y))}")
        return {key: weights.get(key, ones) for key in y}
    if is_several(weights):
        if isinstance(weights, Mapping) or isinstance(y, Mapping) or len(weights) != len(y):
            raise ValueError("are not in the structure of y")
        return tuple(ones if one is None else one for one in weights)
    return dict.fromkeys(y, weights) if isinstance(y, Mapping) else tuple(weights for _ in y)


def _length_of_parts(given: Any) -> int | None:
    """How long the arrays are that may be one an input each; ``None`` where it is no list of arrays of one length."""
    if not isinstance(given, tuple | list) or not given:
        return None
    if not all(isinstance(one, np.ndarray) and one.ndim for one in given):
        return None
    lengths = {len(one) for one in given}
    return lengths.pop() if len(lengths) == 1 else None


def _length(given: Any) -> int:
    if isinstance(given, Mapping):
        given = next(iter(given.values()), None)
    return len(given) if hasattr(given, "__len__") else -1
