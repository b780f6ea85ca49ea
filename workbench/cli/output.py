"""Parts that the commands share: adding a verb, printing tables, shares and JSON."""

import argparse
import json as json_
from collections.abc import Callable, Sequence
from typing import Any

from workbench.cli.examples import BEGIN, EXAMPLES, GROUPS
from workbench.settings import Settings

MOST = 2**31 - 1
"""Of whatever one counts."""

Run = Callable[[argparse.Namespace, Settings], int | None]


def whole(least: int, most: int) -> Callable[[str], int]:
    """A type for ``add_argument``: a whole number within bounds.

    >>> whole(1, 9)("7")
    7
    """

    def parse(text: str) -> int:
        try:
            value = int(text)
        except ValueError:
            value = least - 1
        if not least <= value <= most:
            raise argparse.ArgumentTypeError(
                f"must be a whole number from {least} to {most:,}. Received: {text[:40]}"
            )
        return value

    return parse


class Verbs:
    """Adds verbs to a parser, all in the same way; ``--help`` shows them by their groups."""

    def __init__(self, parser: argparse.ArgumentParser) -> None:
        parser.formatter_class = argparse.RawDescriptionHelpFormatter
        self._parser = parser
        self._verbs = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
        self._verbs.help = "one of those below; workbench COMMAND --help says more"
        self.texts: dict[str, str] = {}
        """What each verb does."""

    @property
    def names(self) -> list[str]:
        return list(self._verbs.choices)

    @property
    def parsers(self) -> dict[str, argparse.ArgumentParser]:
        """The parser of each verb."""
        return dict(self._verbs.choices)

    def add(self, name: str, run: Run, text: str, *, json: bool = False) -> argparse.ArgumentParser:
        """A verb that ``run`` carries out; with ``json`` it takes ``--json``."""
        verb: argparse.ArgumentParser = self._verbs.add_parser(
            name,
            description=text,
            allow_abbrev=False,
            formatter_class=argparse.RawDescriptionHelpFormatter,
            epilog=_list("examples", EXAMPLES.get(name, ())),
        )
        self.texts[name] = text
        verb.set_defaults(run=run)
        if json:
            verb.add_argument("--json", action="store_true", help="one JSON value on standard output")
        return verb

    def show(self) -> None:
        """Have ``--help`` show all that was added."""
        parts = [
            _list(title, [f"{name:<12}{self.texts[name]}" for name in names])
            for title, names in GROUPS.items()
        ]
        self._parser.epilog = "\n\n".join([*parts, _list("to begin with", BEGIN)])


def _list(title: str, lines: Sequence[str]) -> str:
    return "\n  ".join([f"{title}:", *lines])


def json(value: Any) -> None:
    """Print one JSON value."""
    print(json_.dumps(value, indent=1, ensure_ascii=False))


def plain(text: str) -> str:
    """The text without what would steer a terminal: escapes, control and direction characters are shown as such.

    >>> plain("a\\x1b[31mb\\tc")
    'a\\\\x1b[31mb\\tc'
    """
    if text.isprintable():
        return text
    return "".join(c if c in "\n\t" or c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def columns(rows: Sequence[Sequence[str]]) -> str:
    """The rows as text, each column as wide as its widest cell."""
    rows = [[plain(cell) for cell in row] for row in rows]
    widths = [max(len(row[k]) for row in rows) for k in range(len(rows[0]))]
    return "\n".join("  ".join(t.ljust(w) for t, w in zip(row, widths, strict=True)).rstrip() for row in rows)


def sure(probability: float) -> str:
    """A probability in percent, as the pages write it: never 0 or 100, since back ends round what they answer.

    >>> sure(0.9743), sure(1), sure(0.0002)
    ('97.4 %', '>99.9 %', '<0.1 %')
    """
    if probability < 0.001:
        return "<0.1 %"
    return ">99.9 %" if probability > 0.999 else f"{100 * probability:.1f} %"


def percent(share: float | None) -> str:
    """0 to 1 as a percentage."""
    return "–" if share is None else f"{100 * share:.2f} %"
