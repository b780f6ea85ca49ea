"""Wakes a cluster's machines when their assignment is new, and waits until they do what it says."""

import contextlib
from collections.abc import Callable, Iterable

from workbench.aws import commands
from workbench.aws.bucket import Bucket
from workbench.aws.session import Session
from workbench.errors import NotFound, Unavailable
from workbench.machines import Machine, Place
from workbench.machines.aws.controller import members
from workbench.machines.aws.controller.observed import Sight
from workbench.machines.aws.exchange.machine import ROOT, WAKE
from workbench.system.waiting import REAL, Clock, wait_until

READY_TIMEOUT_S = 1200.0
"""For a machine to install TensorFlow and begin."""
ANSWER_TIMEOUT_S = 120.0
"""For a machine that runs to do what it was told."""
DEAF_S = 90.0
"""For a machine at work to take commands as well; Systems Manager may be closed to it."""
POLL_S, LONGEST_POLL_S = 0.2, 3.0
"""First pause between two looks, and the longest."""
TOUCH = f'touch "${{WORKBENCH_MACHINE_ROOT:-{ROOT}}}/{WAKE}"'


def wake(session: Session, bucket: Bucket, name: str) -> None:
    """Spare the machines the time until they look by themselves; one that takes no command will look."""
    running = [i.id for i in members.look(session, name, ["running"])]
    if awake := sorted(commands.online(session, running)):
        with contextlib.suppress(NotFound):
            commands.run(
                session,
                bucket,
                awake,
                ["sh", "-c", TOUCH],
                timeout_s=ANSWER_TIMEOUT_S,
                comment=f"{name}: a new assignment",
                outputs=False,
            )


def wait(
    session: Session,
    sight: Sight,
    name: str,
    places: Iterable[Place] | None = None,
    *,
    is_ended: Callable[[], bool],
    timeout_s: float = READY_TIMEOUT_S,
    clock: Clock = REAL,
) -> None:
    """Wait until the machines do what they are to do, and take commands.

    Where they work but take no commands, they are given ``DEAF_S`` for that and no more: they look by themselves for what
    is new.

    Raises
    ------
    Unavailable
        Not within the time, or somebody has ended the cluster meanwhile.
    """
    wanted = None if places is None else set(places)
    late: list[Machine] = []
    deaf_since: float | None = None

    def all_answer() -> bool:
        nonlocal deaf_since
        found = [m for m in sight.look(name) if wanted is None or m.place in wanted]
        late[:] = [m for m in found if m.state == "pending" or (m.state == "stopped" and m.exit is None)]
        if late:
            deaf_since = None
        elif deaf := _deaf(session, found):
            now = clock.now()
            deaf_since = now if deaf_since is None else deaf_since
            late[:] = deaf if now - deaf_since < DEAF_S else []
        if late and is_ended():
            raise Unavailable(f"the cluster {name} was ended meanwhile")
        if late and (failed := _failed_boots(sight, name, late)):
            raise Unavailable(f"machines of {name} could not be set up: {failed}")
        return not late

    def say() -> str:
        return (
            f"these machines of {name} were not ready within {timeout_s:.0f} s: "
            f"{', '.join(f'{m.place} ({m.instance})' for m in late)}; read their boot's words with: "
            "aws ec2 get-console-output --output text --instance-id ID"
        )

    wait_until(all_answer, timeout_s, POLL_S, say, longest_s=LONGEST_POLL_S, clock=clock)


def _failed_boots(sight: Sight, name: str, late: Iterable[Machine]) -> str:
    """What machines have said of a first boot that failed; empty where none has."""
    said = sight.failed_boots(name)
    return "; ".join(
        f"{m.place} ({m.instance}): {said[m.instance]}" for m in late if m.instance and m.instance in said
    )


def _deaf(session: Session, found: Iterable[Machine]) -> list[Machine]:
    """The machines that run but take no commands yet."""
    running = {m.instance: m for m in found if m.state == "running" and m.instance}
    hear = commands.online(session, sorted(running)) if running else set()
    return [m for id, m in running.items() if id not in hear]
