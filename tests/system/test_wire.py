"""Values as JSON and back: what is not such a value is refused."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from workbench.system.wire import pack, unpack


@dataclass(frozen=True)
class Inner:
    name: str
    number: int


@dataclass(frozen=True)
class Outer:
    one: Inner
    more: tuple[Inner, ...]
    by_name: dict[str, float]
    folder: Path | None = None
    flag: bool = False


VALUE = Outer(
    Inner("ä\n", 1), (Inner("b", 2), Inner("c", -3)), {"x": 0.5, "y": 2.0}, Path("/some where"), True
)


def test_a_value_comes_back_as_it_was() -> None:
    assert unpack(Outer, json.loads(json.dumps(pack(VALUE)))) == VALUE


def test_what_is_left_out_has_its_default_and_what_is_unknown_is_left_out() -> None:
    told = {"one": ["a", 1], "more": [], "by_name": {}, "from a newer process": 1}
    assert unpack(Outer, told) == Outer(Inner("a", 1), (), {})


@pytest.mark.parametrize(
    "told",
    [
        None,
        [],
        {},
        "text",
        {"one": None, "more": [], "by_name": {}},
        {"one": {"name": 1, "number": 1}, "more": [], "by_name": {}},
        {"one": {"name": "a", "number": True}, "more": [], "by_name": {}},
        {"one": {"name": "a", "number": 1.5}, "more": [], "by_name": {}},
        {"one": ["a", 1, 2], "more": [], "by_name": {}},
        {"one": ["a", 1], "more": "ab", "by_name": {}},
        {"one": ["a", 1], "more": [["a"]], "by_name": {}},
        {"one": ["a", 1], "more": [], "by_name": {"x": "1"}},
        {"one": ["a", 1], "more": [], "by_name": {}, "folder": 7},
    ],
)
def test_what_is_no_such_value_is_refused(told: Any) -> None:
    with pytest.raises(ValueError, match=r"expected|missing"):
        unpack(Outer, told)


def test_what_json_cannot_say_is_not_packed() -> None:
    with pytest.raises(TypeError, match="bytes"):
        pack({"a": b"x"})
