"""Tables as other programs write them: spreadsheets, data frames, reports, programs that print."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from workbench import datasets
from workbench.datasets import adding
from workbench.datasets.kept.values import DatasetManifest
from workbench.datasets.sources import How
from workbench.errors import BadInput
from workbench.settings import Settings, from_environment

pytest.importorskip("google_crc32c")


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return replace(from_environment(), home=tmp_path / "home")


def rows(form: Callable[[float], str], other: Callable[[float], str] = str) -> list[tuple[str, str, str]]:
    """Sixty rows, whose first number is about 1,200 to 60,000,000 and whose second is 0.5 to 30.0."""
    return [(form(n**3 * 271.25 + 1200.5), other((n + 1) / 2), "ab"[n % 2]) for n in range(60)]


def add(folder: Path, settings: Settings, text: str, encoding: str = "utf-8") -> DatasetManifest:
    (folder / "t.csv").write_bytes(text.encode(encoding))
    return adding.add("t", folder / "t.csv", How(), settings)


def given(settings: Settings) -> np.ndarray:
    """All that a model sees, in the order of the first number."""
    x = np.concatenate([part[0] for part in datasets.load("t", settings)])
    return x[np.argsort(x[:, 0])]


def separated(by: str, head: str, cells: list[tuple[str, str, str]], end: str = "\r\n") -> str:
    quoted = [[f'"{cell}"' if by in cell else cell for cell in row] for row in cells]
    return end.join([head.replace(",", by), *(by.join(row) for row in quoted), ""])


def german(value: float) -> str:
    return f"{value:,.2f}".translate(str.maketrans(",.", ".,"))


@pytest.mark.parametrize(
    ("separator", "form", "other"),
    [
        (",", "{:,.2f}".format, str),
        (",", "${:,.2f}".format, "{} %".format),
        (",", "-£{:,.2f}".format, str),
        (";", german, lambda v: f"{v}".replace(".", ",")),
        (";", lambda v: f"{german(v)}\u00a0€", lambda v: f"{v}%".replace(".", ",")),
        ("\t", german, lambda v: f"{v}".replace(".", ",")),
        (",", german, lambda v: f"{v}".replace(".", ",")),
        (";", german, str),
        (";", lambda v: f"{v:,.2f}".replace(",", "\u202f").replace(".", ","), str),
        (";", lambda v: f"{v:,.2f}".replace(",", "’"), str),
        (",", "({:,.2f})".format, str),
        (",", "\u2212{:.2f}".format, str),
    ],
)  # fmt: skip
def test_numbers_are_read_as_they_are_written_elsewhere(
    tmp_path: Path,
    settings: Settings,
    separator: str,
    form: Callable[[float], str],
    other: Callable[[float], str],
) -> None:
    made = add(tmp_path, settings, separated(separator, "worth,part,label", rows(form, other)))
    assert {column.name: column.kind for column in made.inputs} == {"worth": "number", "part": "number"}
    seen = given(settings)
    sign = -1 if form(1.0)[0] in "-(\u2212" else 1
    worth = sorted(sign * (n**3 * 271.25 + 1200.5) for n in range(60))
    np.testing.assert_allclose(seen[:, 0], worth, rtol=1e-6)
    np.testing.assert_allclose(sorted(seen[:, 1]), [(n + 1) / 2 for n in range(60)])


@pytest.mark.parametrize(
    "form",
    [
        lambda n: f"{'$€'[n % 2]}{n}",
        lambda n: f"{n},{n}{n}" if n % 2 else f"{n}.{n}{n}",
        lambda n: f"{n}.{n}.20",
        lambda n: f"12,34,{n}",
        lambda n: f"1 2 {n}",
        lambda n: f"--{n}",
    ],
)
def test_what_only_resembles_numbers_is_not_taken_for_them(
    tmp_path: Path, settings: Settings, form: Callable[[int], str]
) -> None:
    made = add(tmp_path, settings, "one\ttwo\n" + "".join(f"{form(n)}\t{n / 7}\n" for n in range(1, 60)))
    assert made.columns[0].kind == "text"


def test_a_date_beside_decimal_commas_stays_a_date(tmp_path: Path, settings: Settings) -> None:
    lines = [f"{n % 28 + 1:02d}.03.2024;{n},5;{'ab'[n % 2]}" for n in range(60)]
    made = add(tmp_path, settings, "\n".join(["day;size;label", *lines]))
    assert [column.kind for column in made.inputs] == ["date", "number"]


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be", "utf-8-sig"])
def test_what_a_spreadsheet_calls_unicode_text_is_read(
    tmp_path: Path, settings: Settings, encoding: str
) -> None:
    made = add(tmp_path, settings, separated("\t", "Größe,Breite,Klasse", rows("{:.1f}".format)), encoding)
    assert [column.name for column in made.columns] == ["Größe", "Breite", "Klasse"]


@pytest.mark.parametrize(
    ("above", "separator"),
    [
        ("sep=;\r\n", ";"),
        ('"sep=|"\r\n', "|"),
        ("Sales of the year\r\nby the office\r\n\r\n", ","),
        ("# made by a tool\r\n", "\t"),
    ],
)
def test_lines_above_a_table_are_left_out_and_told(
    tmp_path: Path, settings: Settings, above: str, separator: str
) -> None:
    table = separated(separator, "size,width,label", rows("{:.1f}".format))
    made = add(tmp_path, settings, above + table)
    assert [column.name for column in made.columns] == ["size", "width", "label"]
    assert made.train.examples + made.test.examples == 60
    assert [note for note in made.notes if "above the table" in note]
    with pytest.raises(BadInput, match="line 304: 3 cells"):
        add(tmp_path, settings, "A report\n\n" + "a,b\n" + "1,2\n" * 300 + "5,6,7\n")


def test_columns_that_are_set_apart_by_spaces_are_read(tmp_path: Path, settings: Settings) -> None:
    cells = rows("{:.1f}".format)
    text = "".join(f"  {a:>14} {b:>6} {c} \n" for a, b, c in [("size", "width", "label"), *cells])
    made = add(tmp_path, settings, text)
    assert [(column.name, column.kind) for column in made.inputs] == [("size", "number"), ("width", "number")]
    assert made.labels == ("a", "b")


@pytest.mark.parametrize(
    ("head", "inputs"), [(",size,label", ["size"]), ("size,size,label", ["size", "size 2"]), (",,label", ["unnamed 2"])]
)  # fmt: skip
def test_names_that_lack_or_are_there_twice_are_names_all_the_same(
    tmp_path: Path, settings: Settings, head: str, inputs: list[str]
) -> None:
    lines = [f"{n},{n / 7},{'ab'[n % 2]}" for n in range(60)]
    made = add(tmp_path, settings, "\n".join([head, *lines]))
    assert [column.name for column in made.inputs] == inputs, (
        "a data frame's index tells nothing of an example"
    )
    assert made.labels == ("a", "b")


def test_a_few_cells_that_keep_a_column_from_being_numbers_are_named(
    tmp_path: Path, settings: Settings
) -> None:
    lines = [
        f"{'inf' if n == 30 else n / 7},{'#DIV/0!' if n == 9 else n / 3},{'ab'[n % 2]}" for n in range(60)
    ]
    made = add(tmp_path, settings, "\n".join(["one,two,label", *lines]))
    assert [note for note in made.notes if "'one'" in note and "'inf'" in note]
    assert [(column.name, column.missing) for column in made.inputs] == [("two", 1)]


def test_texts_without_anything_beside_them_are_added_again_as_they_were(
    tmp_path: Path, settings: Settings
) -> None:
    lines = [f"This is sentence {n} of a heap of them and it has no class." for n in range(60)]
    first = add(tmp_path, settings, "\n".join(lines))
    assert add(tmp_path, settings, "\n".join(lines)).version == first.version
    assert add(tmp_path, settings, "\n".join([*lines, "One more."])).version == 2


def test_a_picture_is_known_by_what_is_in_it_and_what_is_passed_by_is_named(
    tmp_path: Path, settings: Settings
) -> None:
    pictures = pytest.importorskip("PIL.Image")
    chance = np.random.default_rng(0)
    kinds = [
        ("PNG", ""),
        ("JPEG", ".jfif"),
        ("GIF", ".0"),
        ("WEBP", ".download"),
        ("BMP", ".dib"),
        ("TIFF", ".x"),
    ]
    for label in ("cat", "dog"):
        (tmp_path / "zoo" / label).mkdir(parents=True)
        for n, (kind, ending) in enumerate(kinds):
            picture = pictures.fromarray(chance.integers(0, 255, (24, 32, 3)).astype("u1"))
            picture.save(tmp_path / "zoo" / label / f"p{n}{ending}", kind)
        (tmp_path / "zoo" / label / "Thumbs.db").write_bytes(b"x")
    (tmp_path / "zoo" / "dog" / "about.txt").write_text("dogs")
    (tmp_path / "zoo" / "loose.png").write_bytes((tmp_path / "zoo" / "cat" / "p0").read_bytes())
    made = adding.add("zoo", tmp_path / "zoo", How(), settings)
    assert (made.kind, made.train.examples + made.test.examples) == ("pictures", 12)
    (note,) = made.notes
    assert note.startswith("passed by 2 ")
    assert "dog/about.txt" in note
    assert "loose.png" in note
