"""Run the sections, print one table, write ``results.json`` beside this file. One that cannot be run here says why."""

import argparse
import importlib
import json
import sys
from collections.abc import Sequence
from pathlib import Path

from benchmarks.measuring import Row, describe_machine, table
from workbench.errors import WorkbenchError

SECTIONS = (
    *("predict", "peers", "servers", "idle", "startup", "train", "trainers", "fast", "writers", "hands"),
    *("dashboard", "pages", "store", "data", "aws", "scaling", "hosts"),
)
ASKED_FOR = ("classroom",)
"""An hour on two cores, so it is run by its name alone."""
MODULES = {"peers": "beside"}
"""Of sections that are not named like theirs."""
RESULTS = Path(__file__).with_name("results.json")


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument(
        "sections",
        nargs="*",
        choices=[[], *SECTIONS, *ASKED_FOR],
        help=f"default: all ({', '.join(SECTIONS)})",
    )
    asked = parser.parse_args(arguments).sections or SECTIONS
    rows: list[Row] = []
    done: list[str] = []
    exit_code = 0
    for section in asked:
        print(f"{section} …", file=sys.stderr)
        try:
            rows += importlib.import_module(f"benchmarks.{MODULES.get(section, section)}").run()
        except WorkbenchError as error:
            print(f"{section}: {error}", file=sys.stderr)
            exit_code = error.exit_code
        else:
            done.append(section)
    print(table(rows))
    kept = _others(done)
    results = {"machine": describe_machine(), "rows": kept + [row.as_json() for row in rows]}
    RESULTS.write_text(json.dumps(results, indent=2, ensure_ascii=False) + "\n")
    print(f"written: {RESULTS}", file=sys.stderr)
    return exit_code


def _others(done: Sequence[str]) -> list[dict[str, object]]:
    """The rows of sections that were not run now."""
    try:
        rows = json.loads(RESULTS.read_text())["rows"]
    except (OSError, ValueError, KeyError):
        return []
    return [row for row in rows if row["name"].partition(":")[0] not in done]


if __name__ == "__main__":
    sys.exit(main())
