"""The drawing page's own files, for what is no page of its own: widgets of the notebooks, and a page that is taken home."""

import re
from collections.abc import Sequence

from workbench.settings import PROJECT

STATIC = PROJECT / "frontend" / "static"
_IMPORT = re.compile(r'^import (\{[^}]*\}|\* as \w+) from "[./]*(?:\w+/)*(\w+)\.js";$', re.MULTILINE)
_EXPORT = re.compile(r"^export (?:async )?(?:const|function\*?) (\w+)", re.MULTILINE)
SHEET = ("drawing", "paper", "sheet", "picture")
"""What one draws on, and the picture that a drawing becomes."""
INSIDE = (
    *("home/network", "inside/bitmaps", "inside/computed", "inside/says", "inside/windows"),
    *("inside/panel", "inside/own"),
)
"""What is inside a network that the browser computes."""


def style(path: str) -> str:
    """The style sheet of one part of the page."""
    return (STATIC / f"{path}.css").read_text()


def bundle(paths: Sequence[str]) -> str:
    """Modules as one script, each a function that gives what it exports, in ``modules``.

    Parameters
    ----------
    paths
        The modules in the order in which they need each other, as ``"inside/panel"``.

    Raises
    ------
    LookupError
        One needs what does not stand before it.
    """
    parts = ["const modules = {};"]
    for n, path in enumerate(paths):
        source = (STATIC / f"{path}.js").read_text()
        needed = {name for _, name in _IMPORT.findall(source)}
        if missing := needed - {one.rpartition("/")[2] for one in paths[:n]}:
            raise LookupError(f"{path}.js needs {', '.join(sorted(missing))}, which must stand before it")
        names = _EXPORT.findall(source)
        source = _IMPORT.sub(
            lambda found: f'const {_names(found[1])} = modules["{found[2]}"];',
            source,
        )
        source = re.sub(r"^export ", "", source, flags=re.MULTILINE)
        name = path.rpartition("/")[2]
        parts.append(f'modules["{name}"] = (() => {{\n{source}\nreturn {{ {", ".join(names)} }};\n}})();')
    return "\n".join(parts)


def widget(paths: Sequence[str]) -> str:
    """Modules as a widget's own: the last one is called ``widget`` and renders it."""
    return f"{bundle(paths)}\nexport default {{ render: modules.widget.render }};\n"


def _names(imported: str) -> str:
    """The names of an import, as a pattern that takes an object apart."""
    return imported.removeprefix("* as ").replace(" as ", ": ")
