"""Run the sections, print one table, write ``results.json`` beside this file."""

import argparse
import importlib
import json
import sys
from pathlib import Path

from benchmarks.measuring import Row, describe_machine, table
from workbench.errors import WorkbenchError

SECTIONS = ("predict", "peers", "startup", "train", "trainers", "fast", "dashboard", "store", "aws", "scaling")
MODULES = {"peers": "beside"}
"""Of sections that are not named like theirs."""
RESULTS = Path(__file__).with_name("results.json")


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument(
        "sections", nargs="*", choices=[[], *SECTIONS], help=f"default: all ({', '.join(SECTIONS)})"
    )
    asked = parser.parse_args(arguments).sections or SECTIONS
    rows: list[Row] = []
    for section in asked:
        print(f"{section} …", file=sys.stderr)
        try:
            rows += importlib.import_module(f"benchmarks.{MODULES.get(section, section)}").run()
        except WorkbenchError as error:
            print(f"{section}: {error}", file=sys.stderr)
            return error.exit_code
    print(table(rows))
    kept = _others(asked)
    results = {"machine": describe_machine(), "rows": kept + [row.as_json() for row in rows]}
    RESULTS.write_text(json.dumps(results, indent=2, ensure_ascii=False) + "\n")
    print(f"written: {RESULTS}", file=sys.stderr)
    return 0


def _others(asked: tuple[str, ...]) -> list[dict[str, object]]:
    """The rows of sections that were not run now."""
    try:
        rows = json.loads(RESULTS.read_text())["rows"]
    except (OSError, ValueError, KeyError):
        return []
    return [row for row in rows if row["name"].partition(":")[0] not in asked]


if __name__ == "__main__":
    sys.exit(main())
