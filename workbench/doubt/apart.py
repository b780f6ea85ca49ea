"""Read several digits in one drawing: find the cuts between which every part is a digit.

    ink ──▶ pieces that hang together, or strips between places with little ink ──fit──▶ each read, and doubted, on its own

Strips beside one another are tried first, then strips one above the other. The cuts with the likeliest parts win.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from workbench.doubt import Detector
from workbench.doubt.values import Part
from workbench.pictures import ink

Predict = Callable[[NDArray[np.uint8]], NDArray[np.float32]]
"""Fitted pictures ``(n, 28, 28)`` to probabilities ``(n, 10)``."""
MOST = 6
"""Digits, at most, that a drawing is read as."""
SURE = 0.5
"""Probability, at least, with which each part is a digit."""
TALL = 0.5
"""Part of the tallest piece's height from which a piece is a digit, and no stroke of one."""
SIDE = 320
"""Pixels of the drawing's longer side while it is cut."""
CUTS = 8
"""Places, at most, where a drawing is cut."""
NARROW, WIDE = 0.12, 1.5
"""A part's length along the row in its height across, at least and at most."""
SURE_INK = 64


def read_apart(
    drawn: ink.Ink, predict: Predict, detector: Detector | None, *, cut: bool = True
) -> tuple[Part, ...]:
    """Read the digits of a drawing from left to right, or from above; empty where it is not cut into digits alone.

    Without ``cut`` only pieces that do not touch are read.
    """
    crop = _crop(drawn)
    if crop is None:
        return ()
    read = _Reader(predict, detector)
    if parts := read.whole(_pieces(crop)):
        return parts
    if not cut:
        return ()
    found = [_cut(crop, read), tuple(_cut(np.ascontiguousarray(crop.T), read, turned=True))]
    return max(found, key=lambda parts: min((part.probability for part in parts), default=0.0))


@dataclass(frozen=True)
class _Reader:
    predict: Predict
    detector: Detector | None

    def all(self, parts: Sequence[ink.Ink]) -> list[tuple[Part, float] | None]:
        """Read each part, with what speaks for it, 0 to 1; ``None`` for one that is no digit."""
        fitted = [ink.fit(part) for part in parts]
        there = [k for k, one in enumerate(fitted) if one is not None]
        answers: list[tuple[Part, float] | None] = [None] * len(parts)
        if not there:
            return answers
        seen = np.stack([np.asarray(fitted[k], np.uint8) for k in there])
        scores = self.predict(seen)
        doubts = np.zeros(len(seen)) if self.detector is None else self.detector.scores(seen)
        limit = 1.0 if self.detector is None else self.detector.limit
        for k, row, doubted in zip(there, scores, doubts, strict=True):
            probability = float(row.max())
            if SURE <= probability <= 1 and row.min() >= 0 and doubted <= limit:
                part = Part(int(row.argmax()), tuple(float(p) for p in row))
                answers[k] = part, probability * (1 - float(doubted))
        return answers

    def whole(self, parts: Sequence[ink.Ink]) -> tuple[Part, ...]:
        """Read all parts; empty unless there are several and each is a digit."""
        if not 2 <= len(parts) <= MOST:
            return ()
        answers = [answer for answer in self.all(parts) if answer is not None]
        return tuple(part for part, _ in answers) if len(answers) == len(parts) else ()


def _crop(drawn: ink.Ink) -> ink.Ink | None:
    x, y, width, height = cv2.boundingRect(cv2.threshold(drawn, SURE_INK - 1, 255, cv2.THRESH_BINARY)[1])
    if not width:
        return None
    crop = drawn[y : y + height, x : x + width]
    scale = SIDE / max(width, height)
    size = max(1, round(width * scale)), max(1, round(height * scale))
    return cv2.resize(crop, size, interpolation=cv2.INTER_AREA) if scale < 1 else crop


def _pieces(crop: ink.Ink) -> list[ink.Ink]:
    """What hangs together, from left to right or from above; small strokes go with the nearest tall piece."""
    count, labels, stats, middles = cv2.connectedComponentsWithStats(
        cv2.threshold(crop, SURE_INK - 1, 255, cv2.THRESH_BINARY)[1]
    )
    sizes = stats[:, cv2.CC_STAT_WIDTH : cv2.CC_STAT_HEIGHT + 1].max(axis=1)
    tall = [k for k in range(1, count) if sizes[k] >= TALL * sizes[1:].max()]
    if not 2 <= len(tall) <= MOST:
        return []
    nearest = np.zeros(count, np.intp)
    for k in range(1, count):
        nearest[k] = k if k in tall else min(tall, key=lambda t: float(np.hypot(*(middles[k] - middles[t]))))
    spread = np.ptp(middles[tall], axis=0)
    order = sorted(tall, key=lambda k: float(middles[k][0 if spread[0] >= spread[1] else 1]))
    owner = nearest[labels]
    near = np.ones((3, 3), np.uint8)
    return [crop * cv2.dilate((owner == k).astype(np.uint8), near) for k in order]


def _cut(crop: ink.Ink, read: _Reader, turned: bool = False) -> tuple[Part, ...]:
    """Find the cuts across a row between which every strip is a digit, the likeliest of all."""
    places = _places(crop)
    spans = list(_spans(places, crop.shape[0]))
    strips = [crop[:, a:b] for a, b in spans]
    read_strips = read.all([np.ascontiguousarray(s.T) for s in strips] if turned else strips)
    best: dict[int, tuple[float, tuple[Part, ...]]] = {places[0]: (0.0, ())}
    for (a, b), answer in sorted(zip(spans, read_strips, strict=True), key=lambda pair: pair[0][::-1]):
        if answer is None or a not in best:
            continue
        sure, parts = best[a]
        if len(parts) < MOST:
            now = sure + float(np.log(max(answer[1], 1e-6)))
            if b not in best or now > best[b][0]:
                best[b] = now, (*parts, answer[0])
    parts = best.get(places[-1], (0.0, ()))[1]
    return parts if len(parts) >= 2 else ()


def _places(crop: ink.Ink) -> list[int]:
    """Both ends of a row, and the columns between them with the least ink around."""
    length = crop.shape[1]
    across: NDArray[Any] = (crop >= SURE_INK).sum(axis=0).astype(np.float32)
    smooth = cv2.GaussianBlur(across[None], (0, 0), max(1.0, 0.012 * length))[0]
    least = [
        k
        for k in range(2, length - 2)
        if smooth[k] <= smooth[k - 1] and smooth[k] < smooth[k + 1] and smooth[k] < 0.6 * smooth.max()
    ]
    least = sorted(sorted(least, key=lambda k: float(smooth[k]))[:CUTS])
    return [0, *least, length]


def _spans(places: Sequence[int], height: int) -> Iterator[tuple[int, int]]:
    """Pairs of places with room for a digit between them, not the whole row."""
    for k, a in enumerate(places):
        for b in places[k + 1 :]:
            if NARROW * height <= b - a <= WIDE * height and (a, b) != (places[0], places[-1]):
                yield a, b
