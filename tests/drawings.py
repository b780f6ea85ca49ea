"""Digits as people draw them with a round pen: strokes of our own, any size, place, slant and pen width.

They judge the preprocessing and the model; neither is tuned on them.
"""

import base64
import itertools

import cv2
import numpy as np

Stroke = np.ndarray
"""float ``(n, 2)``: points ``(x, y)`` in a box from 0 to 1, y downward."""


def _arc(
    x: float, y: float, width: float, height: float, start: float, end: float, points: int = 40
) -> Stroke:
    """Part of an ellipse from ``start`` to ``end`` degrees, clockwise as y grows downward."""
    turn = np.radians(np.linspace(start, end, points))
    return np.stack([x + width * np.cos(turn), y + height * np.sin(turn)], 1)


def _line(*points: tuple[float, float]) -> Stroke:
    return np.array(points)


def _join(*strokes: Stroke) -> Stroke:
    return np.concatenate(strokes)


SHAPES: dict[int, list[list[Stroke]]] = {
    0: [[_arc(0.5, 0.5, 0.33, 0.45, -90, 275)]],
    1: [
        [_line((0.5, 0.05), (0.5, 0.95))],
        [_line((0.35, 0.25), (0.52, 0.05), (0.52, 0.95))],
        [_line((0.62, 0.05), (0.42, 0.95))],
    ],
    2: [
        [_join(_arc(0.5, 0.3, 0.3, 0.25, -170, 30), _line((0.2, 0.92), (0.82, 0.92)))],
        [
            _join(
                _arc(0.5, 0.3, 0.28, 0.26, -180, 40),
                _arc(0.3, 0.85, 0.1, 0.08, -40, -300, 15),
                _line((0.5, 0.85), (0.85, 0.93)),
            )
        ],
    ],
    3: [
        [_join(_arc(0.45, 0.28, 0.28, 0.23, -150, 80), _arc(0.45, 0.72, 0.32, 0.24, -80, 150))],
        [_join(_line((0.2, 0.06), (0.75, 0.06), (0.45, 0.42)), _arc(0.45, 0.7, 0.3, 0.25, -85, 150))],
    ],
    4: [
        [_line((0.3, 0.05), (0.2, 0.55), (0.8, 0.55)), _line((0.65, 0.1), (0.62, 0.95))],
        [_line((0.6, 0.95), (0.6, 0.05), (0.15, 0.65), (0.85, 0.65))],
        [_line((0.25, 0.08), (0.25, 0.5), (0.75, 0.5)), _line((0.75, 0.05), (0.75, 0.95))],
    ],
    5: [
        [_join(_line((0.75, 0.07), (0.3, 0.07), (0.27, 0.45)), _arc(0.45, 0.68, 0.3, 0.25, -110, 140))],
        [
            _join(_line((0.3, 0.08), (0.28, 0.45)), _arc(0.45, 0.68, 0.28, 0.25, -120, 150)),
            _line((0.3, 0.08), (0.8, 0.06)),
        ],
    ],
    6: [
        [_join(_line((0.65, 0.05), (0.4, 0.3), (0.27, 0.6)), _arc(0.5, 0.72, 0.24, 0.22, 180, -180))],
        [_join(_arc(0.75, 0.55, 0.5, 0.5, -110, -180, 20), _arc(0.5, 0.72, 0.24, 0.22, 180, -170))],
    ],
    7: [
        [_line((0.2, 0.08), (0.8, 0.08), (0.4, 0.95))],
        [_line((0.2, 0.08), (0.8, 0.08), (0.4, 0.95)), _line((0.35, 0.5), (0.75, 0.5))],
    ],
    8: [
        [_join(_arc(0.5, 0.27, 0.22, 0.21, 90, -270), _arc(0.5, 0.72, 0.27, 0.24, -90, 270))],
        [
            _join(
                _arc(0.5, 0.27, 0.22, 0.2, -60, -260, 30),
                _arc(0.5, 0.72, 0.25, 0.24, -80, 250),
                _line((0.68, 0.15)),
            )
        ],
    ],
    9: [
        [_join(_arc(0.48, 0.3, 0.24, 0.23, 0, -360), _line((0.72, 0.3), (0.68, 0.95)))],
        [_join(_arc(0.48, 0.3, 0.24, 0.23, -20, -360), _arc(0.3, 0.5, 0.42, 0.45, -20, 70, 20))],
    ],
}


def strokes(digit: int, random: np.random.Generator, height: float = 240.0) -> tuple[list[Stroke], float]:
    """One way to draw the digit: strokes in pixels around the origin, and the widest pen that leaves its holes open."""
    shape = SHAPES[digit][random.integers(len(SHAPES[digit]))]
    size = np.array([height * random.uniform(0.55, 0.95), height])
    turn, slant = random.normal(0, 0.12, 2)
    matrix = np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]]) @ np.array(
        [[1, slant], [0, 1]]
    )
    phase = random.uniform(0, 2 * np.pi, 2)
    drawn = []
    for stroke in shape:
        ends = np.concatenate(
            [np.linspace(a, b, 8, endpoint=False) for a, b in itertools.pairwise(stroke)] or [stroke]
        )
        points = np.concatenate([ends, stroke[-1:]])
        shaken = points + 0.02 * np.stack(
            [np.sin(5 * points[:, 1] + phase[0]), np.sin(5 * points[:, 0] + phase[1])], 1
        )
        drawn.append(((shaken - 0.5) * size) @ matrix.T)
    return drawn, min(50.0, 0.19 * height)


def drawing(digit: int, random: np.random.Generator, side: int = 280) -> np.ndarray:
    """A canvas ``(side, side)`` uint8, white ink on black, with the digit in any size at any place."""
    drawn, widest = strokes(digit, random, random.uniform(90, 240) * side / 280)
    pen = random.uniform(10 * side / 280, widest)
    points = np.concatenate(drawn)
    low, high = points.min(0) - pen / 2, points.max(0) + pen / 2
    at = np.maximum(side - (high - low), 0) * random.random(2) - low
    canvas = np.zeros((side, side), np.uint8)
    for stroke in drawn:
        cv2.polylines(
            canvas,
            [np.round((stroke + at) * 16).astype(np.int32)],
            False,
            255,
            max(1, int(pen)),
            cv2.LINE_AA,
            4,
        )
    return canvas


def scan(digit_28: np.ndarray, random: np.random.Generator, side: int = 280) -> np.ndarray:
    """A digit of a data set as a coarse scan, enlarged to the canvas, blurred and thick."""
    rows, columns = np.nonzero(digit_28 > 60)
    cut = digit_28[rows.min() : rows.max() + 1, columns.min() : columns.max() + 1]
    width = int(np.clip(32 * np.sqrt(cut.shape[1] / cut.shape[0]), 12, 32))
    bitmap = np.zeros((32, 32), np.float32)
    left = (32 - width) // 2
    bitmap[:, left : left + width] = cv2.resize(cut, (width, 32)) > 100
    coarse = bitmap.reshape(8, 4, 8, 4).sum((1, 3)) / 16
    inner = side * 5 // 7
    large = cv2.resize(coarse, (inner, inner), interpolation=cv2.INTER_CUBIC).clip(0, 1) * 255
    canvas = np.zeros((side, side), np.float32)
    edge = (side - inner) // 2
    canvas[edge : edge + inner, edge : edge + inner] = cv2.GaussianBlur(large, (0, 0), random.uniform(1, 8))
    return canvas.astype(np.uint8)


def data_url(
    canvas: np.ndarray,
    ink: tuple[int, int, int] = (255, 255, 255),
    paper: tuple[int, int, int] | None = (0, 0, 0),
) -> str:
    """The canvas as ``canvas.toDataURL()`` gives it: an RGBA PNG; transparent where there is no paper."""
    share = canvas[..., None].astype(np.float32) / 255
    if paper is None:
        picture = np.concatenate(
            [np.broadcast_to(np.array(ink[::-1], np.uint8), (*canvas.shape, 3)), canvas[..., None]], 2
        )
    else:
        mixed = share * np.array(ink[::-1]) + (1 - share) * np.array(paper[::-1])
        picture = np.concatenate([mixed, np.full((*canvas.shape, 1), 255.0)], 2)
    done, png = cv2.imencode(".png", picture.astype(np.uint8))
    assert done
    return "data:image/png;base64," + base64.b64encode(png.tobytes()).decode()
