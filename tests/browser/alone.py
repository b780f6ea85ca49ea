"""One widget of ours on a page of its own, with a stand-in for the kernel's side of it."""

import json
from collections.abc import Mapping

from playwright.sync_api import Page

from workbench.ui.widgets import theme

MODEL = """
const heard = [];
const model = {
    get: (name) => traits[name],
    send: (said, _, buffers) => sent.push([said, (buffers ?? []).map((one) => new Uint8Array(one))]),
    on: (event, act) => heard.push([event, act]),
    off() {},
};
const hear = (begin, said) => heard.filter(([event]) => event.startsWith(begin)).forEach(([, act]) => act(said));
window.sent = [];
window.told = (said) => hear("msg:", said);
window.change = (more) => { Object.assign(traits, more); hear("change:"); };
widget.render({ model, el: document.getElementById("here") });
window.shown = true;
"""


def show(page: Page, name: str, traits: Mapping[str, object], css: str = "") -> None:
    """Show the widget ``name``.

    The page then has ``sent``, each message with its buffers as ``Uint8Array``, ``told(message)`` as the kernel would send one,
    and ``change(traits)``.
    """
    page.set_content(
        f'<style>{css}</style><body class="wb"><div id="here"></div><script type="module">'
        f'const url = URL.createObjectURL(new Blob([{json.dumps(theme.esm(name))}], {{ type: "text/javascript" }}));'
        f"const {{ default: widget }} = await import(url), traits = {json.dumps(traits)};{MODEL}</script>"
    )
    page.wait_for_function("window.shown")
