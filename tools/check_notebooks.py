"""Fail if a committed notebook has outputs, execution counts or no cell ids."""

import json
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


def complaints(path: Path) -> list[str]:
    """List what is wrong with the notebook, one line a cell."""
    found = []
    for number, cell in enumerate(json.loads(path.read_text())["cells"]):
        if cell.get("outputs") or cell.get("execution_count"):
            found.append(f"{path.relative_to(ROOT)}: cell {number} has outputs; clear them before committing")
        if not cell.get("id"):
            found.append(f"{path.relative_to(ROOT)}: cell {number} has no id")
    return found


def main() -> int:
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", "*.ipynb"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    found = [line for name in listed.stdout.splitlines() for line in complaints(ROOT / name)]
    print("\n".join(found) or "notebooks: no outputs")
    return bool(found)


if __name__ == "__main__":
    sys.exit(main())
