"""A button for files has its own words and no others, and what was chosen is sent whole."""

import json

from playwright.sync_api import Browser, FilePayload, expect

from workbench.ui.widgets import theme

TRAITS = {"description": "Choose a picture", "accept": "image/*", "multiple": True}


def test_the_button_says_what_it_is_for_and_sends_what_was_chosen(browser: Browser) -> None:
    page = browser.new_page()
    try:
        page.set_content(
            f'<style>{theme.css("files")}</style><body class="wb"><div id="here"></div><script type="module">'
            f'const url = URL.createObjectURL(new Blob([{json.dumps(theme.esm("files"))}], {{ type: "text/javascript" }}));'
            f"const {{ default: files }} = await import(url), traits = {json.dumps(TRAITS)}; window.sent = [];"
            "const send = (said, _, buffers) => sent.push([said, buffers.map((one) => [...new Uint8Array(one)])]);"
            'files.render({ model: { get: (k) => traits[k], send }, el: document.getElementById("here") });</script>'
        )
        button = page.get_by_role("button", name="Choose a picture", exact=True)
        expect(button).to_have_text("Choose a picture")
        for _ in range(2):  # the same file again
            with page.expect_file_chooser() as chooser:
                button.press("Enter")
            assert chooser.value.is_multiple()
            chooser.value.set_files(
                [
                    FilePayload(name=name, mimeType="", buffer=content)
                    for name, content in (("a", b"\1\2"), ("b", b""))
                ]
            )
        page.wait_for_function("sent.length === 2")
        assert page.evaluate("sent") == [[{"kind": "files", "names": ["a", "b"]}, [[1, 2], []]]] * 2
    finally:
        page.close()
