"""The drawing page's modules as one script."""

import pytest

from workbench import drawing_page
from workbench.models import at_home
from workbench.ui import film


@pytest.mark.parametrize("paths", [at_home.MODULES, film.MODULES])
def test_every_module_stands_behind_those_that_it_needs(paths: tuple[str, ...]) -> None:
    assert drawing_page.bundle(paths).count("] = (() =>") == len(paths)


def test_a_module_without_one_that_it_needs_is_refused() -> None:
    without = [path for path in at_home.MODULES if path != "elements"]
    with pytest.raises(LookupError, match=r"home/main\.js needs elements"):
        drawing_page.bundle(without)
