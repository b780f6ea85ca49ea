"""The page with one button in Solara: ``solara run --production solara_page.py``."""

import ipywidgets
import solara


@solara.component
def Page():
    solara.Markdown("# Page")
    ipywidgets.Button.element(description="Here")
