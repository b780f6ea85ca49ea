"""The fault in ipywidgets' scripts is still there, and is mended wherever it is."""

import re

import pytest

pytest.importorskip("voila")

from workbench.dashboard.scripts import LIST, Scripts, page_scripts
from workbench.upstream.ipywidgets import mend
from workbench.upstream.voila import script_folders

GIVES_UP = re.compile(r"async get_model\(\w+\)\{.*?(?=has_model\(\w\)\{)")
LOOKS_AGAIN = re.compile(r"if\(this\.has_model\((\w+)\)\)return this\._models\[\1\];throw")


def methods(script: bytes) -> list[str]:
    return GIVES_UP.findall(script.decode())


def test_a_widget_that_comes_in_the_last_moment_is_found() -> None:
    found = methods(page_scripts("workbench").content)
    assert found
    for method in found:
        assert LOOKS_AGAIN.search(method), method


def test_ipywidgets_itself_still_gives_up_without_a_last_look() -> None:
    """Once it waits for the registration, ``upstream/ipywidgets.py`` can go."""
    own = Scripts(script_folders("workbench"), ())
    scripts = [text for name in LIST.read_text().split() if (text := own._read(name)) is not None]
    found = [method for text in scripts for method in methods(text)]
    assert found
    assert not any(LOOKS_AGAIN.search(method) for method in found)


def test_other_scripts_stay_as_they_are() -> None:
    assert mend(b"throw Error('other')") == b"throw Error('other')"
