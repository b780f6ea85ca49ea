"""Loss, accuracy and throughput of one job, or of several over each other."""

from collections.abc import Sequence

import ipywidgets

from workbench.jobs import Curve, Job, Point
from workbench.ui.widgets.curves import Curves, Series

COLORS = 8


class JobCharts:
    """Three charts over the steps of jobs; sends nothing where nothing changed."""

    def __init__(self) -> None:
        self.loss = Curves(title="Loss", x_label="steps")
        self.accuracy = Curves(title="Accuracy", x_label="steps", percent=True)
        self.throughput = Curves(title="Examples per second", x_label="steps")
        self.widget = ipywidgets.HBox([self.loss, self.accuracy, self.throughput])
        self.widget.add_class("wb-side").add_class("wb")

    def show_one(self, job: Job, curve: Curve) -> None:
        """The training and the validation part of one job."""
        self._set_range([job])
        for chart, name in ((self.loss, "loss"), (self.accuracy, "accuracy")):
            chart.show(
                _series("training", curve.training, name, color=1),
                _series("validation", curve.validation, name, color=2, dots=True),
            )
        self.throughput.show(_series("training", curve.training, "images_per_s", color=1))

    def show_several(self, jobs: Sequence[tuple[Job, Curve]]) -> None:
        """Several jobs over each other: a colour each; a line is training, dots are validation."""
        self._set_range([job for job, _ in jobs])
        for chart, name in (
            (self.loss, "loss"),
            (self.accuracy, "accuracy"),
            (self.throughput, "images_per_s"),
        ):
            series = []
            for n, (job, curve) in enumerate(jobs):
                color = n % COLORS + 1
                series.append(_series(f"{job.id} {job.name}", curve.training, name, color=color))
                if name != "images_per_s":
                    judged = _series(f"{job.id} validation", curve.validation, name, color=color, dots=True)
                    series.append(judged)
            chart.show(*series)

    def _set_range(self, jobs: Sequence[Job]) -> None:
        most = float(max((job.of or 0 for job in jobs), default=0))
        for chart in (self.loss, self.accuracy, self.throughput):
            chart.x_max = most


def _series(name: str, points: Sequence[Point], value: str, *, color: int, dots: bool = False) -> Series:
    there = [(p.step, y) for p in points if (y := getattr(p, value)) is not None]
    named = not name.endswith(" validation")
    return Series(name, [x for x, _ in there], [y for _, y in there], dots=dots, color=color, named=named)
