"""Jobs beside each other: where their code differs, and what was asked for and came of it."""

import re
from dataclasses import replace
from html import unescape

from workbench.recipes import Recipe, RecipeFile
from workbench.ui.cluster.jobs.compared_code import difference

NAMES = ("job 1", "job 2")
CODE = Recipe(
    "import keras\n",
    "def load_data():\n    return 1, 2\n",
    "EPOCHS = 3\nRATE = 1e-3\n\n\ndef build_model(): ...\n",
)


def lines(html: str) -> list[str]:
    """The lines of a difference with their signs, as one reads them."""
    found = re.findall(r"<span[^>]*><i>\d*</i><i>\d*</i><b>(.)</b>(.*?)</span>", html)
    return [sign + unescape(re.sub(r"</?mark>", "", text)) for sign, text in found]


def test_code_that_is_the_same_is_said_to_be() -> None:
    assert "the same, byte for byte" in difference(CODE, replace(CODE), NAMES)


def test_what_went_and_what_came_is_shown_among_the_lines_around_it_and_marked() -> None:
    other = replace(CODE, training="EPOCHS = 3\nRATE = 1e-2\nPATIENCE = 2\n\n\ndef build_model(): ...\n")
    shown = difference(CODE, other, NAMES)
    assert lines(shown) == [
        " EPOCHS = 3", "-RATE = 1e-3".replace("-", "−", 1), "+RATE = 1e-2", "+PATIENCE = 2", " ", " ", " def build_model(): ...",
    ]  # fmt: skip
    assert "1e-<mark>3</mark>" in shown
    assert "1e-<mark>2</mark>" in shown
    assert "<mark>PATIENCE" not in shown, "a whole line that came needs no mark"
    assert "The same in both: helpers.py, preprocessing.py" in shown


def test_code_is_text_and_no_html() -> None:
    shown = difference(CODE, replace(CODE, helpers="x = '<script>alert(1)</script>'\n"), NAMES)
    assert "<script>" not in shown
    assert "+x = '<script>alert(1)</script>'" in lines(shown)


def test_a_line_before_the_changed_one_keeps_it_marked() -> None:
    before = replace(CODE, helpers="def look(x):\n    return layers.Conv2D(16, 5)(x)\n")
    after = replace(CODE, helpers="def look(x):\n    x = norm(x)\n    return layers.Conv2D(32, 5)(x)\n")
    shown = difference(before, after, NAMES)
    assert "Conv2D(<mark>16</mark>, 5)" in shown
    assert "Conv2D(<mark>32</mark>, 5)" in shown


def test_far_apart_changes_are_parted_and_line_ends_are_named() -> None:
    many = "".join(f"a{n} = {n}\n" for n in range(40))
    shown = difference(
        replace(CODE, helpers=many),
        replace(CODE, helpers=many.replace("= 2\n", "= 0\n").replace("= 35\n", "= 0\n")),
        NAMES,
    )
    assert shown.count("wb-gap") == 1
    windows = difference(CODE, replace(CODE, helpers="import keras\r\n"), NAMES)
    assert "only the ends of lines differ" in windows


def test_files_beside_the_code_are_named_where_they_differ() -> None:
    def file(path: str, sha256: str) -> RecipeFile:
        return RecipeFile(path, 1, sha256)

    first = replace(CODE, files=(file("same.txt", "a"), file("gone.txt", "b"), file("other.txt", "c")))
    second = replace(CODE, files=(file("same.txt", "a"), file("other.txt", "d")), requirements="tqdm\n")
    shown = difference(first, second, NAMES)
    assert "<code>gone.txt</code>: only in the first" in shown
    assert "<code>other.txt</code>: differs" in shown
    assert "same.txt" not in shown
    assert "+tqdm" in lines(shown)
