"""An export measured before it is published: by a child that loads it back, without any of the recipe's code.

What a job's machines say of their model is their recipe's word, for it runs in the same process. So the figures of a
version are taken anew, on the held-out part that the machines leave beside the export. That it is what ``load_data``
gives is known by its digest, which the check took before there was a model.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from workbench.errors import ModelRefused, RecipeError
from workbench.lineage import CorrectedPart
from workbench.machines.local.provider import LocalProvider
from workbench.manifest import ModelOutput
from workbench.models.held_out import AGAIN, FILE
from workbench.tasks.child import TIMEOUT_S, Task, run_child

MEASURE_S = 1800.0
"""Of work, for the answers to the held-out part."""
_LATE = "the exported model had not answered the held-out part"
_OTHER = "the held-out part that the machines left is not what load_data() gives; it was measured on what load_data() gives"
_BY_CHANCE = (
    "load_data() gives another test part each time, so the figures are about the one that was there when the model was "
    "trained; give the split a seed"
)


@dataclass(frozen=True)
class Measured:
    """What was found of an export.

    Attributes
    ----------
    held_out
        The digest of the held-out part that is there; empty where there is none that can be read.
    metrics
        As ``Manifest.metrics``; empty where the held-out part is not the expected one.
    said
        Something that whoever reads the job's log should know.
    """

    held_out: str = ""
    metrics: Mapping[str, float] = field(default_factory=dict)
    output: ModelOutput | None = None
    corrections: CorrectedPart | None = None
    outputs: tuple[ModelOutput, ...] = ()
    said: str = ""


@dataclass(frozen=True)
class _Loaded:
    held_out: str


def measure(
    folder: Path,
    provider: LocalProvider,
    expected: str,
    *,
    timeout_s: float = MEASURE_S,
    stop: Callable[[], bool] = lambda: False,
) -> Measured:
    """Load the exported model of a job's folder in a fresh process and ask it about the held-out part.

    Its evaluation in ``export/`` is written anew.

    Parameters
    ----------
    folder
        With the recipe as it was submitted, whose ``load_data`` is called again where the held-out part is another one.
    expected
        The digest of the held-out part that the check saw; empty where nobody knows it.

    Raises
    ------
    ModelRefused
        It cannot be loaded, answers differently from what it answered where it was trained, or not at all.
    Stopped
        ``stop`` said so.
    """

    def on(file: str, expected: str) -> Measured:
        task = Task("version", held_out=file, expected=expected)
        return run_child(folder, task, Measured, provider, timeout_s, stop, _LATE)

    try:
        found = on(FILE, expected)
        if found.metrics:
            return found
        left, again = found.held_out, _load_again(folder, provider, stop, there=bool(found.held_out))
        if again and (not left or again == expected):
            found = replace(on(AGAIN, again), said=_OTHER if left else "")
        else:
            found = replace(on(FILE, left), said=_BY_CHANCE)
    except RecipeError as error:
        raise ModelRefused(f"the exported model cannot be used: {error}") from error
    if not found.metrics:
        raise ModelRefused("the held-out part cannot be read, so nobody knows how good the model is")
    return found


def _load_again(folder: Path, provider: LocalProvider, stop: Callable[[], bool], *, there: bool) -> str:
    """The digest of what ``load_data`` gives now; empty where it gives nothing, if something else is ``there``."""
    try:
        return run_child(
            folder, Task("data"), _Loaded, provider, TIMEOUT_S, stop, "load_data() had not ended"
        ).held_out
    except RecipeError:
        if there:
            return ""
        raise
