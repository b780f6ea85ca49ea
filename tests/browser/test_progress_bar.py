"""A screen reader is told each change of a bar's state, with a word for the state and the words that belong to it."""

import json

from playwright.sync_api import Browser, expect

from workbench.ui.widgets import theme

BAR = {"label": "Job", "state": "failed", "value": 0.4, "text": "Failed after 3 s", "aside": ""}


def test_the_state_is_told_in_a_word_with_its_own_text(browser: Browser) -> None:
    page = browser.new_page()
    try:
        page.set_content(
            '<body><div id="here"></div><script type="module">'
            f'const url = URL.createObjectURL(new Blob([{json.dumps(theme.esm("progress"))}], {{ type: "text/javascript" }}));'
            f"const {{ default: bar }} = await import(url), traits = {json.dumps(BAR)}, heard = [];"
            "window.change = (more) => { Object.assign(traits, more); heard.forEach((draw) => draw()); };"
            "const model = { get: (name) => traits[name], on: (_, draw) => heard.push(draw), off() {} };"
            'bar.render({ model, el: document.getElementById("here") });</script>'
        )
        spoken = page.get_by_role("status")
        page.wait_for_function("'change' in window")  # a function would be called
        expect(spoken).to_have_text("")
        for state, text, said in (
            ("idle", "1st in the queue", "Job waiting. 1st in the queue"),
            ("running", "Epoch 1", "Job started. Epoch 1"),
            ("done", "Completed", "Job finished. Completed"),
            ("stopped", "Terminated", "Job stopped. Terminated"),
            ("failed", "Failed", "Job failed. Failed"),
        ):
            page.evaluate("(more) => window.change(more)", {"state": state, "text": text})
            expect(spoken).to_have_text(said)
        page.evaluate("window.change({ text: 'more of the same' })")
        expect(spoken).to_have_text("Job failed. Failed")
    finally:
        page.close()
