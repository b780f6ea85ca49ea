"""The process that goes on with one sweep for which nobody waits: ``python -m workbench.verbs.sweeps ID``."""

import sys

from workbench.errors import Conflict, WorkbenchError
from workbench.settings import from_environment
from workbench.verbs.sweeps import kept
from workbench.verbs.sweeps.driving import run
from workbench.verbs.workbench import opened


def main(id: str) -> int:
    """Go on until it has ended; 1 if it came to nothing. What goes on already elsewhere is left to that process."""
    settings = from_environment()
    try:
        with opened(settings) as workbench:
            run(kept.read(id, settings).asked(), workbench, attended=False)
    except Conflict:
        return 0
    except WorkbenchError as error:
        print(f"{id}: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
