"""The events themselves: frozen values, one for each kind of line."""

from dataclasses import dataclass, fields
from typing import ClassVar

PHASES = ("starting", "initializing", "training", "exporting", "done")
MAX_TEXT = 4_000
"""Characters of a message or a log line; of a longer one the beginning and the end are kept."""
MAX_TRACEBACK = 40_000


@dataclass(frozen=True)
class Event:
    """One line that a machine reports.

    Attributes
    ----------
    t
        Seconds since 1970 by the machine's clock; no two lines of one writer have the same.
    """

    kind: ClassVar[str]
    t: float
    role: str
    index: int


@dataclass(frozen=True)
class Phase(Event):
    """What the machine does from now on: one of ``PHASES``."""

    kind = "phase"
    phase: str


@dataclass(frozen=True)
class Progress:
    """How far a training is: reported by a machine, shown with a job, drawn beside a notebook.

    Attributes
    ----------
    step, of
        Batches done and to do in all.
    epoch
        The current one, from 1.
    loss, accuracy
        Mean over the batches since the report before; accuracy 0 to 1, ``None`` where the model has no such metric.
        A loss that is no number is ``None`` once it was reported.
    val_loss, val_accuracy
        On the validation part, where it was looked at.
    images_per_s
        Examples a second since the report before.
    eta_s
        Seconds likely still to spend: ``None`` at first, while only the tracing of the graph has been timed.
    """

    step: int
    of: int
    epoch: int
    loss: float | None = None
    accuracy: float | None = None
    val_loss: float | None = None
    val_accuracy: float | None = None
    images_per_s: float | None = None
    eta_s: float | None = None

    @property
    def validated(self) -> bool:
        """An epoch ended here and the validation part was looked at."""
        return self.val_loss is not None or self.val_accuracy is not None


@dataclass(frozen=True)
class Metric(Progress, Event):
    """A machine's progress at a time."""

    kind = "metric"


@dataclass(frozen=True)
class Log(Event):
    """A line for whoever reads the machine's log."""

    kind = "log"
    line: str


@dataclass(frozen=True)
class Error(Event):
    """What went wrong on a machine; ``field``, ``line`` and ``traceback`` as in ``RecipeError``."""

    kind = "error"
    message: str
    field: str | None = None
    line: int | None = None
    traceback: str = ""


MEASURED = tuple(field.name for field in fields(Progress))


def clean(text: str, limit: int = MAX_TEXT) -> str:
    """The text without halves of surrogate pairs, which no file or database takes, and at most ``limit`` long.

    Of a longer text the beginning and the end stay.
    """
    text = text.encode(errors="replace").decode()
    if len(text) <= limit:
        return text
    half = (limit - 50) // 2
    return f"{text[:half]}\n… {len(text) - 2 * half} characters left out …\n{text[-half:]}"
