"""What the detector of this home makes of a drawing, for a network that is not published yet."""

import json
from functools import cache
from pathlib import Path

import numpy as np

from workbench import doubt
from workbench.doubt import Detector, Kind
from workbench.errors import ModelRefused
from workbench.node.companions import doubting
from workbench.settings import Settings, from_environment


def doubt_of(picture: np.ndarray, settings: Settings | None = None) -> Kind | None:
    """Tell what speaks against taking a fitted picture ``(28, 28)`` as one digit.

    ``None`` where nothing does, and where this home has no detector yet: it comes with the first version that is
    published.
    """
    detector = _read(_place((settings or from_environment()).home))
    if detector is None:
        return None
    judged = detector.judge(picture)
    return judged.kind if judged.score > detector.limit else None


@cache
def _place(home: Path) -> Path:
    return doubting.kept_at(from_environment({"WORKBENCH_HOME": str(home)}))


def _read(path: Path) -> Detector | None:
    return _read_once(path) if path.is_file() else None


@cache
def _read_once(path: Path) -> Detector | None:
    try:
        return doubt.parse(json.loads(path.read_bytes()))
    except (OSError, ValueError, AttributeError, ModelRefused):
        return None
