"""The page with one button in Panel: ``panel serve panel_page.py``."""

import panel

panel.extension()
panel.Column("# Page", panel.widgets.Button(name="Here")).servable()
