"""The figures of what people draw, as tables in Markdown and as a picture that reads on light and on dark."""

from collections.abc import Sequence
from html import escape

import numpy as np

from benchmarks.hands.figures import EACH, Figures

WIDTH, HEIGHT, EDGE, GAP = 860, 300, 46, 40
LOWEST = 0.85
"""Of the shares that are drawn; below it a line begins at the bottom."""
COLOURS = "#2456c4", "#c2571a", "#1d7f5f", "#8a3fa0"


def table(figures: Figures) -> str:
    """All figures of one model."""
    lines = [
        f"| {figures.told} | odd writers | worst odd | even writers | worst even | calibration error | doubted |",
        "| --- | --- | --- | --- | --- | --- | --- |",
    ]
    for pen in figures.pens:
        (odd, who), (even, other) = pen.worst(odd=True), pen.worst(odd=False)
        lines.append(
            f"| pen {pen.pen} | {pen.share(odd=True):.2%} | {odd:.1%} ({who}) | {pen.share(odd=False):.2%} "
            f"| {even:.1%} ({other}) | {pen.calibration(odd=True):.3f} | {pen.doubts(odd=True):.2%} |"
        )
    lines += ["", f"- MNIST's test part: {figures.mnist:.2%}, of which {figures.mnist_doubted:.2%} doubted"]
    lines.append(f"- any place, size and pen: {figures.anywhere:.2%}")
    lines += [f"- {name}: {share:.2%}" for name, share in figures.scans.items()]
    if figures.papers:
        told = ", ".join(f"{name} {count}" for name, count in figures.papers.items())
        lines.append(f"- of {EACH} on each paper: {told}")
    if figures.told_apart:
        told = ", ".join(f"{name} {share:.1%}" for name, share in figures.told_apart.items())
        lines.append(f"- told as no single digit: {told}")
    return "\n".join(lines)


def picture(models: Sequence[Figures]) -> str:
    """Two charts side by side as SVG: right answers by pen, and what is right of what is said with how much certainty."""
    half = (WIDTH - 2 * EDGE - GAP) / 2
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT + 20 * len(models)}" role="img" '
        'aria-label="Digits that people drew: right answers by pen, and calibration">',
        "<style>text{font:12px system-ui,sans-serif;fill:#5b6472}</style>",
        f'<rect width="{WIDTH}" height="{HEIGHT + 20 * len(models)}" rx="8" fill="#fff"/>',
        f'<text x="{EDGE}" y="24">read rightly, by the pen\'s width (dashed: the worst writer)</text>',
        f'<text x="{EDGE + half + GAP}" y="24">read rightly, by how sure the answer is (pen 15)</text>',
    ]
    parts += _grid(EDGE, half, LOWEST, (0.85, 0.9, 0.95, 1.0))
    parts += _grid(EDGE + half + GAP, half, 0.0, (0.0, 0.25, 0.5, 0.75, 1.0))
    parts.append(_line(EDGE + half + GAP, half, [(0, 0), (1, 1)], 0.0, "#c9d0da", ""))
    for k, figures in enumerate(models):
        colour = COLOURS[k % len(COLOURS)]
        last = max(1, len(figures.pens) - 1)
        shares = [(n / last, pen.share(odd=True)) for n, pen in enumerate(figures.pens)]
        worst = [(n / last, pen.worst(odd=True)[0]) for n, pen in enumerate(figures.pens)]
        parts.append(_line(EDGE, half, shares, LOWEST, colour, ""))
        parts.append(_line(EDGE, half, worst, LOWEST, colour, "5 4"))
        parts.append(_line(EDGE + half + GAP, half, _reliability(figures), 0.0, colour, ""))
        y = HEIGHT + 20 * k
        parts.append(f'<path d="M{EDGE} {y - 4}h24" stroke="{colour}" stroke-width="3"/>')
        parts.append(f'<text x="{EDGE + 32}" y="{y}">{escape(figures.told)}</text>')
    pens = models[0].pens if models else ()
    for n, pen in enumerate(pens):
        x = EDGE + half * n / max(1, len(pens) - 1)
        parts.append(f'<text x="{x:.0f}" y="{HEIGHT - EDGE + 16}" text-anchor="middle">{pen.pen}</text>')
    return "".join([*parts, "</svg>"]) + "\n"


def _reliability(figures: Figures) -> list[tuple[float, float]]:
    """For each tenth of what is said: its mean, and the share that is right; of odd-numbered writers, where there are ten."""
    pen = next((pen for pen in figures.pens if pen.pen == 15), figures.pens[0])
    odd = pen.writers % 2 == 1
    said, right = pen.said[odd], pen.right[odd]
    tenths = [(said >= k / 10) & (said <= (k + 1) / 10) for k in range(10)]
    return [(float(said[t].mean()), float(right[t].mean())) for t in tenths if np.count_nonzero(t) >= 10]


def _grid(left: float, width: float, lowest: float, levels: Sequence[float]) -> list[str]:
    lines = []
    for level in levels:
        y = _height(level, lowest)
        lines.append(f'<path d="M{left:.0f} {y:.1f}h{width:.0f}" stroke="#e3e7ed"/>')
        lines.append(f'<text x="{left - 6:.0f}" y="{y + 4:.1f}" text-anchor="end">{level:.0%}</text>')
    return lines


def _line(
    left: float, width: float, points: Sequence[tuple[float, float]], lowest: float, colour: str, dashes: str
) -> str:
    told = " ".join(f"{left + width * x:.1f},{_height(y, lowest):.1f}" for x, y in points)
    return (
        f'<polyline points="{told}" fill="none" stroke="{colour}" stroke-width="2"'
        f"{f' stroke-dasharray={chr(34)}{dashes}{chr(34)}' if dashes else ''}/>"
    )


def _height(share: float, lowest: float) -> float:
    return HEIGHT - EDGE - (max(share, lowest) - lowest) / (1 - lowest) * (HEIGHT - EDGE - 40)
