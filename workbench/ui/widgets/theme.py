"""The one look: every widget of ours carries ``theme.css``, and so does the template of the Voilà pages."""

from functools import cache
from pathlib import Path

HERE = Path(__file__).parent
PAGES = HERE.parent / "voila" / "templates" / "workbench" / "static"


@cache
def css(name: str = "") -> str:
    """The theme, and after it the style sheet of the widget ``name``."""
    own = (HERE / "static" / f"{name}.css").read_text() if name else ""
    return (PAGES / "theme.css").read_text() + own


@cache
def esm(name: str) -> str:
    """The widget's JavaScript module."""
    return (HERE / "static" / f"{name}.js").read_text()
