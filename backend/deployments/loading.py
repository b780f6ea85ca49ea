"""Load all of a version that answers take part in: its manifest, its engine, and the detector that travels with it."""

from dataclasses import dataclass, field
from pathlib import Path

from backend.deployments import engines
from backend.deployments.engines import Engine
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


def load(folder: Path, manifest: Manifest, other: engines.Other | None = None) -> Loaded:
    """Load a version and let it answer its own examples.

    Raises
    ------
    NeedsTensorFlow, ModelRefused
        As :func:`engines.load`; or its detector is none that is known here.
    """
    detector = None
    if manifest.doubt is not None:
        if manifest.doubt != doubt.FILE:
            raise ModelRefused(f"{manifest} keeps its doubt in {manifest.doubt[:80]!r}, not in {doubt.FILE}")
        detector = doubt.read(folder)
    return Loaded(manifest, engines.load(folder, manifest, other), detector)
