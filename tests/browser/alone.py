"""One widget of ours on a page of its own, with a stand-in for the kernel's side of it."""

import json
from collections.abc import Mapping

from playwright.sync_api import Page

from workbench.ui.widgets import theme

MODEL = """
const heard = [];
const model = {
    get: (name) => traits[name],
    set: (name, value) => { traits[name] = value; },
    save_changes() {},
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


def show(page: Page, name: str, traits: Mapping[str, object], css: str = "", needs: str = "") -> None:
    """Show the widget ``name``, whose module stands behind the one that it ``needs``.

    The page then has ``sent``, each message with its buffers as ``Uint8Array``, ``told(message)`` as the kernel would send one,
    and ``change(traits)``.
    """
    source = (theme.esm(needs) if needs else "") + theme.esm(name)
    page.set_content(
        f'<style>{css}</style><body class="wb"><div id="here"></div><script type="module">'
        f'const url = URL.createObjectURL(new Blob([{json.dumps(source)}], {{ type: "text/javascript" }}));'
        f"const {{ default: widget }} = await import(url), traits = {json.dumps(traits)};{MODEL}</script>"
    )
    page.wait_for_function("window.shown")
