"""What a page's scripts load and never use, left out: half of them, and half of the time until a page is there.

Voilà's entry names JupyterLab's notebook, console, menus, log console and data grid for their side effects, of which a
page has none, takes the whole editor for the colours of code in Markdown, and MathJax is fetched for each text, whether
there is a formula in it or not. Its loader is webpack's, with module federation: modules that several parties have are
*shared*, and the newest version that is offered is taken. :data:`INSTEAD` is a script before the loader that offers newer,
empty modules in the place of those, an editor that is fetched when code in Markdown has to be coloured, and a
typesetter that fetches MathJax for formulas.

An extension of somebody else may use any of the modules, so this is done only where no others are than those that
come with Voilà, ipywidgets and anywidget, and ours for JupyterLab (:func:`known`). Another major version of JupyterLab takes none of what is offered.

Versions: ``voila>=0.5.13,<0.5.14``. Goes when Voilà's pages load only what they use
(https://github.com/voila-dashboards/voila/issues/793).
"""

from collections.abc import Iterable
from pathlib import Path

INSTEAD = Path(__file__).with_suffix(".js")
EXTENSIONS = {
    "@jupyter-widgets/jupyterlab-manager",
    "@voila-dashboards/jupyterlab-preview",
    "@voila-dashboards/widgets-manager7",
    "@voila-dashboards/widgets-manager8",
    "anywidget",
    "jupyterlab_pygments",
    "workbench-lab",
}


def known(folders: Iterable[str]) -> bool:
    """Tell if all extensions in the folders are such that use nothing of what is left out."""
    found = {
        str(package.parent.relative_to(folder))
        for folder in folders
        for depth in ("*", "@*/*")
        for package in Path(folder).glob(f"{depth}/package.json")
    }
    return found <= EXTENSIONS
