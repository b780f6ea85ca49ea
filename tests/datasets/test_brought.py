"""Data sets that people bring: what comes in, what is kept of it, and what a recipe gets."""

import gzip
import zipfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tests.datasets import bringing
from workbench import datasets
from workbench.datasets import adding, exporting
from workbench.datasets.kept import store
from workbench.datasets.kept.values import DatasetManifest, Split
from workbench.datasets.sources import How
from workbench.datasets.sources.lines import CsvLines
from workbench.datasets.sources.unpacking import unpack
from workbench.errors import BadInput, Conflict, NotFound, TooLarge, WorkbenchError
from workbench.lineage import DatasetPin
from workbench.settings import Settings, from_environment

pytest.importorskip("pyarrow")
pytest.importorskip("google_crc32c")


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return replace(from_environment(), home=tmp_path / "home")


def add(name: str, path: Path, settings: Settings, how: How | None = None) -> DatasetManifest:
    return adding.add(name, path, how or How(), settings)


def test_a_table_is_understood_and_given_as_numbers(tmp_path: Path, settings: Settings) -> None:
    made = add("garden", bringing.garden(tmp_path / "g.csv"), settings)
    found = {column.name: column for column in made.columns}
    assert {name: (c.kind, c.role) for name, c in found.items()} == {
        "id": ("number", "unused"),
        "warmth": ("number", "input"),
        "rain": ("number", "input"),
        "soil": ("category", "input"),
        "day": ("date", "input"),
        "remark": ("text", "unused"),
        "label": ("category", "target"),
    }
    assert (found["rain"].missing, found["soil"].missing) == (18, 75)
    assert made.labels == ("no need", "water")
    (x, y), (x_test, _) = datasets.load("garden", settings)
    names = datasets.feature_names("garden", settings)
    assert names == (
        *("warmth", "rain", "rain is missing", "soil is clay", "soil is loam", "soil is sand", "day"),
    )
    assert (x.dtype, x.shape[1], y.dtype) == (np.float32, len(names), np.int64)
    assert len(x_test) == 60
    assert np.isfinite(x).all()
    assert np.array_equal(y, (x[:, 0] < 18).astype(int))
    raw, _ = datasets.columns("garden", settings)
    assert set(raw["soil"]) == {"clay", "loam", "sand", ""}


@pytest.mark.parametrize(
    ("text", "kind", "target", "labels"),
    [
        ("a;b;wert\n1,5;x;2,5\n2,5;y;3,25\n3,5;x;1,0\n0,5;y;7,125\n", "table", "wert", ()),
        ("spam\tWin it all now\nham\tsee you at {n}\nham\tthe train is late, {n}\nspam\tclick here {n}\n", "text", "column 1", ("ham", "spam")),
        ("﻿x,y\n1,0\n2,1\n3,0\n4,1\n5,0\n6,1\n", "table", "y", ("0", "1")),
        ("Größe,Klasse\n1.5,groß\n2.5,klein\n3.5,groß\n4.5,klein\n", "table", "Klasse", ("groß", "klein")),
        ("when,price\n01.02.2024,3.5\n02.02.2024,4.5\n28.02.2024,5.25\n", "table", "price", ()),
    ],
)  # fmt: skip
def test_tables_of_many_hands_are_read(
    tmp_path: Path, settings: Settings, text: str, kind: str, target: str, labels: tuple[str, ...]
) -> None:
    path = tmp_path / "t.csv"
    path.write_text(text, encoding="utf-8")
    made = add("t", path, settings, How(split=Split(share=0.3)))
    assert (made.kind, made.target and made.target.name, made.labels) == (kind, target, labels)
    if "Größe" in text:
        path.write_text(text, encoding="cp1252")
        assert add("t", path, settings, How(split=Split(share=0.3))).labels == labels


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"a,b\n1,2\n1,2,3\n3,4\n", "line 3: 3 cells where there are 2 columns"),
        (b"a,b\n1," + b"x" * 1_100_000 + b"\n", "at most 1,000,000 characters a cell"),
        (b"a,b\n" + b"1" * 5_000_000, "a line of more than"),
        (b"a,b\n1,\0\n", "zero bytes"),
        (b"", "has no rows"),
        (b"a,b\n1,2\n", "at least two"),
        (",".join(f"c{n}" for n in range(3000)).encode() + b"\n", "3,000 columns"),
    ],
    ids=["ragged", "cell", "line", "zero", "empty", "one row", "columns"],
)
def test_what_is_no_table_is_refused_in_words_and_nothing_is_left(
    tmp_path: Path, settings: Settings, content: bytes, said: str
) -> None:
    path = tmp_path / "t.csv"
    path.write_bytes(content)
    with pytest.raises(BadInput, match=said):
        add("t", path, settings)
    assert store.versions(settings) == []
    assert [*(settings.data / "sets").glob(".new-*")] == []


@pytest.mark.parametrize("suffix", ["txt", "csv"])
def test_a_source_that_is_taken_away_while_it_is_read_is_told_and_nothing_is_left(
    suffix: str, tmp_path: Path, settings: Settings
) -> None:
    source = tmp_path / "source"
    for name in ("good", "bad"):
        (source / name).mkdir(parents=True)
        for n in range(20):
            (source / name / f"{n}.txt").write_text(f"words of {name} and {n}")
    if suffix == "csv":
        source = bringing.garden(tmp_path / "garden.csv")

    def take_away(said: str) -> None:
        if "reading" in said:
            for path in [source, *source.rglob("*")]:
                if path.is_file():
                    path.unlink()

    with pytest.raises(
        BadInput, match=rf"\.{suffix} cannot be read: No such file.* nothing was kept of gone"
    ):
        adding.add("gone", source, How(), settings, say=take_away)
    assert store.versions(settings, "gone") == []


def test_pictures_come_from_folders_and_zips_alike(tmp_path: Path, settings: Settings) -> None:
    folder = bringing.photos(tmp_path / "photos")
    (folder / "cat" / "torn.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    made = add("animals", folder, settings, How(size=(24, 20)))
    assert made.labels == ("cat", "dog", "emu")
    assert [note for note in made.notes if "torn.png" in note]
    (x, y), (x_test, _) = datasets.load("animals", settings)
    assert (x.shape[1:], x.dtype, len(x) + len(x_test)) == ((20, 24, 3), np.uint8, 36)
    brightest = np.array([2, 1, 0])[x.reshape(len(x), -1, 3).mean(1).argmax(1)]  # OpenCV wrote blue first
    assert np.array_equal(brightest, y)
    same = add("animals", bringing.zipped(folder, tmp_path / "p.zip"), settings, How(size=(24, 20)))
    assert (same.version, same.sha256) == (1, made.sha256)


def test_arrays_keep_their_shapes_and_their_parts(tmp_path: Path, settings: Settings) -> None:
    chance = np.random.default_rng(0)
    np.savez_compressed(tmp_path / "s.npz", x=chance.normal(size=(80, 9, 2)), y=np.arange(80) % 4)
    made = add("series", tmp_path / "s.npz", settings)
    assert (made.kind, made.inputs[0].shape, made.labels) == ("arrays", (9, 2), ("0", "1", "2", "3"))
    assert made.train.classes == (16, 16, 16, 16)
    letters = add("letters", bringing.idx(tmp_path / "idx"), settings)
    assert (letters.kind, letters.train.examples, letters.test.examples) == ("pictures", 60, 20)
    assert letters.split.by == "given"
    np.savez(tmp_path / "o.npz", x=np.array([{}] * 4, object), y=np.arange(4))
    with pytest.raises(BadInput, match="can run code"):
        add("objects", tmp_path / "o.npz", settings)


def test_a_version_never_changes_and_shares_its_files_with_the_next(
    tmp_path: Path, settings: Settings
) -> None:
    first = add("garden", bringing.garden(tmp_path / "a.csv"), settings)
    assert add("garden", bringing.garden(tmp_path / "b.csv"), settings).version == 1
    second = add("garden", bringing.garden(tmp_path / "c.csv", more=40), settings)
    assert second.version == 2
    assert {shard.sha256 for shard in first.shards} < {shard.sha256 for shard in second.shards}
    kept = datasets.columns("garden:1", settings)[1]["id"]
    assert set(kept) <= set(datasets.columns("garden:2", settings)[1]["id"])  # once tested with, always
    blobs = list((settings.data / "blobs").glob("*/*"))
    store.remove("garden:2", (), settings)
    assert len(list((settings.data / "blobs").glob("*/*"))) == len(blobs) - 2
    assert len(datasets.load("garden:1", settings)[0][0]) == first.train.examples
    assert add("garden", bringing.garden(tmp_path / "d.csv", more=9), settings).version == 3


def test_equal_examples_and_groups_are_never_torn_apart(tmp_path: Path, settings: Settings) -> None:
    rows = [f"{n % 50},{n % 7},{'a' if n % 2 else 'b'}" for n in range(400)]
    (tmp_path / "t.csv").write_text("u,v,label\n" + "\n".join(rows) + "\n")
    made = add("twice", tmp_path / "t.csv", settings, How(split=Split(seed=3)))
    assert made.duplicates.between == 0
    assert (made.duplicates.train or 0) > 0
    grouped = add("grouped", tmp_path / "t.csv", settings, How(split=Split("group", 0.3, "u")))
    train, test = datasets.columns("grouped", settings)
    assert not set(train["u"]) & set(test["u"])
    assert 0.15 < grouped.test.examples / 400 < 0.45


def test_leaks_between_given_parts_are_counted(tmp_path: Path, settings: Settings) -> None:
    x = np.random.default_rng(0).normal(size=(30, 3)).astype("f4")
    y = np.arange(30) % 2
    np.savez(tmp_path / "l.npz", x_train=x, y_train=y, x_test=x[:5], y_test=y[:5])
    made = add("leaky", tmp_path / "l.npz", settings)
    assert (made.train.examples, made.test.examples, made.duplicates.between) == (30, 5, 5)


def test_a_pinned_version_is_used_and_noted(tmp_path: Path, settings: Settings) -> None:
    first = add("garden", bringing.garden(tmp_path / "a.csv"), settings)
    add("garden", bringing.garden(tmp_path / "b.csv", more=40), settings)
    with datasets.pinned({"garden": DatasetPin(1, first.sha256)}):
        assert len(datasets.load("garden", settings)[0][0]) == first.train.examples
        assert datasets.used()["garden"] == DatasetPin(1, first.sha256)
    with (
        datasets.pinned({"garden": DatasetPin(1, "0" * 64)}),
        pytest.raises(Conflict, match="submitted with"),
    ):
        datasets.load("garden", settings)
    with pytest.raises(NotFound, match="workbench data add"):
        datasets.load("nothing", settings)


def test_what_was_exported_is_added_again_as_it_was(tmp_path: Path, settings: Settings) -> None:
    sources = {"garden": bringing.garden(tmp_path / "g.csv"), "animals": bringing.photos(tmp_path / "p", 6)}
    np.savez(tmp_path / "s.npz", x=np.random.default_rng(0).normal(size=(20, 4, 2)), y=np.arange(20) % 2)
    sources["series"] = tmp_path / "s.npz"
    for name, source in sources.items():
        made = add(name, source, settings)
        folder = exporting.export(made, tmp_path / f"{name}-out", settings)
        again = add(f"{name}2", folder, settings)
        for part in (0, 1):
            x, y = datasets.load(name, settings)[part]
            x2, y2 = datasets.load(f"{name}2", settings)[part]
            assert sorted(map(bytes, x)) == sorted(map(bytes, x2))
            assert sorted(y) == sorted(y2)
        assert again.labels == made.labels
    with pytest.raises(Conflict):
        exporting.export(store.find("garden", settings), tmp_path / "garden-out", settings)


@pytest.mark.parametrize(
    ("name", "mode", "said"),
    [
        ("../out.txt", 0, "leads out of"),
        ("/etc/out.txt", 0, "leads out of"),
        ("a\\..\\..\\out.txt", 0, "leads out of"),
        ("link.txt", 0o120777, "link"),
        ("a" * 300, 0, "too long"),
    ],
)
def test_a_zip_cannot_write_elsewhere(tmp_path: Path, name: str, mode: int, said: str) -> None:
    with zipfile.ZipFile(tmp_path / "z.zip", "w") as archive:
        info = zipfile.ZipInfo(name)
        info.external_attr = mode << 16
        archive.writestr(info, "x")
    (tmp_path / "out").mkdir()
    with pytest.raises(BadInput, match=said):
        unpack(tmp_path / "z.zip", tmp_path / "out")
    assert [path for path in (tmp_path / "out").rglob("*") if path.is_file()] == []


def test_a_zip_that_grows_without_end_is_refused(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "bomb.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("x.csv", b"0" * 30_000_000)
    (tmp_path / "out").mkdir()
    with pytest.raises(TooLarge, match="times its size"):
        unpack(tmp_path / "bomb.zip", tmp_path / "out")
    lying = bytearray((tmp_path / "bomb.zip").read_bytes())
    size = (30_000_000).to_bytes(4, "little")
    (tmp_path / "lying.zip").write_bytes(lying.replace(size, (9_000).to_bytes(4, "little")))
    with pytest.raises(WorkbenchError):
        unpack(tmp_path / "lying.zip", tmp_path / "out")
    assert sum(path.stat().st_size for path in (tmp_path / "out").rglob("*") if path.is_file()) < 20_000_000


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("noise.csv", b"a,b\n\x8f\x81\xff,1\n"),
        ("noise.tsv", bytes(range(1, 256)) * 4),
        ("cut.csv.gz", gzip.compress(b"a,b\n" + b"1,2\n" * 5000)[:-12]),
        ("broken.csv.gz", gzip.compress(b"a,b\n1,2\n")[:10] + b"\xff" * 40),
    ],
)
def test_what_is_no_text_is_told_in_words(tmp_path: Path, name: str, content: bytes) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(BadInput, match=r"not text|damaged"):
        list(CsvLines(tmp_path / name).pieces())


def test_tabs_part_the_cells_of_a_tsv_however_many_commas_its_sentences_have(
    tmp_path: Path, settings: Settings
) -> None:
    lines = [
        f"{'good' if n % 2 else 'bad'}\tit was {n}, so to say, {'fine' if n % 2 else 'dull'}"
        for n in range(60)
    ]
    (tmp_path / "t.tsv").write_text("\n".join(lines))
    made = add("sentences", tmp_path / "t.tsv", settings)
    assert (made.kind, made.labels) == ("text", ("bad", "good"))
    (tmp_path / "c.tsv").write_text("size,price\n" + "\n".join(f"{n},{2 * n}" for n in range(60)))
    assert len(add("commas", tmp_path / "c.tsv", settings).columns) == 2, "whatever it is called"
