"""A file goes up in pieces that fit the line: larger ones while they are kept at once, smaller ones where that takes long."""

from playwright.sync_api import Browser, Page

from tests.browser import alone
from tests.browser.chromium import open_page

MIB = 1 << 20
DROP = """(size) => {
    const given = new DataTransfer();
    given.items.add(new File([new Uint8Array(size)], "big.npz"));
    document.getElementById("here").dispatchEvent(new DragEvent("drop", { dataTransfer: given }));
}"""


def test_pieces_grow_on_a_quick_line_and_shrink_on_a_slow_one(browser: Browser) -> None:
    with open_page(browser) as page:
        page.evaluate(
            "performance.now = () => window.now ?? 0"
        )  # how long an answer takes is what this test says
        alone.show(page, "upload", {"label": "Choose a file", "accept": ".npz"})
        page.evaluate(DROP, 40 * MIB)
        page.wait_for_function("sent.length === 1")
        assert page.evaluate("sent[0][0].size") == 40 * MIB
        sizes, at = [], 0
        for took_ms in (0, 0, 100, 0, 1_000, 2_500, 60_000):
            size = _size_of_next(page, at)
            sizes.append(size / MIB)
            at += size
            page.evaluate("(took) => { window.now = (window.now ?? 0) + took; }", took_ms)
        assert sizes == [1, 2, 4, 8, 8, 8, 4]
        assert _size_of_next(page, 12 * MIB) == 2 * MIB, "from wherever the kernel wants it"


def _size_of_next(page: Page, offset: int) -> int:
    """The length of the piece that is sent where the kernel wants one."""
    page.evaluate("(offset) => { sent.length = 0; told({ kind: 'want', offset }); }", offset)
    page.wait_for_function("sent.length === 1")
    kind, at, length = page.evaluate("[sent[0][0].kind, sent[0][0].offset, sent[0][1][0].length]")
    assert (kind, at) == ("piece", offset)
    return int(length)
