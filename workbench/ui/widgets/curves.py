"""A line chart for curves that grow while one watches."""

from collections.abc import Sequence
from dataclasses import dataclass

import anywidget
import numpy as np
import traitlets

from workbench.ui.widgets import theme

MAX_POINTS = 400


@dataclass(frozen=True)
class Series:
    """One curve: its name, where its points are, and whether they are few enough to be marked."""

    name: str
    x: Sequence[float]
    y: Sequence[float]
    dots: bool = False
    color: int = 1
    """1 to 8, of ``--wb-series-…``."""
    named: bool = True
    """True where the legend names it; a second curve of the same thing may go without."""


class Curves(anywidget.AnyWidget):
    """Several series over one x axis; points at which the pointer is are read out together."""

    _esm = theme.esm("curves")
    _css = theme.css("curves")
    title = traitlets.Unicode().tag(sync=True)
    x_label = traitlets.Unicode().tag(sync=True)
    x_max = traitlets.Float(0.0).tag(sync=True)
    percent = traitlets.Bool(False).tag(sync=True)
    height = traitlets.Int(190).tag(sync=True)
    series = traitlets.List(traitlets.Dict()).tag(sync=True)

    def show(self, *series: Series) -> None:
        """Replace the curves; sends nothing where nothing changed."""
        self.series = [_describe(one) for one in series]


def _describe(series: Series) -> dict[str, object]:
    x, y = thin(series.x, series.y)
    same = {name: getattr(series, name) for name in ("name", "dots", "color", "named")}
    return {**same, "x": x, "y": y}


def thin(x: Sequence[float], y: Sequence[float], limit: int = MAX_POINTS) -> tuple[list[float], list[float]]:
    """Thin to at most ``limit`` points that look the same: of each stretch its lowest and its highest, and both ends.

    >>> thin([0, 1, 2, 3], [5.0, 6.0, 5.0, 7.0], limit=10)
    ([0.0, 1.0, 2.0, 3.0], [5.0, 6.0, 5.0, 7.0])
    """
    xs, ys = np.asarray(x, float), np.asarray(y, float)
    if len(xs) > limit:
        keep = {0, len(xs) - 1}
        for stretch in np.array_split(np.arange(1, len(xs) - 1), (limit - 2) // 2):
            keep.update((int(stretch[ys[stretch].argmin()]), int(stretch[ys[stretch].argmax()])))
        chosen = sorted(keep)
        xs, ys = xs[chosen], ys[chosen]
    return [round(float(v), 4) for v in xs], [round(float(v), 5) for v in ys]
