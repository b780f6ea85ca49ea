"""What a machine of a job runs: ``python -m workbench.node JOBFOLDER ROLE INDEX``.

Exit codes: 0 its part is done; 3 the recipe's own code failed, an ``error`` event says where; 4 the cluster broke, a
relaunch goes on from the last checkpoint; anything else is a crash.
"""

import os
import sys
import traceback
from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn

from workbench import events
from workbench.errors import RecipeError

DONE, RECIPE_FAILED, CLUSTER_BROKE, CRASHED = 0, 3, 4, 1


def main(arguments: Sequence[str]) -> NoReturn:
    """Do the machine's part, report it in its ``events.jsonl``, and end the process.

    It ends at once, with no clean-up: TensorFlow's servers have none, and its threads would wait for peers.
    """
    folder, role, index = Path(arguments[0]).absolute(), arguments[1], int(arguments[2])
    own = folder / "machines" / f"{role}-{index}"
    own.mkdir(parents=True, exist_ok=True)
    os.chdir(own)  # also where ``strategy.DONE_FILE`` is looked for
    # Read by TensorFlow when it first needs them: wait for peers that are not up yet, and say little.
    os.environ.setdefault("GRPC_FAIL_FAST", "use_caller")
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "1")
    os.environ.setdefault("KERAS_BACKEND", "tensorflow")
    writer = events.Writer(own / "events.jsonl", role, index)
    code = CRASHED
    try:
        writer.phase("starting")
        code = _run(folder, role, index, writer)
    except KeyboardInterrupt:
        pass
    except BaseException as error:
        traceback.print_exc()
        writer.error(f"{type(error).__name__}: {error}", traceback=traceback.format_exc())
    finally:
        writer.close()
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


def _run(folder: Path, role: str, index: int, writer: events.Writer) -> int:
    from workbench.node import machine, strategy

    try:
        machine.run(machine.read(folder, role, index), writer)
    except RecipeError as error:
        writer.error(str(error), field=error.field, line=error.line, traceback=error.traceback)
        print(error.traceback or error, file=sys.stderr)
        return RECIPE_FAILED
    except strategy.BROKEN as error:
        first = str(error).splitlines()[0]
        writer.log(f"the cluster broke: {type(error).__name__}: {first}")
        print(error, file=sys.stderr)
        return CLUSTER_BROKE
    return DONE


if __name__ == "__main__":
    main(sys.argv[1:])
