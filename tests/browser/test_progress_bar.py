"""A screen reader is told each change of a bar's state, with a word for the state and the words that belong to it."""

from playwright.sync_api import Browser, expect

from tests.browser import alone
from tests.browser.chromium import open_page

BAR = {"label": "Job", "state": "failed", "value": 0.4, "text": "Failed after 3 s", "aside": ""}


def test_the_state_is_told_in_a_word_with_its_own_text(browser: Browser) -> None:
    with open_page(browser) as page:
        alone.show(page, "progress", BAR)
        spoken = page.get_by_role("status")
        expect(spoken).to_have_text("")
        for state, text, said in (
            ("idle", "1st in the queue", "Job waiting. 1st in the queue"),
            ("running", "Epoch 1", "Job started. Epoch 1"),
            ("done", "Completed", "Job finished. Completed"),
            ("stopped", "Terminated", "Job stopped. Terminated"),
            ("failed", "Failed", "Job failed. Failed"),
        ):
            page.evaluate("(more) => change(more)", {"state": state, "text": text})
            expect(spoken).to_have_text(said)
        page.evaluate("change({ text: 'more of the same' })")
        expect(spoken).to_have_text("Job failed. Failed")
