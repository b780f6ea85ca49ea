"""Reading a JSON object field by field, each value checked for its type, with one message for what is wrong."""

from collections.abc import Callable, Mapping
from typing import NoReturn, TypeVar

from workbench.errors import ModelRefused, WorkbenchError

T = TypeVar("T")


class Fields:
    """A JSON object whose values are asked for by type.

    Parameters
    ----------
    place
        Stands before a field's name in a message.
    error
        Raised where a value is not what was asked for.
    """

    def __init__(
        self, told: Mapping[str, object], place: str = "", error: type[WorkbenchError] = ModelRefused
    ) -> None:
        self._told, self._place, self._error = told, place, error

    def __contains__(self, key: str) -> bool:
        return key in self._told

    def refuse(self, key: str, wanted: str) -> NoReturn:
        """Raise the error for a value."""
        received = str(self._told.get(key))[:80]
        raise self._error(f"{self._place}{key} must be {wanted}. Received: {received!r}")

    def optional(self, key: str, parse: Callable[[str], T]) -> T | None:
        """Parse a value, or give ``None`` where it is null or not there."""
        return None if self._told.get(key) is None else parse(key)

    def object(self, key: str) -> Mapping[str, object]:
        """Give an object, empty where there is none."""
        value = self._told.get(key, {})
        if not isinstance(value, dict):
            self.refuse(key, "an object")
        return value

    def part(self, key: str) -> "Fields":
        """Give an object's own fields, none where it is not there."""
        return Fields(self.object(key), f"{self._place}{key}.", self._error)

    def parts(self, key: str) -> "tuple[Fields, ...]":
        """Give each object of a list, none where it is not there."""
        value = self._told.get(key, [])
        if not isinstance(value, list) or not all(isinstance(one, dict) for one in value):
            self.refuse(key, "a list of objects")
        return tuple(Fields(one, f"{self._place}{key}[{n}].", self._error) for n, one in enumerate(value))

    def text(self, key: str, default: str | None = None) -> str:
        """Give a text."""
        value = self._told.get(key, default)
        if not isinstance(value, str):
            self.refuse(key, "a text")
        return value

    def flag(self, key: str) -> bool:
        """Give true or false, false where it is not there."""
        value = self._told.get(key, False)
        if not isinstance(value, bool):
            self.refuse(key, "true or false")
        return value

    def whole(self, key: str) -> int:
        """Give a whole number."""
        value = self._told.get(key)
        if isinstance(value, bool) or not isinstance(value, int):
            self.refuse(key, "a whole number")
        return value

    def count(self, key: str) -> int:
        """Give a whole number that is not below 0."""
        value = self.whole(key)
        if value < 0:
            self.refuse(key, "a whole number, 0 or more")
        return value

    def number(self, key: str, default: float | None = None) -> float:
        """Give a number."""
        value = self._told.get(key, default)
        if isinstance(value, bool) or not isinstance(value, int | float):
            self.refuse(key, "a number")
        return value

    def texts(self, key: str) -> tuple[str, ...]:
        """Give a list of texts, empty where there is none."""
        value = self._told.get(key, [])
        if not isinstance(value, list) or not all(isinstance(one, str) for one in value):
            self.refuse(key, "a list of texts")
        return tuple(value)

    def shape(self, key: str) -> tuple[int, ...]:
        """Give a list of whole numbers above 0."""
        value = self._told.get(key)
        if not isinstance(value, list) or not all(type(side) is int and side > 0 for side in value):
            self.refuse(key, "a list of whole numbers above 0")
        return tuple(value)

    def open_shape(self, key: str) -> tuple[int | None, ...]:
        """Give a list of whole numbers above 0, with null where any size will do."""
        value = self._told.get(key)
        if not isinstance(value, list) or not all(
            side is None or (type(side) is int and side > 0) for side in value
        ):
            self.refuse(key, "a list of whole numbers above 0, or null where any size will do")
        return tuple(value)

    def range(self, key: str) -> tuple[float, float]:
        """Give a lowest and a highest number."""
        value = self._told.get(key)
        if not isinstance(value, list) or [type(end) in (int, float) for end in value] != [True, True]:
            self.refuse(key, "two numbers")
        return value[0], value[1]

    def row(self, key: str) -> tuple[float, ...]:
        """Give a list of numbers."""
        value = self._told.get(key)
        if not isinstance(value, list) or not all(type(one) in (int, float) for one in value):
            self.refuse(key, "a list of numbers")
        return tuple(value)

    def rows(self, key: str) -> tuple[tuple[int, ...], ...]:
        """Give a table of whole numbers that are not below 0, row by row."""
        value = self._told.get(key)
        if not isinstance(value, list) or not all(
            isinstance(row, list) and all(type(one) is int and one >= 0 for one in row) for row in value
        ):
            self.refuse(key, "rows of whole numbers, 0 or more")
        return tuple(map(tuple, value))

    def numbers(self, key: str) -> Mapping[str, float]:
        """Give an object of numbers, empty where there is none."""
        part = self.part(key)
        return {name: part.number(name) for name in self.object(key)}

    def named_texts(self, key: str) -> Mapping[str, str]:
        """Give an object of texts, empty where there is none."""
        part = self.part(key)
        return {name: part.text(name) for name in self.object(key)}
