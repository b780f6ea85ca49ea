"""Pictures of the application on AWS on its page, with a stand-in for AWS; ``screenshots`` calls this."""

import tempfile
from pathlib import Path

from playwright.sync_api import Browser

from tests.chain import make_settings
from tests.dashboard.serving import serving, write_notebook
from tests.screenshots.gallery import LOOKS, Gallery, named, own_ports
from workbench.settings import PROJECT

SHOW = f"""
import sys
sys.path.insert(0, {str(PROJECT)!r})

import ipywidgets
from IPython.display import display
from tests.ui.cluster.test_application import RUNNING, Stand
from workbench.errors import Unavailable
from workbench.machines import Machine
from workbench.ui.cluster.machines.application import ApplicationPanel

TRAINING = [
    Machine("job-3", role, n, "running", f"192.168.0.4{{n}}:2222", instance=f"i-{{role}}{{n}}")
    for role, n in (("chief", 0), ("ps", 0), ("worker", 0), ("worker", 1))
]
def fail(tell):
    raise Unavailable("VcpuLimitExceeded: 5 vCPU are allowed, 6 are needed; ask for a higher quota")

stand = Stand()
panel = ApplicationPanel(stand)

def show(machines=()):
    panel.refresh(list(machines))
    panel.widget.selected_index = 0
    box = ipywidgets.VBox([panel.widget])
    box.add_class("wb").add_class("wb-card").add_class("wb-wide")
    display(box)
"""
STATES = {
    "absent": "show()",
    "planned": "show(); panel.plan.start()",
    "asked": "show(); panel.launch.press()",
    "launching": "show(); panel.launch.start()",
    "failed": "stand.launch = fail; show(); panel.launch.start()",
    "running": "stand.app = RUNNING; show(TRAINING)",
    "stopped": "stand.stop(print); show()",
}


def take(browser: Browser, gallery: Gallery) -> None:
    """One picture a state and look."""
    lacking = gallery.lacking("application", STATES, LOOKS)
    if not lacking:
        return
    with tempfile.TemporaryDirectory() as temporary:
        notebooks = Path(temporary) / "notebooks"
        notebooks.mkdir()
        for name, code in STATES.items():
            write_notebook(notebooks / f"{name}.ipynb", "The application on AWS", f"{SHOW}\n{code}")
        settings = make_settings(Path(temporary) / "home", **own_ports())
        with serving(settings, notebooks) as running:
            for state, look in lacking:
                with gallery.taking(browser, named("application", state, look), LOOKS[look]) as page:
                    page.goto(f"{running.origin}/voila/render/{state}.ipynb?token={settings.token}")
                    page.locator(".wb-card").get_by_text("The application").first.wait_for()
                    page.wait_for_timeout(1_500)
