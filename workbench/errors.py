"""Every error that the workbench raises on purpose, and the exit code that each becomes.

WorkbenchError          something failed                       exit 1
├── BadInput            what the caller gave cannot be used    exit 2
├── NotFound            what the caller named does not exist   exit 3
├── RecipeError         the user's own code is at fault        exit 1
├── ModelRefused        a model version fails its own check    exit 1
└── Unavailable         a thing we need cannot be reached      exit 1

A message says what happened, the value received, and what to do next.
"""


class WorkbenchError(Exception):
    """Something failed; the message says what, why and what to do."""

    exit_code = 1


class BadInput(WorkbenchError):
    """What the caller gave cannot be used."""

    exit_code = 2


class NotFound(WorkbenchError):
    """What the caller named does not exist."""

    exit_code = 3


class RecipeError(WorkbenchError):
    """The user's own code is at fault.

    Attributes
    ----------
    field
        ``preprocessing``, ``training`` or ``helpers``; ``None`` where no single one is to blame.
    line
        Line in that field, counted from 1, or ``None``.
    traceback
        The user's own part of the traceback, as Python prints it.
    """

    def __init__(
        self, message: str, *, field: str | None = None, line: int | None = None, traceback: str = ""
    ) -> None:
        super().__init__(message)
        self.field = field
        self.line = line
        self.traceback = traceback


class ModelRefused(WorkbenchError):
    """A model version fails its own check; nothing was changed."""


class Unavailable(WorkbenchError):
    """A service, host or package source that is needed cannot be reached."""

    passing = True
    """Whether the same may work later without anybody doing anything."""
