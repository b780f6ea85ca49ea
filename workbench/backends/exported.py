"""Corrections on their way from a back end to a data set version of this computer."""

import tempfile
from pathlib import Path

from workbench import artifact, datasets
from workbench.backends.base import BackEnd
from workbench.settings import Settings


def keep_corrections(backend: BackEnd, settings: Settings) -> datasets.Corrected:
    """Fetch the accepted corrections as a data set version, which recipes read with ``datasets.corrections()``.

    The same corrections are not kept twice: what is there already is given back.
    """
    with tempfile.TemporaryDirectory() as aside:
        folder = Path(aside) / "corrections"
        artifact.unpack(backend.export(Path(aside) / "corrections.zip"), folder)
        artifact.verify_files(folder)
        return datasets.add_corrections(folder, settings)
