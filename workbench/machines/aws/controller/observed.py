"""Clusters on AWS as they are now: instances by their tags, what they do by one listing of the bucket."""

import time
from collections.abc import Iterable, Iterator
from dataclasses import replace

from workbench.aws import names
from workbench.aws.bucket import Bucket, Stored
from workbench.aws.session import Session
from workbench.machines import Exit, Machine, Place
from workbench.machines.aws.controller import members
from workbench.machines.aws.controller.members import Member
from workbench.machines.aws.exchange import assignments, statuses
from workbench.machines.aws.exchange.assignments import Assignment, Post
from workbench.machines.aws.exchange.statuses import ENDED, Status

UNSEEN_S = 20.0
"""EC2 may not yet show an instance that it has just made."""


class Sight:
    """Looks at clusters; objects that were read are known by their ETag, and not read again while they have it."""

    def __init__(self, session: Session, bucket: Bucket) -> None:
        self.session = session
        self.bucket = bucket
        self._assignments: dict[str, tuple[str, Assignment]] = {}
        self._reasons: dict[str, str] = {}

    def look(self, name: str | None) -> list[Machine]:
        """Two questions, however many machines: what exists, and what the machines say of themselves."""
        there = members.look(self.session, name)
        every = names.cluster_prefix(self.session.home, "").rstrip("/") + "/"
        listed: dict[str, list[Stored]] = {}
        for stored in self.bucket.list(names.cluster_prefix(self.session.home, name) if name else every):
            cluster = stored.key[len(every) :].partition("/")[0]
            if not cluster.startswith("_"):
                listed.setdefault(cluster, []).append(stored)
        found: list[Machine] = []
        for cluster in sorted({i.cluster for i in there} | set(listed)):
            mine = [i for i in there if i.cluster == cluster]
            found += self._show(cluster, mine, listed.get(cluster, []))
        return found

    def _show(self, name: str, there: list[Member], listed: list[Stored]) -> Iterator[Machine]:
        assignment = self.read_assignment(name, listed)
        prefix = names.cluster_prefix(self.session.home, name)
        said = statuses.newest(listed, prefix)
        by_id = {i.id: i for i in there}
        if not there and (assignment is None or assignment.standing):
            return  # a job's machines may still be brought back; of a standing cluster nothing is left
        if assignment is None:
            yield from (
                _machine(name, i.place, i, "pending" if i.state == "running" else None) for i in there
            )
            return
        for place in assignment.places:
            post = assignment.posts[place]
            instance = by_id.pop(post.instance, None)
            status, key = said.get(place, (None, ""))
            if status is not None and not status.answers(assignment, post):
                status = None
            yield self._judge(name, place, post, instance, status, key)
        # What is in nobody's place, for instance of a launch that was cut off.
        yield from (
            _machine(name, i.place, i, None) for i in by_id.values() if i.place not in assignment.posts
        )

    def _judge(
        self,
        name: str,
        place: Place,
        post: Post,
        instance: Member | None,
        status: Status | None,
        key: str,
    ) -> Machine:
        ended = self._exit(status, key) if status and status.state == ENDED else None
        if instance is None:
            young = ended is None and time.time() - post.since < UNSEEN_S
            state = "pending" if young else "terminated"
            gone = Machine(name, place.role, place.index, state, f"{post.address}:{assignments.PORT}")
            return replace(gone, instance=post.instance, exit=ended)
        if instance.state != "running":
            return replace(_machine(name, place, instance, None), exit=ended)
        state = "pending" if status is None else "stopped" if ended else "running"
        pid = status.pid if status and not ended else None
        return replace(_machine(name, place, instance, state), pid=pid, exit=ended)

    def _exit(self, status: Status, key: str) -> Exit | None:
        if status.exit is None or not status.has_reason:
            return status.exit
        if key not in self._reasons:
            self._reasons[key] = (self.bucket.get(key) or b"").decode()
        return Exit(status.exit.code, self._reasons[key])

    def failed_boots(self, name: str) -> dict[str, str]:
        """What instances of the cluster have said of a first boot that failed."""
        prefix = f"{names.cluster_prefix(self.session.home, name)}boot/"
        found = {}
        for stored in self.bucket.list(prefix):
            content = self.bucket.get(stored.key)
            found[stored.key[len(prefix) :]] = (content or b"").decode(errors="replace")
        return found

    def read_assignment(self, name: str, listed: Iterable[Stored] | None = None) -> Assignment | None:
        """The cluster's assignment; ``None`` where there is no cluster."""
        key = names.cluster_prefix(self.session.home, name) + assignments.FILE
        found = next(
            (s for s in self.bucket.list(key) if s.key == key)
            if listed is None
            else (s for s in listed if s.key == key),
            None,
        )
        if found is None:
            return None
        etag, known = self._assignments.get(name, ("", None))
        if known is None or etag != found.etag:
            content = self.bucket.get(key)
            if content is None:
                return None
            known = assignments.parse(content)
            self._assignments[name] = (found.etag, known)
        return known


def _machine(name: str, place: Place, instance: Member, state: str | None) -> Machine:
    shown = {"pending": "pending", "running": "running", "stopping": "stopped", "stopped": "stopped"}
    return Machine(
        cluster=name,
        role=place.role,
        index=place.index,
        state=state or shown[instance.state],
        address=f"{instance.address}:{assignments.PORT}" if instance.address else "",
        instance=instance.id,
        created=instance.launched,
    )
