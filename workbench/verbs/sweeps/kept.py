"""Sweeps as they were asked for, kept so that another process, or a page, can go on with them and show them."""

import dataclasses
import json
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from workbench.errors import NotFound, Unavailable, WorkbenchError
from workbench.recipes.capitals import literal
from workbench.settings import Settings
from workbench.system import files, wire
from workbench.verbs import recipes
from workbench.verbs.requests import Request
from workbench.verbs.sweeps.asking import Asked, Options, ask

ENDING = ".asked.json"


@dataclass(frozen=True)
class Wish:
    """One sweep as it was asked for.

    Attributes
    ----------
    settings
        Values by name: a text as it was typed, or each value as Python writes it.
    t
        When it was first asked for, in seconds since 1970.
    error
        Why it came to nothing.
    """

    request: Request
    settings: Mapping[str, str | tuple[str, ...]]
    options: Options
    t: float
    error: str = ""

    def asked(self) -> Asked:
        """What is to be run; raises ``BadInput`` or ``RecipeError`` where this version cannot run it any more."""
        return ask(
            self.request,
            {n: s if isinstance(s, str) else [literal(one) for one in s] for n, s in self.settings.items()},
            self.options,
        )


def keep(asked: Asked, settings: Settings, error: str = "") -> Asked:
    """Keep it, and the files beside its recipe; give it as it is kept."""
    path = _path(asked.id, settings)
    path.parent.mkdir(parents=True, exist_ok=True)
    request = dataclasses.replace(asked.request, recipe=recipes.kept(asked.request.recipe, settings))
    try:
        t = read(asked.id, settings).t
    except WorkbenchError:
        t = time.time()
    said = {
        name: one if isinstance(one, str) else tuple(map(repr, one)) for name, one in asked.wanted.items()
    }
    wish = Wish(request, said, asked.options, t, error)
    files.write_json(path, wire.pack(wish), mode=0o600)
    return dataclasses.replace(asked, request=request)


def read(id: str, settings: Settings) -> Wish:
    """The sweep as it was asked for.

    Raises
    ------
    NotFound
        There is none.
    Unavailable
        Its file cannot be read.
    """
    if "/" in id or id.startswith("."):
        raise NotFound(f"there is no sweep {id[:80]!r}; see: workbench sweeps")
    try:
        return wire.unpack(Wish, json.loads(_path(id, settings).read_bytes()))
    except FileNotFoundError:
        raise NotFound(f"there is no sweep {id[:80]!r}; see: workbench sweeps") from None
    except (ValueError, OSError) as error:
        raise Unavailable(
            f"{_path(id, settings)} cannot be read: {error}; ask for the sweep again"
        ) from error


def ids(settings: Settings) -> list[str]:
    """Every sweep of this home, the one that was changed last first."""
    found = {path.name.removesuffix(ENDING): path for path in _folder(settings).glob(f"*{ENDING}")}
    return sorted(found, key=lambda id: (-found[id].stat().st_mtime, id))


def _folder(settings: Settings) -> Path:
    return settings.home / "sweeps"


def _path(id: str, settings: Settings) -> Path:
    return _folder(settings) / f"{id}{ENDING}"
