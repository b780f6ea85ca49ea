"""Which scripts a page asks for piece by piece: ``python -m tests.browser.page_scripts`` writes the list of them anew.

With the list's scripts already in one file, a page asks for those alone that the list lacks.
"""

import socket
import tempfile
from pathlib import Path
from urllib.parse import urlsplit

from playwright.sync_api import Browser, sync_playwright

from tests.browser import chromium
from tests.browser.chromium import open_context
from tests.chain import make_settings
from tests.dashboard.serving import Dashboard, serving, write_notebook
from workbench.dashboard import scripts

NAMED_BY_THE_PAGE = ("voila.js", "voila-style.js")
CELL = """\
import ipywidgets
from workbench import ui
ipywidgets.VBox([ui.Requester("ada"), ipywidgets.Accordion([ipywidgets.FileUpload()]), ipywidgets.Button(description="Here")])"""


def asked_for(browser: Browser, dashboard: Dashboard, notebook: str) -> list[str]:
    """The pieces that a page with widgets asks for, as the list names them, in order."""
    asked: list[str] = []
    with open_context(browser) as context:
        page = context.new_page()
        page.goto(f"{dashboard.origin}/workbench?token={dashboard.settings.token}")
        page.on("request", lambda request: asked.append(urlsplit(request.url).path))
        page.goto(f"{dashboard.origin}/voila/render/{notebook}")
        page.get_by_role("button", name="Here").wait_for()
        page.wait_for_load_state("networkidle")
    pieces = [path.removeprefix("/voila/") for path in asked if path.endswith(".js")]
    return [piece for piece in pieces if _is_piece(piece)]


def _is_piece(path: str) -> bool:
    name = Path(path).name
    return (
        path.startswith(("static/", "labextensions/"))
        and name not in NAMED_BY_THE_PAGE
        and not name.startswith("remoteEntry.")
    )


def main() -> None:
    """Write the list anew."""
    scripts.LIST.unlink(missing_ok=True)
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        notebooks = Path(folder) / "notebooks"
        notebooks.mkdir()
        write_notebook(notebooks / "page.ipynb", "Page", CELL)
        settings = make_settings(Path(folder) / "home", WORKBENCH_DASHBOARD_PORT=str(port))
        program = chromium.find()
        assert program is not None, "no Chromium"
        browser = chromium.launch(playwright, program)
        with serving(settings, notebooks) as dashboard:
            found = asked_for(browser, dashboard, "page.ipynb")
        browser.close()
    scripts.LIST.write_text("\n".join(dict.fromkeys(found)) + "\n")
    print(f"{len(found)} scripts in {scripts.LIST}")


if __name__ == "__main__":
    main()
