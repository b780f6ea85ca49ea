"""What a machine of a job runs: ``python -m workbench.node JOBFOLDER ROLE INDEX``.

Exit codes: 0 its part is done; 3 the recipe's own code failed, an ``error`` event says where; 4 the cluster broke, a
relaunch goes on from the last checkpoint; anything else is a crash.
"""

import contextlib
import os
import sys
import time
import traceback
from collections.abc import Iterator, Sequence
from pathlib import Path

from workbench import events
from workbench.errors import ModelRefused, RecipeError

DONE, RECIPE_FAILED, CLUSTER_BROKE, CRASHED = 0, 3, 4, 1


def main(arguments: Sequence[str]) -> int:
    """Do the machine's part and report it in its ``events.jsonl``; give the exit code.

    The caller ends the process with ``os._exit``: TensorFlow's servers know no end, and its threads wait for peers.
    """
    folder, role, index = Path(arguments[0]).absolute(), arguments[1], int(arguments[2])
    own = folder / "machines" / f"{role}-{index}"
    own.mkdir(parents=True, exist_ok=True)
    os.chdir(own)
    # Read by TensorFlow when it first needs them: wait for peers that are not up yet, and say little.
    os.environ.setdefault("GRPC_FAIL_FAST", "use_caller")
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "1")
    os.environ.setdefault("KERAS_BACKEND", "tensorflow")
    if hasattr(os, "sched_getaffinity") and len(os.sched_getaffinity(0)) == 1:
        # On one core a worker beside parameter servers has one thread, which then waits for itself for ever.
        os.environ.setdefault("TF_NUM_INTEROP_THREADS", "2")
    with events.Writer(own / "events.jsonl", role, index, echo=_say) as writer:
        writer.phase("starting")
        try:
            return _run(folder, role, index, writer)
        except BaseException as error:
            traceback.print_exc()
            writer.error(f"{type(error).__name__}: {error}", traceback=traceback.format_exc())
            return CRASHED


def _say(line: str) -> None:
    with contextlib.suppress(OSError):  # nobody reads it any more
        print(time.strftime("%H:%M:%S"), line, flush=True)


def _run(folder: Path, role: str, index: int, writer: events.Writer) -> int:
    import tensorflow as tf

    from workbench.node import role as machine
    from workbench.node.strategies import replicas
    from workbench.node.strategies.peers import BROKEN

    assignment = machine.read(folder, role, index)
    replicas.claim(assignment.cluster)
    with _silent_without_gpu():
        tf.config.list_physical_devices()
    try:
        machine.run(assignment, writer)
    except RecipeError as error:
        writer.error(str(error), field=error.field, line=error.line, traceback=error.traceback)
        print(error.traceback or error, file=sys.stderr)
        return RECIPE_FAILED
    except ModelRefused as error:
        if isinstance(error.__cause__, OSError | tf.errors.OpError):
            raise  # a full disk, say
        writer.error(str(error), field="training")
        print(error, file=sys.stderr)
        return RECIPE_FAILED
    except BROKEN as error:
        first = str(error).splitlines()[0]
        writer.log(f"the cluster broke: {type(error).__name__}: {first}")
        print(error, file=sys.stderr)
        return CLUSTER_BROKE
    return DONE


@contextlib.contextmanager
def _silent_without_gpu() -> Iterator[None]:
    """Keep TensorFlow's first look for graphics cards out of the log where there are none: it calls that an error."""
    if Path("/dev/nvidiactl").exists():
        yield
        return
    kept, nothing = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(nothing, 2)
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        os.close(nothing)


if __name__ == "__main__":
    code = main(sys.argv[1:])
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)
