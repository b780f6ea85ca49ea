"""A version's page shows its film of learning, or why there is none."""

from pathlib import Path

import pytest

from workbench import film as films
from workbench.manifest import Input, Manifest
from workbench.ui import film
from workbench.verbs.models import Version


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (Input((28, 28, 1), "image"), "none was kept while it learned"),
        (Input((32, 32, 3), "image"), "none was kept while it learned"),
        (Input((5,), "array"), None),
        (None, None),
    ],
)
def test_a_version_of_pictures_without_a_film_says_so(
    tmp_path: Path, given: Input | None, said: str | None
) -> None:
    version = Version("net", 1, tmp_path, Manifest(input=given))
    found = film.read(version)
    assert (found is None) == (said is None)
    if found is not None:
        assert films.why_absent(found).startswith(str(said))


def test_what_a_version_keeps_is_shown(tmp_path: Path) -> None:
    version = Version("net", 1, tmp_path, Manifest(input=Input((28, 28, 1), "image")))
    films.write(films.absent("wide alone has 300,000 numbers"), tmp_path)
    found = film.read(version)
    assert found is not None
    assert films.why_absent(found) == "wide alone has 300,000 numbers"
    films.write(films.Film({"format": 1}, (films.Frame(0, b"ab"),)), tmp_path)
    found = film.read(version)
    assert found is not None
    assert [frame.numbers for frame in found.frames] == [b"ab"]
