"""Fetch or draw data sets by name: ``python -m workbench.datasets NAME …``, in a process beside what needs them next."""

import sys

from workbench import datasets
from workbench.errors import WorkbenchError

if __name__ == "__main__":
    try:
        for name in sys.argv[1:]:
            datasets.load(name)
    except WorkbenchError as error:
        print(error, file=sys.stderr)
        sys.exit(error.exit_code)
