"""Recipes made from what a data set is."""

import shutil
from pathlib import Path
from typing import TYPE_CHECKING

from workbench.errors import BadInput, Conflict, NotFound
from workbench.models import registry
from workbench.settings import Settings
from workbench.verbs.datasets.kept import find

if TYPE_CHECKING:
    from workbench.datasets.kept.values import DatasetManifest

MAX_GIVEN = 48 * 1024**2
"""Bytes of what a recipe's backbone has learned; all that travels beside a recipe has at most 50 MB."""


def recipe(
    reference: str,
    folder: Path,
    settings: Settings,
    *,
    forecast: bool = False,
    backbone: str | None = None,
    weights: Path | None = None,
) -> list[Path]:
    """Write a recipe that is made from what a version is, into a new folder; its files.

    Parameters
    ----------
    forecast
        Tell the target of a later row from those of the rows before, by their date.
    backbone
        For pictures: a net of ``keras.applications`` whose ``weights`` are given, a ``.keras`` file, or a published ``NAME[:V]``.

    Raises
    ------
    NotFound, BadInput, Conflict
        There is no such data set, no recipe for it, or something at the folder.
    """
    from workbench.datasets.templates import forecasting, plain, transfer

    found = find(reference, settings)
    beside: dict[str, Path] = {}
    if forecast and backbone is not None:
        raise BadInput("a backbone is for pictures, which are not forecast: leave one of the two out")
    if weights is not None and backbone not in transfer.KNOWN:
        raise BadInput(f"weights are for a backbone of {', '.join(transfer.KNOWN)}. Received: {backbone}")
    if forecast:
        files = forecasting.make(found)
    elif backbone is not None:
        files = transfer.make(found, backbone)
        beside = _given(backbone, weights, settings)
    else:
        files = plain.make(found)
    if folder.exists() and any(folder.iterdir() if folder.is_dir() else [folder]):
        raise Conflict(f"there is something at {folder}; name a new folder")
    if not folder.parent.is_dir():
        raise BadInput(f"there is no folder {folder.parent}; make it first")
    folder.mkdir(exist_ok=True)
    for name, text in files.items():
        (folder / name).write_text(text)
    for name, source in beside.items():
        shutil.copyfile(source, folder / name)
    return [folder / name for name in (*files, *beside)]


def ways(manifest: "DatasetManifest") -> tuple[str, ...]:
    """The kinds of recipes that can be made of a version: ``plain``, ``forecast``, ``backbone``."""
    from workbench.datasets.templates import forecasting

    return (
        "plain",
        *(["forecast"] if forecasting.is_series(manifest) else []),
        *(["backbone"] if manifest.kind == "pictures" else []),
    )


def _given(backbone: str, weights: Path | None, settings: Settings) -> dict[str, Path]:
    """The file with what a backbone has learned, by the name that it has beside the recipe."""
    from workbench.datasets.templates import transfer

    if backbone in transfer.KNOWN:
        if weights is None:
            name = transfer.KNOWN[backbone].name
            raise BadInput(
                f"say where its weights are: --weights FILE; Keras offers those of {name} without its top, as a .h5 file"
            )
        name, source = transfer.WEIGHTS, weights
    elif Path(backbone).suffix == ".keras":
        name, source = transfer.OWN, Path(backbone)
    else:
        name, source = transfer.OWN, registry.find(backbone, settings).folder / "model.keras"
    try:
        size = source.stat().st_size
    except OSError as error:
        raise NotFound(f"there is no file {source}: {error.strerror}") from error
    if size > MAX_GIVEN:
        raise BadInput(f"{source} has {size:,} bytes; at most {MAX_GIVEN:,} travel beside a recipe")
    return {name: source}
