"""Pages as Voilà tells them to the browser: what ``page_config_hook`` adds to each."""

from pathlib import Path
from typing import Any

from workbench.dashboard import catalogue

SCRIPTS = "workbench_page_scripts"
"""The key among the web application's settings under which pages find the address of their scripts."""


def complete_page(
    page_config: dict[str, Any], *, settings: Any, notebook_path: str, **_: Any
) -> dict[str, Any]:
    """Add to what Voilà's page is told: our pages for its bar, and to use the MathJax that it has in itself.

    With a URL for MathJax it would ask another host. The arguments are those of ``VoilaConfiguration.page_config_hook``.
    """
    pages = catalogue.existing(Path(settings["contents_manager"].root_dir))
    bar = {
        "pages": [{"title": page.title, "path": page.path} for page in pages],
        "current": f"voila/render/{notebook_path}",
        "notice": settings.get("jinja_template_vars", {}).get("notice", ""),
        "scripts": settings[SCRIPTS],
    }
    return {**page_config, "fullMathjaxUrl": None, "mathjaxConfig": None, "workbench": bar}
