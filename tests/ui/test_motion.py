"""What moves for as long as a page waits costs a computer without a GPU little, and nobody who wants no motion."""

import re
from pathlib import Path

import pytest

from workbench.settings import PROJECT

SHEETS = sorted([*(PROJECT / "workbench" / "ui").rglob("*.css"), *(PROJECT / "frontend").rglob("*.css")])
MOVES = {"opacity", "transform", "translate", "rotate", "scale", "background-position"}
"""Properties whose change lays nothing out."""


def keyframes(text: str) -> dict[str, set[str]]:
    """Each animation's properties."""
    found = re.findall(r"@keyframes ([\w-]+) \{((?:[^{}]*\{[^{}]*\})*)\s*\}", text)
    return {name: set(re.findall(r"([\w-]+)\s*:", frames)) for name, frames in found}


@pytest.mark.parametrize("sheet", SHEETS, ids=lambda path: str(path.relative_to(PROJECT)))
def test_an_endless_animation_goes_in_steps_and_lays_nothing_out(sheet: Path) -> None:
    text = sheet.read_text()
    for name, properties in keyframes(text).items():
        assert properties <= MOVES, f"{name} lays the page out anew in each frame: {properties - MOVES}"
    for declared in re.findall(r"animation:([^;}]*\binfinite\b[^;}]*)", text):
        assert "steps(" in declared, f"sixty frames a second for ever:{declared}"


def test_the_sheets_with_animations_are_among_them() -> None:
    named = {name for sheet in SHEETS for name in keyframes(sheet.read_text())}
    assert {"wb-slide", "wb-breathe", "passing", "nudge"} <= named
