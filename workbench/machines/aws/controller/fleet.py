"""Machines in the places of clusters: made for a new one, brought back in an old one; none of one that was ended."""

import threading
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace

from workbench.aws import gpus, instances
from workbench.aws.bucket import Bucket
from workbench.aws.gpus import GpuImage
from workbench.aws.session import Session
from workbench.errors import BadInput, Unavailable
from workbench.machines import Layout, Place
from workbench.machines.aws.controller import baking, making, members
from workbench.machines.aws.controller.making import Ground, RoleWish
from workbench.machines.aws.controller.members import Member
from workbench.machines.aws.controller.user_data import user_data
from workbench.machines.aws.exchange.assignments import Assignment


class Fleet:
    """The instances of all clusters of a home. Threads may share it: what one ends another does not go on with.

    Parameters
    ----------
    find_ground
        Says where clusters are put.
    find_gpu_image
        Says what machines with GPUs begin from.
    hours
        After each boot, when a machine ends itself whatever happens.
    """

    def __init__(
        self,
        bucket: Bucket,
        find_ground: Callable[[], Ground],
        find_gpu_image: Callable[[], GpuImage],
        *,
        spot: bool,
        hours: float,
    ) -> None:
        self.bucket = bucket
        self.session: Session = bucket.session
        self.find_ground = find_ground
        self.find_gpu_image = find_gpu_image
        self.spot = spot
        self.hours = hours
        self._ended: set[str] = set()
        self._making = threading.Lock()

    def is_ended(self, cluster: str) -> bool:
        """True if somebody ended the cluster since it was last made here."""
        return cluster in self._ended

    def check(self, cluster: str, meanwhile: str) -> None:
        """Refuse to go on with a cluster that was ended: raises ``Unavailable``."""
        if cluster in self._ended:
            raise Unavailable(f"the cluster {cluster} was ended while {meanwhile}")

    def prepare(self, cluster: str, instance_type: str) -> Ground:
        """Find the place for a new cluster of such machines; one of that name may be made again."""
        ground = self.find_ground()
        making.check(ground, instance_type)
        self._ended.discard(cluster)
        return self._with_image(ground, instance_type)

    def make(
        self,
        ground: Ground,
        cluster: str,
        layout: Layout,
        instance_type: str,
        code: str,
        tags: Mapping[str, str],
    ) -> list[Member]:
        """Have AWS begin the machines of a whole layout, by one request a role."""
        script = self._script(cluster, code, instance_type)
        made: list[Member] = []
        for role in dict.fromkeys(place.role for place in layout.places):
            count = sum(place.role == role for place in layout.places)
            wish = RoleWish(role, count, instance_type, self.spot, script)
            with self._making:
                self.check(cluster, "it was being launched")
                made += making.make(self.session, ground, cluster, wish, tags)
        return made

    def end(self, cluster: str) -> int:
        """End the cluster's machines, also those that another thread is just asking AWS for; how many there were."""
        self._ended.add(cluster)
        with self._making:
            return members.end_cluster(self.session, cluster)

    def revive(
        self,
        cluster: str,
        assignment: Assignment,
        places: Iterable[Place],
        write: Callable[[Assignment], None],
    ) -> Assignment:
        """Have an instance that runs, or soon does, in each of these places.

        Parameters
        ----------
        write
            Called with the assignment whenever a place has another instance.
        """
        there = {m.id: m for m in members.look(self.session, cluster)}
        if any(m.state == "stopping" for m in there.values()):
            found = members.wait(
                self.session,
                cluster,
                lambda now: all(m.state != "stopping" for m in now),
                f"the stop of {cluster}",
            )
            there = {m.id: m for m in found}
        wanted = list(places)
        stopped = [
            m.id for p in wanted if (m := there.get(assignment.posts[p].instance)) and m.state == "stopped"
        ]
        if stopped:
            instances.start(self.session, stopped)
        for place in wanted:
            if assignment.posts[place].instance not in there:
                made = self._replace(cluster, assignment, place)
                assignment = assignment.put(place, made.id, made.address, time.time())
                write(assignment)
        return assignment

    def _replace(self, cluster: str, assignment: Assignment, place: Place) -> Member:
        """Make an instance for the place of one that is gone, at its address if that is free."""
        script = self._script(cluster, assignment.code, assignment.instance_type)
        wish = RoleWish(place.role, 1, assignment.instance_type, self.spot, script, place.index)
        tags = {"job": cluster.removeprefix("job-")} if cluster.startswith("job-") else {}
        ground = self._with_image(self.find_ground(), assignment.instance_type)
        at_its_address = replace(wish, address=assignment.posts[place].address)
        with self._making:
            self.check(cluster, "a machine was being replaced")
            try:
                return making.make(self.session, ground, cluster, at_its_address, tags)[0]
            except (BadInput, Unavailable) as error:
                if not _is_about_the_address(error):
                    raise
                return making.make(self.session, ground, cluster, wish, tags)[0]

    def _with_image(self, ground: Ground, instance_type: str) -> Ground:
        """The same, with the image of today's environment, if one was built, or with the one for machines with GPUs."""
        if gpus.are_driven(instance_type):
            return replace(ground, gpu_image=self.find_gpu_image())
        baked = baking.current(self.session)
        return replace(ground, baked_image=baked.id) if baked else ground

    def _script(self, cluster: str, code: str, instance_type: str) -> str:
        session, with_gpus = self.session, gpus.are_driven(instance_type)
        return user_data(
            self.bucket.name, code, session.region, session.home, cluster, self.hours, with_gpus=with_gpus
        )


def _is_about_the_address(error: Exception) -> bool:
    code = str(getattr(error, "code", ""))
    return code.startswith(("InvalidIPAddress", "InvalidAddress")) or "ddress" in str(error)
