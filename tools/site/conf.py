"""Sphinx's configuration of the documentation; ``tools/site/build.py`` makes the sources and calls it."""

from workbench import __version__

project = "Workbench"
copyright = "its authors, MIT licence"
release = version = __version__
extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon", "sphinx.ext.viewcode"]
source_suffix = {".md": "markdown"}
myst_heading_anchors = 4
# ``#2`` in a command's output is no heading that is missing.
suppress_warnings = ["misc.highlighting_failure"]
napoleon_google_docstring = False
napoleon_use_ivar = True
autodoc_typehints = "description"
autodoc_member_order = "bysource"
autodoc_preserve_defaults = True
html_theme = "furo"
html_title = f"Workbench {release}"
html_copy_source = False
html_show_sphinx = False
html_theme_options = {"source_repository": "", "top_of_page_buttons": []}
html_static_path: list[str] = []
