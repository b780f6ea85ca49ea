"""The code editor by keyboard alone: who passes through it changes nothing, who writes can indent, and can leave."""

from playwright.sync_api import Browser, expect

from tests.browser import alone
from tests.browser.chromium import open_page

EDITOR = {
    "label": "Code",
    "fields": [["data", "Data"], ["training", "Training"]],
    "values": {"data": "x = 1\ny = 2", "training": "z = 3"},
    "marks": {},
    "shown": "data",
}


def test_tab_passes_through_and_indents_once_another_key_was_pressed(browser: Browser) -> None:
    with open_page(browser) as page:
        alone.show(page, "editor", EDITOR, needs="vendor/codemirror")
        code, tab = page.get_by_role("textbox", name="Data"), page.get_by_role("tab", name="Data")
        lines = code.locator(".cm-line")
        tab.focus()
        page.keyboard.press("Tab")
        expect(code).to_be_focused()
        expect(code).to_have_accessible_description("Tab indents; Escape, then Tab leaves")
        page.keyboard.press("Tab")
        expect(code).not_to_be_focused()
        code.focus()
        page.keyboard.press("Shift+Tab")
        expect(tab).to_be_focused()
        expect(lines).to_have_text(["x = 1", "y = 2"])
        page.keyboard.press("Tab")
        page.keyboard.press("ArrowDown")
        page.keyboard.press("Tab")
        expect(lines).to_have_text(["x = 1", "    y = 2"])
        page.keyboard.press("Escape")
        page.keyboard.press("Tab")
        expect(code).not_to_be_focused()
        code.click(position={"x": 20, "y": 5})
        page.keyboard.press("Tab")
        expect(lines).to_have_text(["    x = 1", "    y = 2"])
