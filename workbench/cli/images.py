"""``image``: an image on AWS from which machines begin with everything installed; built, listed with its price, removed."""

import argparse
import sys
import time
from typing import TYPE_CHECKING

from workbench.cli import output
from workbench.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Sequence

    from workbench.verbs.application import KeptImage


def add(verbs: output.Verbs) -> None:
    """Add the command to the parser."""
    image = verbs.add("image", _image, "images on AWS from which machines begin installed", json=True)
    image.add_argument("verb", nargs="?", choices=["list", "build", "remove"], default="list")
    image.add_argument("id", nargs="?", metavar="ID", help="to remove; without one all of this home")


def _image(arguments: argparse.Namespace, settings: Settings) -> None:
    from workbench.verbs.application import Application

    application, began = Application(settings), time.monotonic()

    def tell(line: str) -> None:
        print(f"{time.monotonic() - began:6.1f} s  {line}", file=sys.stderr, flush=True)

    if arguments.verb == "build":
        application.build_image(tell)
    elif arguments.verb == "remove":
        for id in application.remove_images(arguments.id):
            print(f"removed: {id}", file=sys.stderr)
    found = application.images()
    if arguments.json:
        output.json([one.as_json() for one in found])
    else:
        _show(found)


def _show(found: "Sequence[KeptImage]") -> None:
    if not found:
        print("there is no image; machines install when they begin. Build one with: workbench image build")
        return
    rows = [
        (
            one.image.id,
            one.image.state,
            "yes" if one.is_current else "no: of other packages",
            one.image.home or "–",
            one.image.created or "–",
            f"${one.most_per_month:.2f}",
        )
        for one in found
    ]
    print(output.columns([("IMAGE", "STATE", "USED", "HOME", "MADE", "A MONTH, AT MOST"), *rows]))
