"""Deploying to a back end, rolling back, asking it, and reviewing what its visitors corrected.

``to`` says which back end: ``None`` for the one that this computer uses, ``aws``, or a URL.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from workbench.backends.base import BackEnd
from workbench.backends.choice import open_backend
from workbench.backends.correction_values import Correction, State, Verdict
from workbench.backends.how import How
from workbench.backends.values import Classified, Deployment, Prediction
from workbench.errors import BadInput, NotAPicture, NotFound, PictureError, PictureTooLarge
from workbench.models import registry
from workbench.models.registry import Version
from workbench.pictures import headers
from workbench.settings import Settings

if TYPE_CHECKING:
    from workbench.datasets import Corrected

__all__ = [
    "BackEnd",
    "Classified",
    "Correction",
    "Deployment",
    "How",
    "Prediction",
    "Reviewed",
    "corrections",
    "deploy",
    "export",
    "keep_corrections",
    "open_backend",
    "predict",
    "review",
    "rollback",
    "serve",
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


MAX_PICTURE = 10 * 1024**2
"""Bytes that a back end takes."""


def predict(image: Path, settings: Settings, *, to: str | None = None) -> Prediction:
    """Ask which digit a picture file shows.

    Raises
    ------
    NotFound, BadInput
        There is no such file, it cannot be read, or it is no picture; nothing was sent then.
    """
    return open_backend(to, settings).predict(_read_picture(image))


def serve(
    image: str | None, model: str, settings: Settings, *, labels: str = "", how: How, to: str | None = None
) -> Classified:
    """Ask any model about a picture, or the inputs that ``how`` has; picture and model are a file here or a URL, and the
    model may be one that serves there.

    Parameters
    ----------
    model
        A zip, ``.keras`` or ``.onnx`` file, its URL, or ``NAME[:V]``.
    labels
        A label set that the back end knows, beside a file or URL.

    Raises
    ------
    NotFound, BadInput
        There is no such file, or it cannot be read.
    """
    found = _source(model) or (Path(model) if Path(model).exists() else None)
    if found is None and (labels or "/" in model or Path(model).suffix):
        raise NotFound(f"there is no model file {model}")
    picture = None if image is None else _source(image) or Path(image)
    if isinstance(picture, Path):
        _read_picture(picture)
    name = labels if found is not None else model
    return open_backend(to, settings).serve(picture, model=found, model_name=name or None, how=how)


def _read_picture(image: Path) -> bytes:
    """The bytes of a picture file, which is one by its header: no other file of this computer is sent anywhere."""
    try:
        with image.open("rb") as file:
            picture = file.read(MAX_PICTURE + 1)
    except FileNotFoundError as error:
        raise NotFound(f"there is no picture {image}") from error
    except OSError as error:
        raise BadInput(f"{image} cannot be read: {error.strerror}") from error
    if len(picture) > MAX_PICTURE:
        raise PictureTooLarge(
            f"{image} has more than {MAX_PICTURE:,} bytes, which no back end takes; it was not sent"
        )
    try:
        headers.read_header(picture)
    except NotAPicture as error:
        kinds = ", ".join(headers.KINDS)
        raise NotAPicture(f"{image} is no picture ({kinds}), so it was not sent") from error
    except PictureError as error:
        raise PictureError(f"{image}: {error}; it was not sent") from error
    return picture


def _source(text: str) -> str | None:
    return text if text.startswith(("http://", "https://", "data:")) else None


def corrections(
    settings: Settings, *, to: str | None = None, state: State | None = None
) -> tuple[Correction, ...]:
    """List what visitors corrected, in a state or in any, the oldest first; without pictures."""
    return open_backend(to, settings).corrections(state).corrections


@dataclass(frozen=True)
class Reviewed:
    """What was reviewed, and what was left since the model contradicts it."""

    done: tuple[Correction, ...]
    left: tuple[Correction, ...] = ()


def review(
    ids: Sequence[str] | None,
    verdict: Verdict,
    settings: Settings,
    *,
    to: str | None = None,
    writer: str | None = None,
    anyway: bool = False,
) -> Reviewed:
    """Accept or reject corrections; where ``ids`` is ``None``, all that wait, or all of a writer that do.

    Parameters
    ----------
    writer
        A name as it was given, or a session.
    anyway
        Accept also what is absurd: what the model is certain of being another digit, or none. Else such ones among all
        are left.

    Raises
    ------
    NotFound
        Nothing of this writer waits.
    BadInput
        One that was named is absurd.
    """
    backend = open_backend(to, settings)
    if ids is not None:
        wanted = _absurd(backend, ids) if verdict == "accept" and not anyway else ()
        if wanted:
            raise BadInput(
                f"{wanted[0].id[:12]} is said to be a {wanted[0].digit}, but {wanted[0].absurd}; look at it on the "
                "page Models and serving, or accept it all the same: --anyway"
            )
        return Reviewed(backend.review(ids, verdict))
    waiting = backend.corrections("waiting").corrections
    if writer is not None:
        waiting = tuple(c for c in waiting if writer and c.session and writer in (c.writer, c.session))
        if not waiting:
            raise NotFound(
                f"no drawing of a writer {writer!r} waits; workbench corrections lists who gave what"
            )
    left = tuple(c for c in waiting if verdict == "accept" and c.absurd and not anyway)
    return Reviewed(backend.review([c.id for c in waiting if c not in left], verdict), left)


def _absurd(backend: BackEnd, ids: Sequence[str]) -> tuple[Correction, ...]:
    found = [c for c in backend.corrections().corrections if c.absurd]
    return tuple(c for c in found if any(c.id.startswith(id_) for id_ in ids))


def export(settings: Settings, *, to: str | None = None) -> "Corrected":
    """Keep the accepted corrections as a data set version of this computer; the same ones are not kept twice."""
    return keep_corrections(open_backend(to, settings), settings)


def keep_corrections(backend: BackEnd, settings: Settings) -> "Corrected":
    """As :func:`export`, of a back end that is open."""
    from workbench.backends import exported  # NumPy comes with it

    return exported.keep_corrections(backend, settings)
