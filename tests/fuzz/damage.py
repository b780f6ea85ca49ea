"""Damaged copies of valid inputs, the same for the same seed."""

import random
from collections.abc import Callable, Sequence

TELLING = (
    b"\x00", b"\xff", b"\xff\xff\xff\xff", b"\x7f\xff\xff\xff", b"\x80\x00\x00\x00", b"-1", b"0", b"1e999", b"NaN", b"null",
    b"true", b"[]", b"{}", b'"', b"\\u0000", b"\xed\xa0\x80", b"../", b"/etc/passwd", b"%00", b"%2e%2e", b"\r\n", b"@", b"#",
    b"[::1]", b"127.1", b"9" * 40, b"x" * 300, "ſıé🎉".encode(), b"PK\x03\x04", b"IDAT", b"IEND",
)  # fmt: skip
"""What readers of text, numbers, paths and addresses stumble over."""
MOST_STEPS = 6


def damage(examples: Sequence[bytes], chance: random.Random) -> bytes:
    """One example, with one to six things done to it."""
    made = bytearray(chance.choice(examples))
    for _ in range(chance.randint(1, MOST_STEPS)):
        chance.choice(STEPS)(made, examples, chance)
    return bytes(made)


def _flip(made: bytearray, examples: Sequence[bytes], chance: random.Random) -> None:
    if made:
        made[chance.randrange(len(made))] ^= 1 << chance.randrange(8)


def _overwrite(made: bytearray, examples: Sequence[bytes], chance: random.Random) -> None:
    at, telling = _place(made, chance), chance.choice(TELLING)
    made[at : at + len(telling)] = telling


def _insert(made: bytearray, examples: Sequence[bytes], chance: random.Random) -> None:
    at = _place(made, chance)
    made[at:at] = chance.choice(TELLING)


def _cut(made: bytearray, examples: Sequence[bytes], chance: random.Random) -> None:
    at = _place(made, chance)
    del made[at : at + chance.randint(1, 40)]


def _end_early(made: bytearray, examples: Sequence[bytes], chance: random.Random) -> None:
    del made[_place(made, chance) :]


def _repeat(made: bytearray, examples: Sequence[bytes], chance: random.Random) -> None:
    at = _place(made, chance)
    made[at:at] = made[at : at + chance.randint(1, 60)]


def _splice(made: bytearray, examples: Sequence[bytes], chance: random.Random) -> None:
    other = chance.choice(examples)
    begin = chance.randrange(len(other) + 1)
    at = _place(made, chance)
    made[at : at + chance.randint(0, 60)] = other[begin : begin + chance.randint(1, 120)]


def _place(made: bytearray, chance: random.Random) -> int:
    return chance.randrange(len(made) + 1)


STEPS: tuple[Callable[[bytearray, Sequence[bytes], random.Random], None], ...] = (
    _flip,
    _overwrite,
    _insert,
    _cut,
    _end_early,
    _repeat,
    _splice,
)
