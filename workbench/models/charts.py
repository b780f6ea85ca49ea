"""An evaluation as drawings (SVG text) that stand alone, readable on light and on dark without any program, and its
worst mistakes as one picture."""

from collections.abc import Sequence
from html import escape

import numpy as np

from workbench.models.published_evaluation import CalibrationBin

CELL, EDGE = 34, 96
"""Pixels: a cell of the confusion matrix, and the room for labels beside it."""
SIDE = 320
SHEET_COLUMNS = 5
MOST_CLASSES = 40
MOST_POINTS = 1000
_STYLE = (
    "text{font:12px system-ui,sans-serif;fill:#1d2433}.quiet{fill:#5b6472}.line{stroke:#c9d0da;fill:none}"
    ".paper{fill:#fff}"
)
_INK, _MARK = "#2456c4", "#c2410c"


def confusion(matrix: np.ndarray, labels: Sequence[str]) -> str:
    """How often each class, a row of ``matrix`` ``(k, k)``, was taken for each, a column.

    The darker, the larger the cell's share of its row. Of more than ``MOST_CLASSES`` classes those with the most
    mistakes are drawn.
    """
    if len(labels) > MOST_CLASSES:
        wrong = matrix.sum(0) + matrix.sum(1) - 2 * np.diag(matrix)
        chosen = np.sort(np.argsort(-wrong, kind="stable")[:MOST_CLASSES])
        matrix, labels = matrix[np.ix_(chosen, chosen)], [labels[k] for k in chosen]
    parts = []
    for row, (label, counts) in enumerate(zip(labels, matrix, strict=True)):
        y = EDGE + row * CELL
        parts.append(_text(EDGE - 8, y + 22, label, "end"))
        parts.append(_text(EDGE + row * CELL + CELL / 2, EDGE - 8, label, "middle"))
        whole = max(int(counts.sum()), 1)
        for column, count in enumerate(counts):
            if count:
                x, share = EDGE + column * CELL, count / whole
                colour = _INK if row == column else _MARK
                said = f"{label} taken for {labels[column]}: {count} of {whole}"
                parts.append(
                    f'<rect x="{x}" y="{y}" width="{CELL}" height="{CELL}" fill="{colour}" '
                    f'fill-opacity="{0.12 + 0.88 * share:.3f}"><title>{escape(said)}</title></rect>'
                )
                fill = ' style="fill:#fff"' if share > 0.5 else ""
                parts.append(_text(x + CELL / 2, y + 22, str(count), "middle", fill))
    side = EDGE + len(labels) * CELL
    parts.append(f'<path class="line" d="M{EDGE} {EDGE}H{side}V{side}H{EDGE}Z"/>')
    parts.append(_text(EDGE, 20, "columns: what the model said", css="quiet"))
    parts.append(_text(EDGE, 38, "rows: what is true", css="quiet"))
    return _svg(max(side + 16, 300), side + 16, "Confusion matrix", parts)


def calibration(bins: Sequence[CalibrationBin]) -> str:
    """How often the model is right where it is so sure; ``bins`` as in ``Calibration``.

    On the diagonal it is as right as it is sure. A dot's area is the share of the examples.
    """
    parts = _frame("how sure the model is", "how often it is right")
    parts.append(f'<path class="line" stroke-dasharray="4 4" d="M{_x(0)} {_y(0)}L{_x(1)} {_y(1)}"/>')
    whole = sum(b.count for b in bins)
    for b in bins:
        said = f"{b.count} examples: {b.confidence:.0%} sure, {b.accuracy:.0%} right"
        size = 3 + 11 * (b.count / whole) ** 0.5
        parts.append(_dot(b.confidence, b.accuracy, size, 0.75, said))
    return _svg(SIDE + 76, SIDE + 76, "Calibration", parts)


def scatter(truth: np.ndarray, outputs: np.ndarray) -> str:
    """What a regressor said, against what is true, both ``(n, m)``: the closer to the diagonal, the better.

    At most ``MOST_POINTS`` points, evenly from all examples.
    """
    true, said = truth.reshape(-1).astype(float), outputs.reshape(-1).astype(float)
    chosen = np.unique(np.linspace(0, len(true) - 1, min(len(true), MOST_POINTS)).round().astype(int))
    true, said = true[chosen], said[chosen]
    there = np.isfinite(true) & np.isfinite(said)
    true, said = true[there], said[there]
    if not len(true):
        return _svg(SIDE + 76, SIDE + 76, "True and predicted", [_text(20, 40, "no finite value")])
    low, high = min(true.min(), said.min()), max(true.max(), said.max())
    span = (high - low) or 1.0
    parts = _frame("true", "predicted", f"{low:.4g}", f"{high:.4g}")
    parts.append(f'<path class="line" stroke-dasharray="4 4" d="M{_x(0)} {_y(0)}L{_x(1)} {_y(1)}"/>')
    for t, s in zip(true, said, strict=True):
        parts.append(_dot((t - low) / span, (s - low) / span, 3, 0.5, f"true {t:.4g}, predicted {s:.4g}"))
    return _svg(SIDE + 76, SIDE + 76, "True and predicted", parts)


def contact_sheet(
    pictures: Sequence[np.ndarray],
    columns: int = SHEET_COLUMNS,
    scale: int = 3,
    span: tuple[float, float] = (0, 255),
) -> np.ndarray:
    """The pictures ``(h, w, c)``, side by side in rows, uint8, enlarged without smoothing.

    Parameters
    ----------
    span
        What is black and white in them, as 0 and 1 in what was divided by 255.
    """
    low, high = span
    grey = [(p.astype(np.float32) - low) * (255 / max(high - low, 1e-9)) for p in pictures]
    tiles = [
        np.kron(p.round().clip(0, 255).astype(np.uint8), np.ones((scale, scale, 1), np.uint8)) for p in grey
    ]
    tiles = [np.pad(tile, ((1, 1), (1, 1), (0, 0)), constant_values=128) for tile in tiles]
    tiles += [np.zeros_like(tiles[0])] * (-len(tiles) % columns)
    rows = [np.concatenate(tiles[i : i + columns], 1) for i in range(0, len(tiles), columns)]
    sheet = np.concatenate(rows)
    return sheet[..., 0] if sheet.shape[-1] == 1 else sheet


def _frame(x_title: str, y_title: str, low: str = "0 %", high: str = "100 %") -> list[str]:
    return [
        f'<path class="line" d="M{_x(0)} {_y(1)}V{_y(0)}H{_x(1)}"/>',
        _text(_x(0), _y(0) + 18, low, css="quiet"),
        _text(_x(1), _y(0) + 18, high, "end", css="quiet"),
        _text(_x(0.5), _y(0) + 18, x_title, "middle", css="quiet"),
        _text(_x(0) + 8, _y(1) + 4, f"{high} {y_title}", css="quiet"),
    ]


def _x(share: float) -> float:
    return round(48 + share * SIDE, 1)


def _y(share: float) -> float:
    return round(24 + (1 - share) * SIDE, 1)


def _dot(x: float, y: float, size: float, opacity: float, said: str) -> str:
    return (
        f'<circle cx="{_x(x)}" cy="{_y(y)}" r="{size:.1f}" fill="{_INK}" fill-opacity="{opacity}">'
        f"<title>{escape(said)}</title></circle>"
    )


def _text(x: float, y: float, text: str, anchor: str = "start", more: str = "", css: str = "") -> str:
    short = text if len(text) <= 14 or css else text[:13] + "…"
    named = f' class="{css}"' if css else ""
    return f'<text x="{x}" y="{y}" text-anchor="{anchor}"{named}{more}>{escape(short)}</text>'


def _svg(width: float, height: float, title: str, parts: Sequence[str]) -> str:
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width:g}" height="{height:g}" '
        f'viewBox="0 0 {width:g} {height:g}" role="img" aria-label="{title}"><style>{_STYLE}</style>'
        f'<rect class="paper" width="100%" height="100%" rx="8"/>{"".join(parts)}</svg>\n'
    )
