"""What in a drawing spoke for and against each class: parts of it are wiped away, and the model is asked again."""

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

GRIDS = 7, 5, 4
"""Parts of a side; coarser ones for slower models."""
BUDGET_S = 0.005
MOST_CLASSES = 10
INK = 32
MARGIN = 1 / 7
"""How far around a part it is wiped away with it, in sides: a stub that stays of a stroke still speaks for the whole stroke."""
_LEAST = 1e-6


def grid_for(answer_s: float) -> int | None:
    """The finest grid whose parts can all be asked about in :data:`BUDGET_S`; ``None`` where none is coarse enough."""
    return next((grid for grid in GRIDS if answer_s * grid * grid / 2 <= BUDGET_S), None)


def explain(
    predict: Callable[[NDArray[Any]], NDArray[np.float32]],
    x: NDArray[np.float32],
    seen: NDArray[np.uint8],
    scores: NDArray[np.float32],
    grid: int,
    paper: float,
) -> dict[str, object]:
    """How much the log odds of each class fall when a part and what is around it are wiped away: what speaks for it is positive.

    Parameters
    ----------
    x, seen
        The model's input ``(1, h, w, c)``, and the same as pixels.
    scores
        What it answers, ``(classes,)``.
    paper
        The input's value where nothing is drawn.
    """
    height, width = x.shape[1:3]
    rows = np.linspace(0, height, grid + 1).round().astype(int)
    columns = np.linspace(0, width, grid + 1).round().astype(int)
    drawn = seen.reshape(height, width, -1).max(axis=2) >= INK
    parts = [
        (i, j)
        for i in range(grid)
        for j in range(grid)
        if drawn[rows[i] : rows[i + 1], columns[j] : columns[j + 1]].any()
    ]
    classes = np.sort(np.argsort(-scores, kind="stable")[:MOST_CLASSES])
    changes = np.zeros((len(classes), grid, grid))
    if parts:
        asked = np.repeat(x, len(parts), axis=0)
        for n, (i, j) in enumerate(parts):
            asked[n, around(rows, i), around(columns, j)] = paper
        falls = _log_odds(scores[classes]) - _log_odds(predict(asked)[:, classes])
        for fall, (i, j) in zip(falls, parts, strict=True):
            changes[:, i, j] = fall
    return {
        "method": "occlusion",
        "grid": grid,
        "classes": classes.tolist(),
        "changes": [[round(value, 2) for value in one.ravel().tolist()] for one in changes],
    }


def around(edges: NDArray[Any], part: int) -> slice:
    """The pixels of a part along one side, and :data:`MARGIN` to either side of it."""
    side = int(edges[-1])
    margin = round(side * MARGIN)
    return slice(max(0, int(edges[part]) - margin), min(side, int(edges[part + 1]) + margin))


def _log_odds(p: NDArray[np.float32]) -> NDArray[np.float64]:
    clipped = np.clip(p.astype(np.float64), _LEAST, 1 - _LEAST)
    return np.log(clipped / (1 - clipped))
