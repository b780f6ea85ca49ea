"""Every error that the workbench raises on purpose, and the exit code that each becomes.

WorkbenchError          something failed                       exit 1
├── BadInput            what the caller gave cannot be used    exit 2
│   ├── TooLarge        it is larger than anything taken here
│   ├── PictureError    its bytes are no picture that can be taken
│   │   ├── PictureTooLarge     (a TooLarge too)
│   │   └── NotAPicture         it is of another kind
│   ├── NoPictureModel  the model named takes no pictures
│   └── UrlRefused      a URL leads where nothing is fetched from
├── NotFound            what the caller named does not exist   exit 3
├── RecipeError         the user's own code is at fault        exit 1
├── JobFailed           a job ended without its model       exit 1
├── SweepFailed         no trial of a sweep came to a version exit 1
├── ModelRefused        a model version fails its own check    exit 1
├── Unavailable         a thing we need cannot be reached      exit 1
│   ├── AllTaken        others have all there is just now
│   └── NoModel         no model serves yet
├── Conflict            the request contradicts what is there  exit 1
│   └── WrongOffset     a part of an upload begins elsewhere
├── TokenNeeded         the deploy token was not brought       exit 1
├── TooMany             more was sent than is taken in a while exit 1
├── Full                the disk, or a share of it, is full    exit 1
├── NotFetched          what a URL names could not be had      exit 1
└── NeedsTensorFlow     the extra "serving" is not installed   exit 1

A message says what happened, the value received, and what to do next.
"""


class WorkbenchError(Exception):
    """Something failed; the message says what, why and what to do."""

    exit_code = 1
    machines_since: float | None = None
    """Since when machines existed that were ended for it, in seconds since the epoch; ``None``: there were none."""


class BadInput(WorkbenchError):
    """What the caller gave cannot be used."""

    exit_code = 2


class TooLarge(BadInput):
    """What the caller gave is larger than anything that is taken."""


class PictureError(BadInput):
    """Bytes are no picture that can be taken: damaged, cut off, or one of the cases below."""


class PictureTooLarge(PictureError, TooLarge):
    """A picture has more bytes or pixels than are read."""


class NotAPicture(PictureError):
    """Bytes are of a kind that is no picture known here."""


class NoPictureModel(BadInput):
    """A model that was asked for takes no pictures."""


class UrlRefused(BadInput):
    """A URL is not fetched: for where it leads, or for what it is."""


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


class JobFailed(WorkbenchError):
    """A job failed or was terminated; the message says where and, with the user's own line, why.

    Attributes
    ----------
    job
        The job's id.
    traceback
        The user's own part of the traceback, as Python prints it.
    """

    def __init__(self, message: str, *, job: int, traceback: str = "") -> None:
        super().__init__(message)
        self.job = job
        self.traceback = traceback


class SweepFailed(WorkbenchError):
    """No trial of a sweep came to a version."""


class ModelRefused(WorkbenchError):
    """A model version fails its own check; nothing was changed."""


class Unavailable(WorkbenchError):
    """A service, host or package source that is needed cannot be reached."""

    passing = True
    """Whether the same may work later without anybody doing anything."""
    after_s = 2.0
    """Seconds after which a client may try again."""


class AllTaken(Unavailable):
    """Others have all the room that there is just now."""

    after_s = 5.0


class NoMachineFree(Unavailable):
    """A provider has no such machines just now; it may have some later."""


class NoModel(Unavailable):
    """No model serves yet; the message says what is under way."""


class Conflict(WorkbenchError):
    """The request contradicts what is there; nothing was changed.

    Attributes
    ----------
    after_s
        Seconds after which it may not any more, where that can be said.
    """

    def __init__(self, message: str, after_s: float | None = None) -> None:
        super().__init__(message)
        self.after_s = after_s


class WrongOffset(Conflict):
    """A part of an upload does not begin where the last one ended.

    Attributes
    ----------
    here
        How many bytes are there, so where the next part begins.
    """

    def __init__(self, message: str, here: int) -> None:
        super().__init__(message)
        self.here = here


class TokenNeeded(WorkbenchError):
    """The request needs the deploy token, or a signed link, and brings neither."""


class TooMany(WorkbenchError):
    """One caller, or all together, sent more than is taken in a while.

    Attributes
    ----------
    after_s
        Seconds after which more is taken.
    """

    def __init__(self, message: str, after_s: float) -> None:
        super().__init__(message)
        self.after_s = after_s


class Full(WorkbenchError):
    """The disk, or the share of it that something may take, is full; nothing was stored."""


class NotFetched(WorkbenchError):
    """The content that a URL names could not be had."""


class NeedsTensorFlow(WorkbenchError):
    """A model has no form that runs without TensorFlow, which the extra ``serving`` brings."""
