"""Pictures of the pages in every state, to be looked at: ``python -m tests.screenshots FOLDER [BEGINNING …]``.

It may be ended at any time, and goes on where it was: a picture that is newer than the code is not taken again. With
beginnings of names (``cluster-job``), those pictures are taken anew, and no others.
"""

import sys
from pathlib import Path

from playwright.sync_api import sync_playwright

from tests.browser import chromium
from tests.screenshots import application, cluster, dashboard, drawing, journey, pages, serving
from tests.screenshots.gallery import Gallery

PARTS = (drawing, cluster, application, serving, dashboard, pages, journey)


def main(folder: Path, *only: str) -> None:
    program = chromium.find()
    if program is None:
        sys.exit(f"no Chromium: none of {', '.join(chromium.PROGRAMS)} is installed")
    gallery = Gallery(folder, only)
    with sync_playwright() as playwright:
        browser = chromium.launch(playwright, program)
        for part in PARTS:
            part.take(browser, gallery)
        browser.close()
    print(f"{gallery.taken} pictures; all of them on one page: {gallery.write_index()}")
    if gallery.complaints:
        sys.exit("\n".join(gallery.complaints))


if __name__ == "__main__":
    main(Path(sys.argv[1]), *sys.argv[2:])
