"""After *Deploy* one is told where the version can be asked."""

from pathlib import Path

import pytest

from workbench.manifest import Input, Manifest, ModelOutput
from workbench.models.registry import Version
from workbench.ui.deploying import deployed

DRAWN = Input((28, 28, 1), "image")


@pytest.mark.parametrize(
    ("manifest", "said"),
    [
        (Manifest(input=DRAWN), "waves:2 answers on a page now"),
        (Manifest(input=DRAWN, output=ModelOutput("values", (1,))), "waves:2 answers now: ask it on Models"),
        (Manifest(input=Input((128, 1))), "waves:2 answers now: ask it on Models"),
    ],
)
def test_the_drawing_page_is_named_only_where_it_asks_this_model(
    tmp_path: Path, manifest: Manifest, said: str
) -> None:
    assert deployed(Version("waves", 2, tmp_path, manifest), "a page").startswith(said)
