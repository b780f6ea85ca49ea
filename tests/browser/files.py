"""Files that are dropped on a page or pasted into it."""

import base64
from collections.abc import Sequence

from playwright.sync_api import Page

File = tuple[str, str, bytes]
"""Name, type, content."""
GIVE = """([selector, how, files]) => {
    const given = new DataTransfer();
    for (const [name, type, content] of files) {
        given.items.add(new File([Uint8Array.from(atob(content), (c) => c.charCodeAt(0))], name, { type }));
    }
    const target = how === "drop" ? document.querySelector(selector) : document.body;
    const send = (event) => target.dispatchEvent(event);
    if (how === "paste") return send(new ClipboardEvent("paste", { clipboardData: given, bubbles: true, cancelable: true }));
    for (const kind of ["dragover", "drop"]) send(new DragEvent(kind, { dataTransfer: given, bubbles: true, cancelable: true }));
}"""


def give(page: Page, selector: str, how: str, files: Sequence[File]) -> None:
    """Drop files on an element, or paste them into the page."""
    told = [[name, kind, base64.b64encode(content).decode()] for name, kind, content in files]
    page.evaluate(GIVE, [selector, how, told])
