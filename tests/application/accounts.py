"""Accounts in which what comes before a step was done: one serves for as many trials as leave it as it was."""

import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path

from tests.application.steps import Outcome, User
from tests.emulator import Emulator

BEFORE: dict[str, tuple[str, ...]] = {
    "launch": (),
    "cluster": ("launch",),
    "job": ("launch",),
    "machines": ("launch",),
    "stop": ("launch",),
    "start": ("launch", "stop"),
    "audit": ("launch", "strays"),
    "adopt": ("launch", "cluster"),
    "release": ("launch", "cluster"),
}
"""What comes before a step. ``machines`` is a job in which its machines' calls fail, not those of who runs it."""
UNDO = {"cluster": "release_cluster", "stop": "start", "start": "stop", "audit": "strays"}
"""What brings back what a step found."""


class NotWell(Exception):
    """A step fails where nothing was to fail."""


class Accounts:
    """One account at a time, and the home of who owns it.

    Parameters
    ----------
    emulator
        It has one account; a new one takes its place.
    folder
        Where the homes go.
    """

    def __init__(self, emulator: Emulator, folder: Path) -> None:
        self.emulator = emulator
        self._folder = folder
        self._user: User | None = None
        self._done: tuple[str, ...] = ()
        self._found: object = None

    def new(self) -> User:
        """A new account and an empty home."""
        self.drop()
        self._user = user = new_user(self.emulator, self._folder)
        return user

    def before(self, step: str) -> User:
        """One in which what comes before the step was done.

        Raises
        ------
        NotWell
            What comes before fails, or the last account could not be released.
        """
        if self._user is None or self._done != BEFORE[step]:
            self.end()
            user = self.new()
            try:
                for one in BEFORE[step]:
                    do(user, one)
            except NotWell:
                self.drop()
                raise
            self._done, self._found = BEFORE[step], self._look()
        assert self._user is not None
        return self._user

    def is_as_before(self, step: str) -> bool:
        """Whether there is as much as the step found, and the same machines, once it is undone."""
        if self._look() != self._found and step in UNDO and self._user is not None:
            getattr(self._user, UNDO[step])()
        return self._look() == self._found

    def end(self) -> None:
        """Release what was kept for the next trial.

        Raises
        ------
        NotWell
            That fails, or leaves something.
        """
        try:
            if self._user is not None and self._done:
                if "strays" in self._done:
                    do(self._user, "audit")
                do(self._user, "release")
                if left := self._user.left():
                    raise NotWell(f"left after release: {left}")
        finally:
            self.drop()

    def drop(self) -> None:
        """Keep it no longer, whatever is left in it."""
        if self._user is not None:
            shutil.rmtree(self._user.home)
        self._user, self._done, self._found = None, (), None

    def _look(self) -> tuple[Mapping[str, int], Mapping[str, object]]:
        machines = self.emulator.instances().items()
        living = {id: (one["state"], one["tags"]) for id, one in machines if one["state"] != "terminated"}
        return {kind: len(names) for kind, names in self.emulator.resources().items()}, living


def new_user(emulator: Emulator, folder: Path) -> User:
    """A new account and an empty home."""
    emulator.reset()
    user = User(emulator, Path(tempfile.mkdtemp(dir=folder)))
    user.prepare()
    return user


def do(user: User, step: str) -> Outcome:
    """Do a step in which nothing is to fail.

    Raises
    ------
    NotWell
        It fails.
    """
    outcome: Outcome = getattr(user, step)()
    if outcome.code != 0:
        raise NotWell(f"{step} fails without any fault ({outcome.code}): {outcome.said[-1500:]}")
    return outcome
