"""Words in the tone of a state can be read on their own ground, light and dark (WCAG 2.2, 1.4.3: 4.5 to 1)."""

import re
from pathlib import Path

import pytest

from workbench import ui

UI = Path(ui.__file__).parent
THEME = (UI / "voila/templates/workbench/static/theme.css").read_text()
TABLE = (UI / "widgets/static/table.css").read_text()
SCHEMES = {"light": 0, "dark": 1}


def colour(name: str, scheme: str) -> list[float]:
    (pair,) = re.findall(rf"--wb-{name}: light-dark\((#\w{{6}}), (#\w{{6}})\)", THEME)
    shade = pair[SCHEMES[scheme]]
    return [int(shade[k : k + 2], 16) / 255 for k in (1, 3, 5)]


def luminance(colour: list[float]) -> float:
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in colour]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize("tone", ["muted", "accent", "good", "warn", "bad"])
def test_a_badge_can_be_read_wherever_it_stands(tone: str, scheme: str) -> None:
    (badge,) = re.findall(r"\.wb-badge \{(.*?)\}", TABLE, re.S)
    (part,) = re.findall(
        r"background: color-mix\(in srgb, var\(--tone\) (\d+)%, var\(--wb-surface\)\)", badge
    )
    share, text, surface = int(part) / 100, colour(tone, scheme), colour("surface", scheme)
    ground = [share * t + (1 - share) * s for t, s in zip(text, surface, strict=True)]
    low, high = sorted((luminance(text), luminance(ground)))
    assert (high + 0.05) / (low + 0.05) >= 4.5
