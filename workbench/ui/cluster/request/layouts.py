"""An estimate as a chart over layouts: the one that is asked for is marked, and one click takes another."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import anywidget
import traitlets

from workbench.estimates.layouts import Choice
from workbench.ui.widgets import theme
from workbench.ui.widgets.formats import duration, money, narrow_layout


class LayoutChart(anywidget.AnyWidget):
    """A bar for each layout, as long as the job would take in it; nothing is there before an estimate.

    Parameters
    ----------
    take
        Called with the numbers of parameter servers and workers of the layout that was pressed.
    """

    _esm = theme.esm("layouts")
    _css = theme.css("cluster")
    choices = traitlets.List(traitlets.Dict()).tag(sync=True)

    def __init__(self, take: Callable[[int, int], None]) -> None:
        super().__init__()
        self._take = take
        self.on_msg(lambda _, message, buffers: self._pressed(message))

    def show(self, choices: Sequence[Choice]) -> None:
        """Show what an estimate offers; a single layout leaves nothing to choose."""
        self.choices = [_row(one) for one in choices] if len(choices) > 1 else []

    def clear(self) -> None:
        """Show nothing."""
        self.choices = []

    def _pressed(self, message: Mapping[str, Any]) -> None:
        for row in self.choices:
            if (row["ps"], row["workers"]) == (message.get("ps"), message.get("workers")):
                self._take(row["ps"], row["workers"])
                return


def _row(one: Choice) -> dict[str, object]:
    return {
        "ps": one.layout.ps,
        "workers": one.layout.workers,
        "name": narrow_layout(one.layout.ps, one.layout.workers),
        "seconds": one.seconds,
        "said": f"{duration(one.seconds)}, {money(one.price)}",
        "chosen": one.chosen,
        "better": one.better,
    }
