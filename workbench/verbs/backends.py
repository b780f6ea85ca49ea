"""Deploying to a back end, rolling back, asking it, and reviewing what its visitors corrected.

``to`` says which back end: ``None`` for the one that this computer uses, ``aws``, or a URL.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from workbench.backends.base import BackEnd
from workbench.backends.choice import open_backend
from workbench.backends.correction_values import Correction, State, Verdict
from workbench.backends.values import Deployment, Prediction
from workbench.errors import BadInput, NotFound
from workbench.models import registry
from workbench.models.registry import Version
from workbench.settings import Settings

if TYPE_CHECKING:
    from workbench.datasets import Corrected

__all__ = [
    "BackEnd",
    "Correction",
    "Deployment",
    "Prediction",
    "corrections",
    "deploy",
    "export",
    "keep_corrections",
    "open_backend",
    "predict",
    "review",
    "rollback",
]


def deploy(
    reference: str,
    settings: Settings,
    *,
    to: str | None = None,
    reason: str = "",
    canary: float | None = None,
    anyway: bool = False,
) -> tuple[Version, Deployment]:
    """Put the version that ``NAME[:V]`` names behind a back end; the version, and the model as it then serves.

    Raises
    ------
    NotFound
        There is no such version.
    ModelRefused
        The back end's own check failed; what served before goes on serving.
    """
    version = registry.find(reference, settings)
    backend = open_backend(to, settings)
    return version, backend.deploy(
        version, who=settings.requester, reason=reason, canary=canary, anyway=anyway
    )


def rollback(name: str, settings: Settings, *, to: str | None = None, reason: str = "") -> Deployment:
    """Let the version before answer again; the model as it then serves."""
    return open_backend(to, settings).rollback(name, who=settings.requester, reason=reason)


def predict(image: Path, settings: Settings, *, to: str | None = None) -> Prediction:
    """Ask which digit a picture file shows.

    Raises
    ------
    NotFound, BadInput
        There is no such file, or it cannot be read.
    """
    try:
        picture = image.read_bytes()
    except FileNotFoundError as error:
        raise NotFound(f"there is no picture {image}") from error
    except OSError as error:
        raise BadInput(f"{image} cannot be read: {error.strerror}") from error
    return open_backend(to, settings).predict(picture)


def corrections(
    settings: Settings, *, to: str | None = None, state: State | None = None
) -> tuple[Correction, ...]:
    """List what visitors corrected, in a state or in any, the oldest first; without pictures."""
    return open_backend(to, settings).corrections(state).corrections


def review(
    ids: Sequence[str] | None, verdict: Verdict, settings: Settings, *, to: str | None = None
) -> tuple[Correction, ...]:
    """Accept or reject corrections, all that wait where ``ids`` is ``None``; those that were reviewed."""
    backend = open_backend(to, settings)
    if ids is None:
        ids = [correction.id for correction in backend.corrections("waiting").corrections]
    return backend.review(ids, verdict)


def export(settings: Settings, *, to: str | None = None) -> "Corrected":
    """Keep the accepted corrections as a data set version of this computer; the same ones are not kept twice."""
    return keep_corrections(open_backend(to, settings), settings)


def keep_corrections(backend: BackEnd, settings: Settings) -> "Corrected":
    """As :func:`export`, of a back end that is open."""
    from workbench.backends import exported  # NumPy comes with it

    return exported.keep_corrections(backend, settings)
