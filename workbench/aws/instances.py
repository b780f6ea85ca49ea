"""Machines of EC2 as the account shows them: found by filters or ids, started, stopped, terminated."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from workbench.aws import names
from workbench.aws.names import Filter
from workbench.aws.refusals import AwsFailure, code_of, said
from workbench.aws.session import Session, pages

LIVING = ("pending", "running", "stopping", "stopped")
"""States of instances that cost something, if only their disk."""
ENDING = (*LIVING, "shutting-down")
"""The same, and of those that still hold their addresses and disks."""
BATCH = 500
"""Instances that one request names."""


@dataclass(frozen=True)
class Instance:
    """One instance as AWS shows it now."""

    id: str
    type: str
    state: str
    """``pending``, ``running``, ``stopping``, ``stopped``, ``shutting-down`` or ``terminated``."""
    tags: Mapping[str, str]
    private_address: str
    """Empty once it is terminated."""
    public_address: str
    """Elastic, or lent while it runs; empty where it has none."""
    vpc: str
    launched: float
    """Seconds since the epoch; of the last start."""
    spot: bool
    position: int
    """In the request that made it, from 0."""


def find(
    session: Session, filters: Sequence[Filter] = (), *, states: Collection[str] | None = None, doing: str
) -> list[Instance]:
    """The instances that pass all filters, in these states if any are given, by one request a page; ``doing`` as for
    ``said``."""
    asked = list(filters)
    if states is not None:
        asked.append({"Name": "instance-state-name", "Values": list(states)})
    try:
        found = [
            parse(one)
            for reservation in pages(session.ec2, "describe_instances", "Reservations", Filters=asked)
            for one in reservation["Instances"]
        ]
    except AwsFailure as error:
        raise said(error, doing) from error
    # What is filtered and what is shown are of two moments: one that is ending just then is shown in another state.
    return [one for one in found if states is None or one.state in states]


def with_ids(ids: Sequence[str]) -> Filter:
    """The filter for these instances; those that are gone are no error."""
    return {"Name": "instance-id", "Values": list(ids)}


def parse(one: Mapping[str, Any]) -> Instance:
    """An instance in an answer of EC2."""
    return Instance(
        id=one["InstanceId"],
        type=one["InstanceType"],
        state=one["State"]["Name"],
        tags=names.read(one.get("Tags")),
        private_address=one.get("PrivateIpAddress", ""),
        public_address=one.get("PublicIpAddress", ""),
        vpc=one.get("VpcId", ""),
        launched=one["LaunchTime"].timestamp(),
        spot=one.get("InstanceLifecycle") == "spot",
        position=int(one.get("AmiLaunchIndex", 0)),
    )


def start(session: Session, ids: Sequence[str], doing: str = "start machines") -> None:
    """Start stopped instances."""
    _each(session, "start_instances", ids, doing)


def stop(session: Session, ids: Sequence[str], doing: str = "stop machines") -> None:
    """Stop running instances; their disks stay. Those that are stopped are fine."""
    _each(session, "stop_instances", ids, doing)


def terminate(session: Session, ids: Sequence[str], doing: str = "end machines") -> None:
    """Terminate instances; those that are terminated are fine."""
    _each(session, "terminate_instances", ids, doing)


def _each(session: Session, operation: str, ids: Sequence[str], doing: str) -> None:
    call = getattr(session.ec2, operation)
    for first in range(0, len(ids), BATCH):
        some = list(ids[first : first + BATCH])
        try:
            call(InstanceIds=some)
        except AwsFailure as error:
            if code_of(error) != "InvalidInstanceID.NotFound":  # gone in the meantime
                raise said(error, doing) from error
            for id in some if len(ids) > 1 else ():
                _each(session, operation, [id], doing)
