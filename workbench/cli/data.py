"""``data``: add, list, show, export, remove data sets, and make a recipe of one."""

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from workbench.cli import output
from workbench.errors import BadInput
from workbench.settings import Settings

if TYPE_CHECKING:
    from workbench.verbs.datasets import Column, DatasetManifest

_BAR = " ▁▂▃▄▅▆▇█"


def add(verbs: output.Verbs) -> None:
    """Add the commands to the parser."""
    data = verbs.add("data", _list, "data sets that you bring: add, list, show, export, remove", json=True)
    inner = data.add_subparsers(title="what to do", metavar="ACTION")
    _action(inner, "list", _list, "all versions (what `workbench data` alone does)")
    adding = _action(inner, "add", _add, "add a version of what lies at a path or a URL")
    adding.add_argument("name", metavar="NAME")
    adding.add_argument(
        "source", metavar="SOURCE", help="a folder, a zip, .csv, .tsv, .parquet, .npz, IDX, https:// or s3://"
    )
    adding.add_argument(
        "--kind", choices=["pictures", "table", "text", "arrays"], help="of what it is; guessed"
    )
    adding.add_argument("--target", metavar="COLUMN", help="the column that a model is to tell; guessed")
    number = adding.add_mutually_exclusive_group()
    number.add_argument("--classes", action="store_true", help="the target is a class")
    number.add_argument("--number", action="store_true", help="the target is a quantity")
    adding.add_argument(
        "--unused",
        action="append",
        default=[],
        metavar="COLUMN",
        help="no model is to see it; again for more",
    )
    adding.add_argument(
        "--test-share", type=float, default=0.2, metavar="SHARE", help="of the examples, to test with: 0.2"
    )
    adding.add_argument("--split-column", metavar="COLUMN", help="says train or test in each row")
    adding.add_argument("--group", metavar="COLUMN", help="rows that are alike in it stay in one part")
    adding.add_argument("--seed", type=int, default=0, help="of the split")
    adding.add_argument("--size", type=_size, metavar="WxH", help="of pictures; guessed")
    adding.add_argument(
        "--ink", action="store_true", help="pictures of ink on paper: one channel, as digits are seen"
    )
    header = adding.add_mutually_exclusive_group()
    header.add_argument("--header", action="store_true", help="the first line names the columns")
    header.add_argument("--no-header", action="store_true", help="it does not")
    adding.add_argument("--licence", default="", metavar="TEXT", help="under which it may be used")
    _action(inner, "show", _show, "one version: columns, balance, what was made of it").add_argument(
        "dataset", metavar="NAME[:V]"
    )
    exporting = _action(inner, "export", _export, "write a version as files that others read")
    exporting.add_argument("dataset", metavar="NAME[:V]")
    exporting.add_argument("folder", metavar="FOLDER", type=Path)
    making = _action(inner, "recipe", _recipe, "write a recipe that is made from what a data set is")
    making.add_argument("dataset", metavar="NAME")
    making.add_argument("folder", metavar="FOLDER", type=Path)
    making.add_argument(
        "--forecast",
        action="store_true",
        help="tell the target of a later row from the rows before, by their date",
    )
    making.add_argument(
        "--backbone",
        metavar="NET",
        help="for pictures, what has learned others: a .keras file, a published NAME[:V], or mobilenetv2, "
        "efficientnetb0, densenet121 with --weights",
    )
    making.add_argument(
        "--weights", metavar="FILE", type=Path, help="of such a net, without its top: a .h5 file"
    )
    _action(inner, "remove", _remove, "remove a version that no model names").add_argument(
        "dataset", metavar="NAME:V"
    )


def _action(
    inner: "argparse._SubParsersAction[argparse.ArgumentParser]", name: str, run: output.Run, text: str
) -> argparse.ArgumentParser:
    action: argparse.ArgumentParser = inner.add_parser(name, help=text, description=text, allow_abbrev=False)
    action.set_defaults(run=run)
    action.add_argument(
        "--json", action="store_true", default=argparse.SUPPRESS, help="one JSON value on standard output"
    )
    return action


def _size(text: str) -> tuple[int, int]:
    from workbench.verbs import datasets

    try:
        return datasets.read_size(text)
    except BadInput as error:
        raise argparse.ArgumentTypeError(str(error)) from error


def _list(arguments: argparse.Namespace, settings: Settings) -> None:
    from workbench.verbs import datasets

    found = datasets.versions(settings)
    if arguments.json:
        output.json([datasets.as_json(one) for one in found])
    elif not found:
        print("no data set was added yet; begin with: workbench data add NAME SOURCE")
    else:
        rows = [
            (
                str(one),
                one.kind,
                f"{one.train.examples:,} + {one.test.examples:,}",
                f"{len(one.labels)} classes" if one.labels else one.target.name if one.target else "–",
                _bytes(one.bytes),
                one.created,
            )
            for one in found
        ]
        print(output.columns([("DATA SET", "KIND", "TRAIN + TEST", "TARGET", "SIZE", "ADDED"), *rows]))


def _add(arguments: argparse.Namespace, settings: Settings) -> None:
    from workbench.verbs import datasets

    if arguments.split_column and arguments.group:
        raise BadInput("split by a column or by a group, not by both")
    by = "column" if arguments.split_column else "group" if arguments.group else "share"
    how = datasets.how(
        kind=arguments.kind,
        target=arguments.target,
        classes=True if arguments.classes else False if arguments.number else None,
        unused=tuple(arguments.unused),
        by=by,
        share=arguments.test_share,
        column=arguments.split_column or arguments.group or "",
        seed=arguments.seed,
        size=arguments.size,
        channels=1 if arguments.ink else 3,
        header=True if arguments.header else False if arguments.no_header else None,
        licence=arguments.licence,
    )
    made = datasets.add(
        arguments.name, arguments.source, how, settings, say=lambda line: print(line, file=sys.stderr)
    )
    if arguments.json:
        output.json(datasets.as_json(made))
    else:
        print(
            f"{made}: {made.kind}, {made.train.examples:,} examples to train and {made.test.examples:,} to test with"
        )
        for note in made.notes:
            print(f"  {output.plain(note)}")


def _show(arguments: argparse.Namespace, settings: Settings) -> None:
    from workbench.verbs import datasets
    from workbench.verbs.workbench import opened

    found = datasets.find(arguments.dataset, settings)
    with opened(settings) as workbench:
        made = datasets.made_of(found, settings, workbench.store)
    if arguments.json:
        output.json(datasets.as_json(found, made))
        return
    print(output.columns(_about(found, str(made))))
    print()
    print(output.columns([("COLUMN", "KIND", "ROLE", "MISSING", "VALUES", ""), *map(_column, found.columns)]))
    if found.labels:
        print()
        rows = [
            (label, f"{found.train.classes[n]:,}", f"{found.test.classes[n]:,}")
            for n, label in enumerate(found.labels)
        ]
        print(output.columns([("CLASS", "TRAIN", "TEST"), *rows[:40]]))
        if len(rows) > 40:
            print(f"… and {len(rows) - 40} more classes (--json lists them)")
    for note in found.notes:
        print(f"note: {output.plain(note)}")


def _about(found: "DatasetManifest", made: str) -> list[tuple[str, str]]:
    twice = found.duplicates
    compared = (
        "too many examples to compare"
        if twice.train is None
        else (
            f"{twice.train:,} in train, {twice.test:,} in test, {twice.between:,} of the test part in train too"
        )
    )
    split = found.split
    by = f"by {split.by}" + (f" {split.column!r}" if split.column else "")
    return [
        ("data set", str(found)),
        ("kind", found.kind),
        ("examples", f"{found.train.examples:,} to train, {found.test.examples:,} to test with ({by})"),
        ("added", found.created),
        ("source", found.source),
        *([("licence", found.licence)] if found.licence else []),
        ("size", f"{_bytes(found.bytes)} in {len(found.shards)} files"),
        ("sha256", found.sha256),
        ("duplicates", compared),
        ("made of it", made),
    ]


def _column(column: "Column") -> tuple[str, ...]:
    from workbench.verbs.datasets import looking

    shape = "×".join(map(str, column.shape))
    return (
        column.name,
        f"{column.kind} {shape}".strip(),
        column.role,
        f"{column.missing:,}" if column.missing else "–",
        looking.values(column),
        _histogram(column.counts),
    )


def _histogram(counts: tuple[int, ...]) -> str:
    """The counts as a row of bars.

    >>> _histogram((0, 4, 8))
    ' ▄█'
    """
    most = max(counts, default=0)
    return "".join(_BAR[-(-count * (len(_BAR) - 1) // most)] for count in counts[:40]) if most else ""


def _export(arguments: argparse.Namespace, settings: Settings) -> None:
    from workbench.verbs import datasets

    folder = datasets.export(arguments.dataset, arguments.folder, settings)
    if arguments.json:
        output.json({"folder": str(folder)})
    else:
        print(f"{folder}: written", file=sys.stderr)


def _recipe(arguments: argparse.Namespace, settings: Settings) -> None:
    from workbench.verbs import datasets

    written = datasets.recipe(
        arguments.dataset,
        arguments.folder,
        settings,
        forecast=arguments.forecast,
        backbone=arguments.backbone,
        weights=arguments.weights,
    )
    if arguments.json:
        output.json({"folder": str(arguments.folder), "files": [path.name for path in written]})
    else:
        name = arguments.dataset.partition(":")[0]
        print(f"{', '.join(path.name for path in written)} in {arguments.folder}; train it with:")
        print(f"  workbench submit {arguments.folder} --name {name} --wait")


def _remove(arguments: argparse.Namespace, settings: Settings) -> None:
    from workbench.verbs import datasets
    from workbench.verbs.workbench import opened

    with opened(settings) as workbench:
        gone = datasets.remove(arguments.dataset, settings, workbench.store)
    if arguments.json:
        output.json({"removed": str(gone)})
    else:
        print(f"{gone} is removed")


def _bytes(count: int) -> str:
    """Bytes as people read them.

    >>> _bytes(1_500), _bytes(2_500_000_000)
    ('1.5 kB', '2.5 GB')
    """
    for unit, size in (("GB", 10**9), ("MB", 10**6), ("kB", 10**3)):
        if count >= size:
            return f"{count / size:.1f} {unit}"
    return f"{count} bytes"
