"""How people and spreadsheets write numbers: thousands set apart, decimal commas, percent and currency signs."""

import math
import re

_PLAIN = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?")
_UNIT = re.compile(r"[%‰$€£¥₹₽₩₺₴₫₦]")
_WRITTEN = re.compile(
    r"(?P<open>\()?(?P<sign>[+-]?)\s?(?:[$€£¥₹₽₩₺₴₫₦]\s?)?(?P<sign_after_unit>[+-]?)"
    r"(?P<digits>[.,]?\d[\d.,' ]*)(?P<power>[eE][+-]?\d+)?(?:\s?[%‰$€£¥₹₽₩₺₴₫₦])?(?(open)\))"
)
"""``(1,234.50 €)`` is minus 1234.5, as accountants write it."""
_APART = {
    fraction: re.compile(rf"\d{{1,3}}(?P<by>[{other} '])\d{{3}}(?:(?P=by)\d{{3}})*(?:\{fraction}\d*)?")
    for fraction, other in ((".", ","), (",", "."))
}
_FRACTION = {mark: re.compile(rf"\d+\{mark}?\d*|\{mark}\d+") for mark in ".,"}
_AS_ASCII = str.maketrans({"−": "-", "\u00a0": " ", "\u202f": " ", "\u2009": " ", "’": "'"})


def number(text: str, comma: bool = False) -> float:
    """The number that a cell is; raises ``ValueError`` for any other.

    A percent or currency sign beside it is no part of the value: ``5 %`` is 5.

    Parameters
    ----------
    comma
        A comma begins the fraction, and a point sets thousands apart.

    >>> number("1.234,5", comma=True), number("-2e3"), number("$1,234.50"), number("12 345"), number("(3.5)")
    (1234.5, -2000.0, 1234.5, 12345.0, -3.5)
    """
    plain = text.strip()
    if (comma and "." in plain) or not _PLAIN.fullmatch(plain):
        plain = _plain(plain, "," if comma else ".")
    value = float(plain)
    if not math.isfinite(value):
        raise ValueError(f"too large: {text[:40]!r}")
    return value


def readings(text: str) -> tuple[float | None, float | None]:
    """What a cell is with a point before the fraction, and with a comma; ``None`` where it is no number then.

    >>> readings("5"), readings("2.5"), readings("1.250"), readings("2,5"), readings("red")
    ((5.0, 5.0), (2.5, None), (1.25, 1250.0), (None, 2.5), (None, None))
    """
    if len(text) < 300 and _PLAIN.fullmatch(text):
        value = float(text)
        if math.isfinite(value):
            if "." not in text:
                return value, value
            if text[-4:-3] != ".":
                return value, None  # the commonest by far
    elif not any(digit in text for digit in "0123456789"):
        return None, None
    return _reading(text, False), _reading(text, True)


def is_number(text: str, comma: bool) -> bool:
    """Whether a cell is a number."""
    return _reading(text, comma) is not None


def unit(text: str) -> str:
    """The percent or currency sign in a number; empty where there is none.

    >>> unit("12 %"), unit("$5"), unit("5")
    ('%', '$', '')
    """
    found = _UNIT.search(text)
    return found[0] if found else ""


def _reading(text: str, comma: bool) -> float | None:
    try:
        return number(text, comma)
    except ValueError:
        return None


def _plain(text: str, fraction: str) -> str:
    """A number as Python writes it; raises ``ValueError`` where it is none."""
    written = _WRITTEN.fullmatch(text.translate(_AS_ASCII))
    if written is None or (written["sign"] and written["sign_after_unit"]):
        raise ValueError(f"no number: {text[:40]!r}")
    digits = written["digits"].rstrip()
    apart = _APART[fraction].fullmatch(digits)
    if apart:
        digits = digits.replace(apart["by"], "")
    elif not _FRACTION[fraction].fullmatch(digits):
        raise ValueError(f"no number: {text[:40]!r}")
    sign = written["sign"] or written["sign_after_unit"]
    if written["open"]:
        sign = "" if sign == "-" else "-"
    return f"{sign}{digits.replace(',', '.')}{written['power'] or ''}"
