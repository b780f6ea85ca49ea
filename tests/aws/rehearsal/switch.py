"""Dead man's switches: a process that releases everything when the rehearsal dies, and machines that switch themselves off."""

import contextlib
import os
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from tests.aws.rehearsal.hands import Failed, Hands
from workbench.aws import commands
from workbench.aws.bucket import Bucket
from workbench.aws.session import Session
from workbench.settings import PROJECT

BEAT_S = 5.0
TRIES = 5
PAUSE_S = 60.0


def watch(beat: Path, log: Path) -> "subprocess.Popen[bytes]":
    """Start the process that takes over when this one dies; it outlives this one, and ends with the file ``beat``."""
    beat.write_text(str(os.getpid()))
    with log.open("ab") as stream:
        return subprocess.Popen(
            [sys.executable, "-m", "tests.aws.rehearsal.switch", str(beat), str(os.getpid())],
            cwd=PROJECT,
            stdin=subprocess.DEVNULL,
            stdout=stream,
            stderr=stream,
            start_new_session=True,
        )


def release_all(
    hands: Hands,
    tell: Callable[[str], None],
    *,
    tries: int = TRIES,
    pause_s: float = PAUSE_S,
    limit_s: float = 1200,
) -> None:
    """Release everything and prove it, again and again until nothing is left; what is gone already is fine.

    Raises
    ------
    Failed
        Something is left.
    """
    words = ""
    for left in reversed(range(tries)):
        with contextlib.suppress(Failed):
            released = hands.types("release", "app", "--provider", "aws", "--everybody", limit_s=limit_s)
            words = released.err[-500:]
            hands.types("audit", "--fix", "--yes", limit_s=limit_s)
            audit = hands.types("audit", limit_s=120)
            words += audit.out + audit.err[-500:]
            if released.code == 0 and audit.code == 0:
                tell(audit.out.strip())
                return
        tell(f"something is left: {words}")
        if left:
            time.sleep(pause_s)
    raise Failed(
        f"something is left and costs; look at the AWS console, then: workbench audit --fix. {words}"
    )


def tell_machines_to_end(session: Session, ids: Sequence[str], minutes: int) -> None:
    """Have these machines switch themselves off after so long, whether or not this computer still is there.

    A machine of the application is stopped by that: what is left costs its disk and its address, about a cent an hour.
    """
    command = ["sh", "-c", f"shutdown -h +{minutes} </dev/null >/dev/null 2>&1 & wait"]
    ended = commands.run(session, Bucket(session), ids, command, timeout_s=60, comment="dead man's switch")
    if refused := {id: one.stderr for id, one in ended.items() if one.code != 0}:
        raise Failed(f"machines do not take their switch: {refused}")


def main(arguments: Sequence[str]) -> int:
    """``BEAT PID``: wait for the end of that process; release everything if ``BEAT`` is still there then."""
    from tests.aws.rehearsal.hands import Person

    beat, pid = Path(arguments[0]), int(arguments[1])
    while Path(f"/proc/{pid}").exists() and beat.exists():
        time.sleep(BEAT_S)
    if not beat.exists():
        return 0
    print("the rehearsal has died: everything is released", flush=True)
    release_all(Person({}), lambda line: print(line, flush=True))
    beat.unlink(missing_ok=True)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
