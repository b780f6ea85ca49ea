"""The page with one button in Solara: ``solara run --production solara_page.py``.

Of its last release that has a package of all its scripts; without that the server fetches them from another host.
"""

import ipywidgets
import solara


@solara.component
def Page() -> None:
    solara.Markdown("# Page")
    ipywidgets.Button.element(description="Here")
