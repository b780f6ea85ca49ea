"""The page that says what goes in says what does."""

import pytest

pytest.importorskip("pillow_heif", reason="the extra 'serving' is not installed")

from tests import goes_in


def test_the_page_of_what_goes_in_is_what_was_tried() -> None:
    """If this fails after something was changed on purpose, ``python -m tests.goes_in`` writes the page anew."""
    assert goes_in.on_page() == goes_in.written()
