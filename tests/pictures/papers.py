"""Papers to draw on, as phones, scanners and screenshots show them: a kind each, with everything about it at random.

Each takes the ink ``(s, s)``, 0 to 1, of one digit with paper around it, and gives a picture ``(h, w, 3)`` uint8, RGB.
"""

from collections.abc import Callable

import cv2
import numpy as np
from numpy.typing import NDArray

Ink = NDArray[np.float64]
Picture = NDArray[np.uint8]
Random = np.random.Generator
Paper = Callable[[Ink, Random], Picture]

DARK = ((20, 20, 25), (25, 35, 120), (150, 25, 30), (20, 90, 50), (70, 70, 75))
LIGHT = ((255, 255, 255), (245, 240, 228), (250, 245, 200), (225, 235, 250), (235, 235, 232))


def _colour(colours: tuple[tuple[int, int, int], ...], random: Random) -> NDArray[np.float64]:
    return np.array(colours[random.integers(len(colours))], float)


def _lay(ink: Ink, paper: NDArray[np.float64], pen: NDArray[np.float64]) -> NDArray[np.float64]:
    share = ink[..., None]
    return paper * (1 - share) + pen * share


def _written(ink: Ink, random: Random) -> NDArray[np.float64]:
    sheet = np.broadcast_to(_colour(LIGHT, random), (*ink.shape, 3))
    return _lay(ink, sheet, _colour(DARK, random))


def _seen(picture: NDArray[np.float64], random: Random, noise: float = 4, quality: int = 60) -> Picture:
    """The picture with a sensor's grain, by way of a JPEG."""
    grainy = picture + random.normal(0, random.uniform(0, noise), picture.shape)
    data = cv2.imencode(
        ".jpg",
        grainy.clip(0, 255).astype(np.uint8),
        [cv2.IMWRITE_JPEG_QUALITY, int(random.integers(quality, 96))],
    )[1]
    return np.asarray(cv2.imdecode(data, cv2.IMREAD_COLOR), np.uint8)


def _lit(picture: NDArray[np.float64], random: Random, depth: float = 0.4) -> NDArray[np.float64]:
    """The picture with light that falls off to one side."""
    height, width = picture.shape[:2]
    y, x = np.mgrid[0 : 1 : height * 1j, 0 : 1 : width * 1j]
    turn = random.uniform(0, 2 * np.pi)
    slope = (x - 0.5) * np.cos(turn) + (y - 0.5) * np.sin(turn) + 0.5
    light: NDArray[np.float64] = 1 - random.uniform(0, depth) * slope
    return picture * light[..., None]


def _shrunk(ink: Ink, part: float, random: Random) -> Ink:
    """The ink with more paper around it."""
    side = len(ink)
    inner = max(40, round(side * part))
    small = cv2.resize(ink, (inner, inner), interpolation=cv2.INTER_AREA)
    top, left = random.integers(side - inner + 1, size=2)
    sheet = np.zeros_like(ink)
    sheet[top : top + inner, left : left + inner] = small
    return sheet


def frame(ink: Ink, random: Random) -> Picture:
    """A frame at the picture's edge or a little within, of a pixel or more, drawn over nothing."""
    side = len(ink)
    ink = _shrunk(ink, 0.8, random)
    sheet = _written(ink, random)
    at, width = int(random.choice([0, 0, 1, side // 40])), int(random.choice([1, 1, 2, 4, 9]))
    cv2.rectangle(
        sheet,
        (at + width // 2, at + width // 2),
        (side - 1 - at - width // 2, side - 1 - at - width // 2),
        tuple(_colour(DARK, random)),
        width,
    )
    return sheet.astype(np.uint8)


def cell(ink: Ink, random: Random) -> Picture:
    """A cell of a form: its lines run on to the picture's edge, and the neighbours' cells show."""
    side = len(ink)
    inner = _shrunk(ink, random.uniform(0.6, 0.8), random)
    cut = round(side * 0.12)
    sheet = _written(np.pad(inner, cut), random)
    pen = tuple(_colour(DARK, random))
    width = int(random.integers(1, 6))
    for at in (cut - random.integers(2, cut // 2), side + cut + random.integers(2, cut // 2)):
        cv2.line(sheet, (0, int(at)), (side + 2 * cut, int(at)), pen, width)
        cv2.line(sheet, (int(at), 0), (int(at), side + 2 * cut), pen, width)
    return _seen(sheet, random)


def letterbox(ink: Ink, random: Random) -> Picture:
    """Bars above and below, or on both sides, as screenshots and slides have them."""
    bar = round(len(ink) * random.uniform(0.08, 0.4))
    dark = float(random.choice([0, 0, 16, 40]))
    ways = ((bar, bar), (0, 0), (0, 0)) if random.random() < 0.5 else ((0, 0), (bar, bar), (0, 0))
    return np.pad(_written(ink, random), ways, constant_values=dark).astype(np.uint8)


def table(ink: Ink, random: Random) -> Picture:
    """A sheet that lies on a table, turned a little, the table plain or grained."""
    side = len(ink)
    sheet = _written(_shrunk(ink, 0.85, random), random)
    wide, high = side * 2, round(side * random.uniform(1.5, 2))
    ground = np.array(((90, 60, 40), (40, 40, 45), (130, 100, 75), (30, 60, 45))[random.integers(4)], float)
    desk = np.broadcast_to(ground, (high, wide, 3)).copy()
    if random.random() < 0.5:
        streaks = cv2.GaussianBlur(random.normal(0, 60, (high, wide)), (0, 0), sigmaX=30, sigmaY=1)
        desk += streaks[..., None] * random.uniform(1, 4)
    turn = cv2.getRotationMatrix2D((side / 2, side / 2), random.uniform(-20, 20), random.uniform(0.9, 1.15))
    turn[:, 2] += np.array(
        (
            wide / 2 - side / 2 + random.uniform(-0.2, 0.2) * side,
            high / 2 - side / 2 + random.uniform(-0.1, 0.1) * side,
        )
    )
    laid = cv2.warpAffine(sheet, turn, (wide, high))
    where = cv2.warpAffine(np.ones((side, side)), turn, (wide, high))[..., None]
    return _seen(_lit(desk * (1 - where) + laid * where, random), random)


def lined(ink: Ink, random: Random) -> Picture:
    """Lined paper, the digit over its lines."""
    side = len(ink)
    sheet = np.broadcast_to(_colour(LIGHT, random), (side, side, 3)).copy()
    pitch, width = random.uniform(0.08, 0.3) * side, int(random.integers(1, 4))
    _rule(sheet, random, pitch, width, random.uniform(-4, 4))
    return _seen(_lit(_lay(ink, sheet, _colour(DARK, random)), random), random)


def squared(ink: Ink, random: Random) -> Picture:
    """Squared paper, the digit over its squares."""
    side = len(ink)
    sheet = np.broadcast_to(_colour(LIGHT, random), (side, side, 3)).copy()
    pitch, width, turn = random.uniform(0.06, 0.2) * side, int(random.integers(1, 4)), random.uniform(-4, 4)
    shade = random.uniform(0.5, 0.9)
    for angle in (turn, turn + 90):
        _rule(sheet, random, pitch, width, angle, shade)
    return _seen(_lit(_lay(ink, sheet, _colour(DARK, random)), random), random)


def _rule(
    sheet: NDArray[np.float64],
    random: Random,
    pitch: float,
    width: int,
    angle: float,
    shade: float | None = None,
) -> None:
    side = len(sheet)
    tint = np.array(((120, 150, 220), (150, 150, 150), (220, 130, 130), (100, 170, 150))[random.integers(4)])
    colour = tint * (random.uniform(0.6, 1.1) if shade is None else shade)
    along = np.array([np.cos(np.radians(angle)), np.sin(np.radians(angle))])
    across = np.array([-along[1], along[0]])
    for k in range(-40, 41):
        middle = side / 2 + across * (k * pitch + pitch / 3)
        ends = [(int(x), int(y)) for x, y in (middle + s * 2 * side * along for s in (-1, 1))]
        cv2.line(sheet, ends[0], ends[1], colour.tolist(), width, cv2.LINE_AA)


def underlined(ink: Ink, random: Random) -> Picture:
    """A line under the digit, close to it or touching it."""
    side = len(ink)
    ink = _shrunk(ink, 0.8, random)
    rows, columns = np.nonzero(ink > 0.3)
    under = min(side - 4, int(rows.max() + random.uniform(0.0, 0.08) * side))
    longer = max(0.25 * (columns.max() - columns.min()), 0.2 * side) * random.uniform(1, 1.5)
    ends = int(columns.min() - longer), int(columns.max() + longer)
    if max(ends[1] - ends[0], 0) < 1.1 * (rows.max() - rows.min()):
        more = int(0.6 * (rows.max() - rows.min()))
        ends = ends[0] - more, ends[1] + more
    tilt = int(random.uniform(-0.02, 0.02) * side)
    ink = ink.copy()
    cv2.line(
        ink,
        (max(4, ends[0]), under),
        (min(side - 5, ends[1]), under + tilt),
        1.0,
        int(random.integers(2, 10)),
        cv2.LINE_AA,
    )
    return _written(ink, random).astype(np.uint8)


def shadowed(ink: Ink, random: Random) -> Picture:
    """A hard shadow's edge across the sheet, through the digit or beside it."""
    side = len(ink)
    y, x = np.mgrid[0 : 1 : side * 1j, 0 : 1 : side * 1j]
    turn = random.uniform(0, 2 * np.pi)
    over = (x - 0.5) * np.cos(turn) + (y - 0.5) * np.sin(turn) + random.uniform(-0.3, 0.3)
    soft = cv2.GaussianBlur((over > 0).astype(float), (0, 0), random.uniform(0.5, 6))
    shade = 1 - random.uniform(0.25, 0.6) * soft
    return _seen(_lit(_written(ink, random), random, 0.2) * shade[..., None], random)


def coloured(ink: Ink, random: Random) -> Picture:
    """Ink and paper of any two colours that are not alike, evenly or unevenly lit."""
    while True:
        sheet, pen = random.uniform(20, 235, (2, 3))
        if np.abs(sheet - pen).max() > 90:
            break
    picture = _lay(ink, np.broadcast_to(sheet, (*ink.shape, 3)), pen)
    return _seen(_lit(picture, random, 0.3), random, 3, 70)


def faint(ink: Ink, random: Random) -> Picture:
    """A pencil that hardly differs from the paper."""
    sheet = random.uniform(150, 230)
    pen = sheet - random.uniform(38, 60)
    picture = _lay(ink, np.full((*ink.shape, 3), sheet), np.full(3, pen))
    return _seen(_lit(picture, random, 0.2), random, 2.5, 75)


def double_frame(ink: Ink, random: Random) -> Picture:
    """Two frames, one within the other, near the picture's edge."""
    side = len(ink)
    sheet = _written(_shrunk(ink, 0.68, random), random)
    pen = tuple(_colour(DARK, random))
    outer, width = int(random.choice([0, 2, side // 40])), int(random.integers(1, 6))
    inner = outer + width + int(random.integers(3, max(5, side // 14)))
    for at, wide in ((outer, width), (inner, int(random.integers(1, 5)))):
        far = side - 1 - at - wide // 2
        cv2.rectangle(sheet, (at + wide // 2, at + wide // 2), (far, far), pen, wide)
    return sheet.astype(np.uint8) if random.random() < 0.5 else _seen(sheet, random)


def hand_shadow(ink: Ink, random: Random) -> Picture:
    """The soft shadow of a hand that reaches onto the sheet, with fingers."""
    side = len(ink)
    shade = np.zeros((side, side))
    corner = np.array([random.choice([0, side]), side * random.uniform(0.5, 1)])
    for _ in range(int(random.integers(2, 5))):
        tip = np.array([random.uniform(0.25, 0.75), random.uniform(0.25, 0.75)]) * side
        root = corner + random.normal(0, 0.08 * side, 2)
        ends = [tuple(int(x) for x in point) for point in (root, tip)]
        cv2.line(shade, ends[0], ends[1], 1.0, int(side * random.uniform(0.08, 0.16)), cv2.LINE_AA)
    cv2.circle(shade, tuple(int(x) for x in corner), int(side * random.uniform(0.2, 0.4)), 1.0, -1)
    soft = cv2.GaussianBlur(shade, (0, 0), random.uniform(2, 10))
    dark = 1 - random.uniform(0.25, 0.55) * soft
    return _seen(_lit(_written(ink, random), random, 0.2) * dark[..., None], random)


def thin_on_squares(ink: Ink, random: Random) -> Picture:
    """A thin pen on squared paper, hardly wider than the squares' lines and darker."""
    side = len(ink)
    wider = cv2.dilate(_middle_line(ink), np.ones((3, 3)), iterations=int(random.integers(1, 3)))
    thin = np.asarray(wider, np.float64)
    sheet = np.broadcast_to(_colour(LIGHT, random), (side, side, 3)).copy()
    pitch, turn, shade = random.uniform(0.06, 0.16) * side, random.uniform(-4, 4), random.uniform(0.7, 1)
    for angle in (turn, turn + 90):
        _rule(sheet, random, pitch, int(random.integers(1, 3)), angle, shade)
    return _seen(_lit(_lay(thin, sheet, _colour(DARK[:4], random)), random), random)


def _middle_line(ink: Ink) -> Ink:
    """The ink's skeleton: what each erosion takes away that an opening would not give back."""
    rest, line, cross = (ink > 0.5).astype(np.uint8), np.zeros(ink.shape, np.uint8), np.ones((3, 3), np.uint8)
    while rest.any():
        smaller = np.asarray(cv2.erode(rest, cross), np.uint8)
        line |= rest - np.asarray(cv2.dilate(smaller, cross), np.uint8) * rest
        rest = smaller
    return cv2.morphologyEx(line, cv2.MORPH_CLOSE, np.ones((5, 5), np.uint8)).astype(np.float64)


def crossed_frame(ink: Ink, random: Random) -> Picture:
    """A frame that the digit crosses on one side, as one writes over a form's box."""
    side = len(ink)
    sheet_ink = _shrunk(ink, 0.72, random)
    rows, columns = np.nonzero(sheet_ink > 0.3)
    room = round(side * 0.05)
    box = [columns.min() - room, rows.min() - room, columns.max() + room, rows.max() + room]
    over = int(random.integers(4))
    box[over] += (1 if over < 2 else -1) * (room + round(side * random.uniform(0.03, 0.08)))
    sheet = _written(np.pad(sheet_ink, room), random)
    left, top, right, bottom = (int(edge) + room for edge in box)
    cv2.rectangle(
        sheet, (left, top), (right, bottom), tuple(_colour(DARK, random)), int(random.integers(1, 4))
    )
    return sheet.astype(np.uint8) if random.random() < 0.5 else _seen(sheet, random)


KINDS: dict[str, Paper] = {
    paper.__name__: paper
    for paper in (
        frame,
        cell,
        letterbox,
        table,
        lined,
        squared,
        underlined,
        shadowed,
        coloured,
        faint,
        double_frame,
        hand_shadow,
        thin_on_squares,
        crossed_frame,
    )
}
