"""The fault in anywidget's script is still there, and is mended wherever it is."""

import re

import pytest

pytest.importorskip("voila")

from workbench.dashboard.scripts import LIST, Scripts, page_scripts
from workbench.upstream.anywidget import PATIENCE_MS, mend
from workbench.upstream.voila import script_folders

WAITS_MS = re.compile(
    rb"AbortSignal\.timeout\((\w+)\)(?:(?!AbortSignal).){1,120}?Failed to initialize", re.DOTALL
)


def test_a_widget_whose_module_comes_late_hears_its_kernel() -> None:
    assert WAITS_MS.findall(page_scripts("workbench").content) == [b"%d" % PATIENCE_MS]


def test_anywidget_itself_still_gives_up_soon() -> None:
    """Once it does not, ``upstream/anywidget.py`` can go."""
    own = Scripts(script_folders("workbench"), ())
    scripts = [text for name in LIST.read_text().split() if (text := own._read(name)) is not None]
    assert [found for text in scripts for found in WAITS_MS.findall(text)] == [b"2000"]


def test_other_waits_stay_as_they_are() -> None:
    other = b'AbortSignal.timeout(2000).addEventListener("abort", stop)'
    assert mend(other) == other
