"""Typed values as JSON and back, where one of our processes speaks to another or to itself later.

A value is a frozen dataclass whose fields are texts, numbers, paths, tuples and mappings of them, or such values.
"""

import dataclasses
import types
import typing
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any, TypeVar, Union

T = TypeVar("T")

Json = None | bool | int | float | str | list["Json"] | dict[str, "Json"]
"""What JSON can say."""


def pack(value: object) -> Json:
    """Give the value as JSON.

    >>> from workbench.system.wire import pack
    >>> pack(("a", None, Path("/b")))
    ['a', None, '/b']
    """
    if value is None or isinstance(value, bool | int | float | str):
        return value
    if isinstance(value, Path):
        return str(value)
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {field.name: pack(getattr(value, field.name)) for field in dataclasses.fields(value)}
    if isinstance(value, Mapping):
        return {str(name): pack(one) for name, one in value.items()}
    if isinstance(value, Sequence) and not isinstance(value, bytes):
        return [pack(one) for one in value]
    raise TypeError(f"this cannot be told as JSON: {type(value).__name__}")


def unpack(kind: type[T], told: object) -> T:
    """Read what ``pack`` made of a value of this kind; unknown fields are left out, as of a newer process.

    Raises
    ------
    ValueError
        It is no such value.
    """
    value: T = _unpack(kind, told)
    return value


def _unpack(kind: Any, told: object) -> Any:
    origin, inner = typing.get_origin(kind), typing.get_args(kind)
    if dataclasses.is_dataclass(kind) and isinstance(kind, type):
        return _unpack_fields(kind, told)
    if origin is typing.Literal:
        if any(told == one and type(told) is type(one) for one in inner):
            return told
        raise ValueError(f"expected one of {inner}. Received: {str(told)[:80]!r}")
    if origin in (types.UnionType, Union):
        return _unpack_union(inner, told)
    if origin is tuple and isinstance(told, list):
        if len(inner) == 2 and inner[1] is Ellipsis:
            return tuple(_unpack(inner[0], one) for one in told)
        if len(inner) == len(told):
            return tuple(_unpack(one, part) for one, part in zip(inner, told, strict=True))
    if origin is not None and issubclass(origin, Mapping) and isinstance(told, dict):
        return {_unpack(inner[0], name): _unpack(inner[1], one) for name, one in told.items()}
    if kind is Path and isinstance(told, str):
        return Path(told)
    if kind is float and isinstance(told, int) and not isinstance(told, bool):
        return float(told)
    if kind in (str, int, float, bool) and type(told) is kind:
        return told
    raise ValueError(f"expected {getattr(kind, '__name__', kind)}. Received: {str(told)[:80]!r}")


def _unpack_union(kinds: Sequence[Any], told: object) -> Any:
    if told is None and type(None) in kinds:
        return None
    for kind in kinds:
        if kind is not type(None):
            try:
                return _unpack(kind, told)
            except ValueError:
                continue
    raise ValueError(f"expected one of {kinds}. Received: {str(told)[:80]!r}")


def _unpack_fields(kind: type, told: object) -> Any:
    fields = _fields(kind)
    if isinstance(told, list) and len(told) <= len(fields):
        told = dict(zip(fields, told, strict=False))
    if not isinstance(told, dict):
        raise ValueError(f"expected {kind.__name__}. Received: {str(told)[:80]!r}")
    given = {name: _unpack(fields[name], one) for name, one in told.items() if name in fields}
    try:
        return kind(**given)
    except TypeError as error:
        raise ValueError(f"{kind.__name__}: {error}") from error


@cache
def _fields(kind: type) -> dict[str, Any]:
    hints = typing.get_type_hints(kind)
    return {field.name: hints[field.name] for field in dataclasses.fields(kind)}
