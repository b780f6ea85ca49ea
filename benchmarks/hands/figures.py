"""All that is measured of one model: writers, pens, calibration, doubt, paper, places, scans."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from benchmarks import scans, writers
from benchmarks.hands import others
from benchmarks.hands.models import Asked
from benchmarks.hands.written import PENS, Grey, Written, moved
from workbench import datasets
from workbench.pictures import ink
from workbench.pictures.decoders import Planes
from workbench.settings import Settings

BINS = 10
EACH = 30
"""Digits on each kind of paper."""
DRAWINGS = 300
"""Of each kind that is no digit."""

See = Callable[[Grey], Grey]


@dataclass(frozen=True)
class Pen:
    """What a model made of all digits with one pen; shares are from 0 to 1."""

    pen: int
    right: NDArray[np.bool_]
    writers: NDArray[np.int64]
    said: NDArray[np.float32]
    """The probability of each answer."""
    doubted: NDArray[np.bool_]

    def share(self, odd: bool) -> float:
        """The share of right answers for odd-numbered writers, or even-numbered ones."""
        return float(self.right[self._are(odd)].mean())

    def worst(self, odd: bool) -> tuple[float, int]:
        """The writer who is read least well, and how well."""
        found = np.unique(self.writers[self._are(odd)])
        return min((float(self.right[self.writers == w].mean()), int(w)) for w in found)

    def calibration(self, odd: bool) -> float:
        """Expected calibration error: how far off what is said is from what is right, on average."""
        return calibration(self.said[self._are(odd)], self.right[self._are(odd)])

    def doubts(self, odd: bool) -> float:
        """The share of digits that are doubted."""
        return float(self.doubted[self._are(odd)].mean())

    def _are(self, odd: bool) -> NDArray[np.bool_]:
        return np.asarray(self.writers % 2 == odd)


@dataclass(frozen=True)
class Figures:
    """What was measured of one model; shares are from 0 to 1."""

    told: str
    pens: tuple[Pen, ...]
    anywhere: float
    mnist: float
    mnist_doubted: float
    scans: dict[str, float]
    papers: dict[str, int]
    """Of :data:`EACH` digits on each kind of paper, how many are read rightly; empty where no paper is looked for."""
    told_apart: dict[str, float]
    """The share of each kind of drawing that is no digit and is doubted; empty for a model that never doubts."""


def measure(
    asked: Asked, written: Sequence[Written], see: See, settings: Settings, *, fitted: bool
) -> Figures:
    """Measure all; ``fitted`` says whether pictures are seen as the back end sees them."""
    pens = tuple(measure_pen(asked, written, pen, see) for pen in PENS)
    places = [(digit, see(canvas)) for digit, canvas in moved(written)]
    _, (x, y) = datasets.load("mnist", settings)
    read = asked.predict(x[..., None]).argmax(axis=1)
    odd = [one for one in written if one.writer % 2]
    return Figures(
        asked.told,
        pens,
        _right(asked, places),
        float((read == y).mean()),
        float(_doubted(asked, x).mean()),
        {one.name: writers.ask(asked.predict, one, *scans.load(one, settings)).accuracy for one in scans.SETS}
        if fitted
        else {},
        on_papers(asked, odd) if fitted else {},
        tell_apart(asked, odd) if fitted and asked.detector else {},
    )


def measure_pen(asked: Asked, written: Sequence[Written], pen: int, see: See) -> Pen:
    """Ask the model about all digits, drawn where and as large as they were written."""
    pictures = np.stack([see(one.on_canvas(pen)) for one in written])
    answers = asked.predict(pictures[..., None])
    right = answers.argmax(axis=1) == np.array([one.digit for one in written])
    by = np.array([one.writer for one in written])
    return Pen(pen, right, by, answers.max(axis=1), _doubted(asked, pictures))


def calibration(said: NDArray[np.float32], right: NDArray[np.bool_]) -> float:
    """Mean distance between what is said and what is right, over tenths of what is said, weighed by how many there are.

    >>> calibration(np.array([0.75, 0.75, 0.75, 0.75], np.float32), np.array([True, True, True, False]))
    0.0
    """
    tenth = np.minimum((said * BINS).astype(int), BINS - 1)
    parts = [(tenth == t) for t in np.unique(tenth)]
    return float(sum(abs(said[p].mean() - right[p].mean()) * p.mean() for p in parts))


def on_papers(asked: Asked, written: Sequence[Written]) -> dict[str, int]:
    """How many of 30 people's digits are read on each kind of paper."""
    from tests.pictures import papers

    found = {}
    for name, paper in papers.KINDS.items():
        random = np.random.default_rng([EACH, len(name)])
        seen, digits = [], []
        for k in random.integers(len(written), size=EACH):
            drawn = written[k].on_canvas(int(random.integers(10, 22)))
            picture = paper(drawn / 255, random)
            planes = tuple(np.ascontiguousarray(picture[..., channel]) for channel in range(3))
            fitted = ink.fit(ink.find_ink(Planes(planes, None)))
            seen.append(np.zeros((28, 28), np.uint8) if fitted is None else fitted)
            digits.append(written[k].digit)
        answers = asked.predict(np.stack(seen)[..., None]).argmax(axis=1)
        found[name] = int((answers == np.array(digits)).sum())
    return found


def tell_apart(asked: Asked, written: Sequence[Written]) -> dict[str, float]:
    """The share of each kind of drawing that is no digit and is doubted by the detector."""
    found = {}
    for name, kind in others.KINDS.items():
        random = np.random.default_rng([DRAWINGS, len(name)])
        seen = [ink.fit(kind(random, written)) for _ in range(DRAWINGS)]
        found[name] = float(_doubted(asked, np.stack([one for one in seen if one is not None])).mean())
    return found


def _right(asked: Asked, pictures: Sequence[tuple[int, Grey]]) -> float:
    digits, seen = zip(*pictures, strict=True)
    return float((asked.predict(np.stack(seen)[..., None]).argmax(axis=1) == np.array(digits)).mean())


def _doubted(asked: Asked, pictures: Grey) -> NDArray[np.bool_]:
    if asked.detector is None:
        return np.zeros(len(pictures), bool)
    scores = [asked.detector.scores(pictures[k : k + 500]) for k in range(0, len(pictures), 500)]
    return np.asarray(np.concatenate(scores) > asked.detector.limit)
