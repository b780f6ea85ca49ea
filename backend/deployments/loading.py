"""Load all of a version that answers take part in: its manifest, its engine, and the detector that travels with it."""

from dataclasses import dataclass, field
from pathlib import Path

from backend.deployments import engines
from backend.deployments.engines import Engine
from backend.deployments.limits import DeafRuns
from workbench import doubt
from workbench.doubt import Detector
from workbench.errors import ModelRefused
from workbench.manifest import Manifest


@dataclass(frozen=True)
class Loaded:
    """A version in memory."""

    manifest: Manifest = field(repr=False)
    engine: Engine = field(repr=False)
    detector: Detector | None = field(default=None, repr=False)
    """Tells what is no single digit; of versions that have one."""


def load(
    folder: Path, manifest: Manifest, other: engines.Other | None = None, deaf: DeafRuns | None = None
) -> Loaded:
    """Load a version and let it answer its own examples.

    Raises
    ------
    NeedsTensorFlow, ModelRefused
        As :func:`engines.load`; or its detector is none that is known here.
    """
    detector = read_detector(folder, manifest)
    return Loaded(manifest, engines.load(folder, manifest, other, deaf=deaf), detector)


def read_detector(folder: Path, manifest: Manifest) -> Detector | None:
    """Read the detector of a version that has one.

    Raises
    ------
    ModelRefused
        It is none that is known here.
    """
    if manifest.doubt is None:
        return None
    if manifest.doubt != doubt.FILE:
        raise ModelRefused(f"{manifest} keeps its doubt in {manifest.doubt[:80]!r}, not in {doubt.FILE}")
    return doubt.read(folder)
