"""A button for files has its own words and no others, and what was chosen is sent whole."""

from playwright.sync_api import Browser, FilePayload, expect

from tests.browser import alone
from tests.browser.chromium import open_page
from workbench.ui.widgets import theme

TRAITS = {"description": "Choose a picture", "accept": "image/*", "multiple": True, "most": 12_000_000}


def test_the_button_says_what_it_is_for_and_sends_what_was_chosen(browser: Browser) -> None:
    with open_page(browser) as page:
        alone.show(page, "files", TRAITS, theme.css("files"))
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
        contents = "sent.map(([said, buffers]) => [said, buffers.map((one) => [...one])])"
        assert page.evaluate(contents) == [[{"kind": "files", "names": ["a", "b"]}, [[1, 2], []]]] * 2

        def choose(size: int) -> None:
            with page.expect_file_chooser() as chooser:
                button.press("Enter")
            chooser.value.set_files([FilePayload(name="big", mimeType="", buffer=b"x" * size)])

        page.evaluate("sent.length = 0")
        choose(13_000_000)
        page.wait_for_function("sent.length === 1")
        assert page.evaluate("sent[0][0].kind") == "refused", "before anything is sent"
        choose(9_000_000)
        page.wait_for_function("sent.length === 2")
        assert page.evaluate("sent[1][0]") == {"kind": "begin", "names": ["big"], "sizes": [9_000_000]}
        page.evaluate("told({ kind: 'want', number: 0, offset: 4500000, sent: 4500000 })")
        page.wait_for_function("sent.length === 3")
        assert page.evaluate("[sent[2][0], sent[2][1][0].length]") == [
            {"kind": "piece", "number": 0, "offset": 4_500_000},
            1 << 22,
        ]
        stop = page.get_by_role("button", name="Stop (50 %)", exact=True)
        stop.press("Enter")
        page.wait_for_function("sent.length === 4")
        assert page.evaluate("sent[3][0]") == {"kind": "cancel"}
        expect(button).to_be_visible()
