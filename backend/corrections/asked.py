"""The body of ``POST /corrections``, read once: a drawing with its true digit, or the wish to take some back."""

import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass

from backend.corrections.values import COLLECTED, CORRECTION, KINDS
from workbench.errors import BadInput, TooLarge

MOST_AT_ONCE = 500
"""Drawings that are taken back, or reviewed, by one request."""
LONGEST_NAME = 40
LONGEST_COLLECTED = 512 * 1024
"""Characters of a collected drawing's data URL: it is a page's canvas, never a photo."""
_SESSION = re.compile(r"[A-Za-z0-9_-]{16,64}")


@dataclass(frozen=True)
class AskedCorrection:
    """A drawing, as a data URL, and what was said of it."""

    image: str
    digit: int | None
    predicted: int | None
    kind: str
    writer: str
    session: str

    @classmethod
    def parse(cls, asked: Mapping[str, object]) -> "AskedCorrection":
        """Check all but the digits' range, which the model's labels give.

        Raises
        ------
        BadInput
            A field is missing or not what it must be.
        """
        image, kind = asked.get("image"), asked.get("kind", CORRECTION)
        if not isinstance(image, str):
            raise BadInput('"image" must be a data URL: {"image": "data:image/png;base64,…", …}')
        if kind not in KINDS:
            raise BadInput(f'"kind" is {" or ".join(KINDS)}. Received: {str(kind)[:40]!r}')
        session = asked.get("session") or ""
        if kind == COLLECTED:
            if len(image) > LONGEST_COLLECTED:
                raise TooLarge(
                    f"a collected drawing has at most {LONGEST_COLLECTED:,} characters. Received: {len(image):,}"
                )
            if not isinstance(session, str) or not _SESSION.fullmatch(session):
                raise BadInput(
                    '"session" is 16 to 64 letters and digits that the page makes up for one writer'
                )
        return cls(
            image,
            _whole(asked, "digit"),
            _whole(asked, "predicted"),
            str(kind),
            _name(asked.get("writer")) if kind == COLLECTED else "",
            str(session) if kind == COLLECTED else "",
        )


def parse_secrets(value: object) -> list[str]:
    """Check the secrets of drawings that are to be taken back: one, or a list.

    Raises
    ------
    BadInput
        That is not what came.
    """
    given = value if isinstance(value, list) else [value]
    if not 0 < len(given) <= MOST_AT_ONCE or not all(isinstance(s, str) and 0 < len(s) <= 64 for s in given):
        raise BadInput(f'"take_back" is a secret that came with a drawing, or up to {MOST_AT_ONCE} of them')
    return [str(secret) for secret in given]


def check_digit(value: int | None, name: str, labels: int) -> int | None:
    """Give the digit back if it is one of so many classes, or ``None``."""
    if value is not None and not 0 <= value < labels:
        raise BadInput(f'"{name}" is a whole number from 0 to {labels - 1}. Received: {str(value)[:40]}')
    return value


def _whole(asked: Mapping[str, object], name: str) -> int | None:
    value = asked.get(name)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int):
        raise BadInput(f'"{name}" is a whole number. Received: {str(value)[:40]}')
    return value


def _name(value: object) -> str:
    """A writer's name without what no name has: line ends, control and invisible characters."""
    if value is None:
        return ""
    if not isinstance(value, str) or len(value) > 400:
        raise BadInput(f'"writer" is a name of at most {LONGEST_NAME} characters, or left out')
    visible = "".join(c if unicodedata.category(c)[0] not in "CZ" else " " for c in value)
    name = " ".join(visible.split())
    if len(name) > LONGEST_NAME:
        raise BadInput(f'"writer" is a name of at most {LONGEST_NAME} characters. Received: {len(name)}')
    return name
