"""Doubt of what a network answers that is not published yet, by the detector of this home."""

import json
from functools import cache
from pathlib import Path

import numpy as np

from workbench import doubt
from workbench.doubt import Detector, finding
from workbench.doubt.apart import Predict
from workbench.doubt.values import Doubt
from workbench.errors import ModelRefused
from workbench.node.companions import doubting
from workbench.settings import Settings, from_environment


def doubt_of(
    drawing: np.ndarray, picture: np.ndarray, predict: Predict, settings: Settings | None = None
) -> Doubt | None:
    """Tell what speaks against taking a drawing as one digit; ``None`` where nothing does.

    Where this home has no detector yet (it comes with the first version that is published), several digits that stand
    apart are told, and nothing else.

    Parameters
    ----------
    drawing, picture
        Ink ``(h, w)``, and the same as the network sees it, ``(28, 28)``; uint8, 0 = paper.
    predict
        Fitted pictures ``(n, 28, 28)`` to probabilities ``(n, 10)``: asked about the parts of a drawing.
    """
    detector = _read(_place((settings or from_environment()).home))
    return finding.find_doubt(picture, lambda: drawing, predict, detector)


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
