"""The instances of clusters, found by their tags: who is in which place, waited for, ended."""

from collections.abc import Callable, Collection
from dataclasses import dataclass

from workbench.aws import instances, names
from workbench.aws.instances import ENDING, LIVING, Instance
from workbench.aws.session import Session
from workbench.errors import BadInput
from workbench.machines import Place
from workbench.system.waiting import wait_until

POLL_S, LONGEST_POLL_S = 0.3, 5.0
"""First pause between two looks, and the longest."""
CHANGE_TIMEOUT_S = 600.0


@dataclass(frozen=True)
class Member:
    """One instance of a cluster as AWS shows it now."""

    id: str
    cluster: str
    place: Place
    state: str
    """``pending``, ``running``, ``stopping``, ``stopped``, ``shutting-down`` or ``terminated``."""
    address: str
    """Private; empty once it is terminated."""
    type: str
    launched: float
    """Seconds since the epoch; of the last start."""
    spot: bool = False

    @staticmethod
    def of(instance: Instance) -> "Member":
        """The member that an instance with a cluster's tags is."""
        tags = instance.tags
        # The position in the request that made it, unless it took another's place: known without any further call.
        index = int(tags.get("index", instance.position))
        return Member(
            id=instance.id,
            cluster=tags["cluster"],
            place=Place(tags["role"], index),
            state=instance.state,
            address=instance.private_address,
            type=instance.type,
            launched=instance.launched,
            spot=instance.spot,
        )


def look(session: Session, cluster: str | None = None, states: Collection[str] = LIVING) -> list[Member]:
    """The instances of this home's clusters, or of one, in these states."""
    wanted: list[names.Filter] = [
        *names.filters(session.home, **({"cluster": cluster} if cluster else {})),
        {"Name": "tag-key", "Values": ["cluster"]},
    ]
    found = map(Member.of, instances.find(session, wanted, states=states, doing="look for machines"))
    return sorted(found, key=lambda m: (m.cluster, m.place, m.launched))


def end_cluster(session: Session, cluster: str, timeout_s: float = CHANGE_TIMEOUT_S) -> int:
    """Terminate all instances of a cluster and wait until they are; how many there were. None at all is fine."""
    found = look(session, cluster, ENDING)
    if ids := [m.id for m in found if m.state != "shutting-down"]:
        instances.terminate(session, ids)
    if found:
        wait(session, cluster, lambda there: not there, f"the end of {cluster}", ENDING, timeout_s)
    return len(ids)


def refuse_stop(cluster: str, there: Collection[Member]) -> None:
    """Refuse the stop of spot machines, which AWS can only end: raises ``BadInput``."""
    if found := [m for m in there if m.spot]:
        raise BadInput(
            f"the cluster {cluster} has {len(found)} spot machines, which AWS lends for once: they cannot be stopped and "
            f"started again; end them with: workbench release cluster --provider aws --name {cluster}"
        )


def wait(
    session: Session,
    cluster: str,
    enough: Callable[[list[Member]], bool],
    what: str,
    states: Collection[str] = LIVING,
    timeout_s: float = CHANGE_TIMEOUT_S,
) -> list[Member]:
    """Look again and again until it is enough.

    Raises
    ------
    Unavailable
        Not within the time.
    """
    there: list[Member] = []

    def is_enough() -> bool:
        nonlocal there
        there = look(session, cluster, states)
        return enough(there)

    def late() -> str:
        shown = ", ".join(f"{m.place} {m.state}" for m in there) or "no machine is there"
        return f"{what} did not come within {timeout_s:.0f} s: {shown}"

    wait_until(is_enough, timeout_s, POLL_S, late, longest_s=LONGEST_POLL_S)
    return there
