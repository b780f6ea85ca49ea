"""``workbench VERB``: the same functions as the pages, for a terminal and for scripts.

Exit codes: 0 done, 1 it failed, 2 wrong use, 3 not found. With ``--json`` standard output holds one JSON value and
nothing else; messages go to standard error.
"""

import argparse
import os
import sys
from collections.abc import Sequence

from workbench import __version__
from workbench.cli import (
    aws,
    completion,
    costs,
    data,
    homes,
    images,
    jobs,
    machines,
    models,
    output,
    recipes,
    services,
    sweeps,
)
from workbench.errors import Unavailable, WorkbenchError
from workbench.settings import from_environment
from workbench.system import extras


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; give its exit code."""
    parser, _ = make_parser()
    parsed = parser.parse_args(arguments)
    try:
        return parsed.run(parsed, from_environment()) or 0
    except WorkbenchError as error:
        print(f"workbench: {error}", file=sys.stderr)
        return error.exit_code
    except ModuleNotFoundError as error:
        if (extra := extras.bringing(error.name or "")) is None:
            raise
        print(
            f"workbench: this needs {error.name}, which is not installed: {extras.install(extra)}",
            file=sys.stderr,
        )
        return Unavailable.exit_code
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except KeyboardInterrupt:
        return 130


def make_parser() -> tuple[argparse.ArgumentParser, output.Verbs]:
    """The parser of all commands, and its verbs."""
    parser = argparse.ArgumentParser(
        prog="workbench",
        description="Train Keras models, serve them, and draw digits at them.",
        allow_abbrev=False,
    )
    parser.add_argument("--version", action="version", version=f"workbench {__version__}")
    verbs = output.Verbs(parser)
    for group in (
        services,
        data,
        recipes,
        jobs,
        sweeps,
        models,
        machines,
        aws,
        costs,
        images,
        homes,
        completion,
    ):
        group.add(verbs)
    verbs.show()
    return parser, verbs
