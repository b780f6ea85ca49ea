"""What stands around models: the machines that exist, and what visitors corrected."""

from collections.abc import Iterator, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, overload

from workbench.settings import Settings, from_environment
from workbench.verbs import backends
from workbench.verbs.machines import PROVIDERS, Machine
from workbench.verbs.workbench import opened

if TYPE_CHECKING:
    from ipywidgets import Widget

    from workbench.backends.correction_values import Correction, State

__all__ = ["Corrections", "Machines", "corrections", "machines"]


class Machines(Sequence[Machine]):
    """Machines of a provider as it tells of them, asked when somebody first looks; shown, they are a live picture of all."""

    def __init__(self, settings: Settings, provider: str) -> None:
        self._settings, self._provider = settings, provider

    @cached_property
    def _found(self) -> tuple[Machine, ...]:
        with opened(self._settings) as workbench:
            return tuple(workbench.machines.find(self._provider))

    @overload
    def __getitem__(self, place: int) -> Machine: ...
    @overload
    def __getitem__(self, place: slice) -> Sequence[Machine]: ...
    def __getitem__(self, place: int | slice) -> Machine | Sequence[Machine]:
        return self._found[place]

    def __len__(self) -> int:
        return len(self._found)

    def __iter__(self) -> Iterator[Machine]:
        return iter(self._found)

    def __repr__(self) -> str:
        return repr(list(self._found))

    def show(self) -> "Widget":
        """Show the machines of every provider in a notebook, live, and the clusters that stand."""
        from workbench.ui import parts

        return parts.machines(self._settings)


class Corrections(Sequence["Correction"]):
    """Drawings that visitors corrected, asked of the back end when somebody first looks; shown, they can be reviewed."""

    def __init__(self, settings: Settings, to: str | None, state: "State | None") -> None:
        self._settings, self._to, self._state = settings, to, state

    @cached_property
    def _found(self) -> "tuple[Correction, ...]":
        return backends.corrections(self._settings, to=self._to, state=self._state)

    @overload
    def __getitem__(self, place: int) -> "Correction": ...
    @overload
    def __getitem__(self, place: slice) -> "Sequence[Correction]": ...
    def __getitem__(self, place: int | slice) -> "Correction | Sequence[Correction]":
        return self._found[place]

    def __len__(self) -> int:
        return len(self._found)

    def __iter__(self) -> "Iterator[Correction]":
        return iter(self._found)

    def __repr__(self) -> str:
        return repr(list(self._found))

    def show(self) -> "Widget":
        """Show them in a notebook: look, accept or reject, and send what was accepted into a retraining."""
        from workbench.ui import parts

        return parts.corrections(self._settings)


def machines(provider: str = PROVIDERS[0]) -> Machines:
    """The machines that exist now, of ``local`` or ``aws``."""
    return Machines(from_environment(), provider)


def corrections(to: str | None = None, state: "State | None" = None) -> Corrections:
    """What visitors corrected, the oldest first; only ``waiting``, ``accepted`` or ``rejected`` where a state is given."""
    return Corrections(from_environment(), to, state)
