"""The provider whose machines are EC2 instances.

What exists is asked of AWS: instances by their tags, what they do by one listing of the bucket. What they are to do
is one object there, the *assignment*, which the agent on each machine follows by itself.
"""

import time
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass, replace
from functools import cached_property, partial
from pathlib import Path

from workbench.aws import code, commands, gpus, instances, names
from workbench.aws.bucket import Bucket
from workbench.aws.session import Session
from workbench.errors import BadInput, NotFound, Unavailable, WorkbenchError
from workbench.machines import Done, Layout, Machine, Place, Plan, check_cluster_name
from workbench.machines.aws.controller import members, pricing, waiting
from workbench.machines.aws.controller.fleet import Fleet
from workbench.machines.aws.controller.job_files import JobFiles, JobNote, note_addresses, read_note
from workbench.machines.aws.controller.making import Ground, ground_of_the_application
from workbench.machines.aws.controller.observed import Sight
from workbench.machines.aws.exchange import assignments
from workbench.machines.aws.exchange.assignments import Assignment, Post, Terms
from workbench.machines.aws.exchange.machine import ROOT, USER
from workbench.settings import Settings

NODE = "workbench.node"
LOOK_EVERY_S = 3.0
RUN = f"""root=${{WORKBENCH_MACHINE_ROOT:-{ROOT}}}; cd "$root"
set -- env -i "PATH=$root/env/bin:/usr/local/bin:/usr/bin:/bin" LANG=C.UTF-8 "PYTHONPATH=$root/code" "$@"
if [ "$(id -u)" = 0 ] && [ "$root" = {ROOT} ]; then
    exec setpriv --reuid={USER} --regid={USER} --clear-groups --no-new-privs -- "$@"
fi
exec "$@" """
"""As a machine's own work runs: its user, nothing of AWS in the environment."""


@dataclass
class _Seen:
    """A cluster as it was looked at."""

    at: float
    machines: list[Machine]


class AwsProvider:
    """Machines as EC2 instances, in the subnet of the application's stack.

    Parameters
    ----------
    node
        The module that a machine runs in a job.
    upload_code
        Puts the code that machines run into the bucket, and gives its key.
    look_every_s
        How long what was seen of AWS is given again by ``machines`` and ``collect``: a limit of how often AWS is
        asked, not a memory; every other verb looks anew.
    find_ground
        Says where clusters are put.
    """

    def __init__(
        self,
        settings: Settings,
        *,
        node: str = NODE,
        upload_code: Callable[[Bucket], str] = code.upload,
        terms: Terms | None = None,
        spot: bool | None = None,
        look_every_s: float = LOOK_EVERY_S,
        find_ground: Callable[[Session, Settings], Ground] = ground_of_the_application,
    ) -> None:
        self.settings = settings
        self.node = node
        self.upload_code = upload_code
        idle_s = settings.aws_idle_minutes * 60.0 if settings.aws_idle_minutes else None
        self.terms = terms or Terms(hours=settings.aws_hours, idle_s=idle_s)
        self.spot = settings.aws_spot if spot is None else spot
        self.look_every_s = look_every_s
        self.find_ground = find_ground
        self._seen: dict[str, _Seen] = {}
        self._collected: dict[str, float] = {}

    @cached_property
    def session(self) -> Session:
        return Session.open(self.settings)

    @cached_property
    def bucket(self) -> Bucket:
        return Bucket(self.session)

    @cached_property
    def _sight(self) -> Sight:
        return Sight(self.session, self.bucket)

    @cached_property
    def _files(self) -> JobFiles:
        return JobFiles(self.settings, self.bucket)

    @cached_property
    def _fleet(self) -> Fleet:
        ground = partial(self.find_ground, self.session, self.settings)
        image = partial(gpus.find_image, self.session, self.settings)
        return Fleet(self.bucket, ground, image, spot=self.spot, hours=self.terms.hours)

    @property
    def warnings(self) -> tuple[str, ...]:
        return ()

    @property
    def independent(self) -> bool:
        return True

    # ── looking ─────────────────────────────────────────────────────────────────────────────────

    def plan(self, layout: Layout) -> Plan:
        return pricing.plan(self.settings, self.session.region, layout, spot=self.spot)

    def machines(self, name: str | None = None) -> list[Machine]:
        key = name or ""
        seen = self._seen.get(key)
        if seen is None or time.monotonic() - seen.at >= self.look_every_s:
            seen = self._seen[key] = _Seen(time.monotonic(), self._sight.look(name))
        return list(seen.machines)

    def _find(self, name: str) -> Assignment:
        self._forget(name)
        found = self._sight.read_assignment(name)
        if found is None or (found.standing and not members.look(self.session, name)):
            raise NotFound(f"there is no cluster {name!r} on AWS")
        return found

    # ── making ──────────────────────────────────────────────────────────────────────────────────

    def launch(self, name: str, layout: Layout, folder: Path | None = None) -> list[Machine]:
        check_cluster_name(name)
        self._forget(name)
        if self._sight.look(name):
            raise BadInput(f"there is a cluster {name!r} already; terminate it first")
        instance_type = pricing.type_of(layout)
        ground = self._fleet.prepare(name, instance_type)
        note, began = read_note(folder) if folder else JobNote(), time.time()
        try:
            key = self.upload_code(self.bucket)
            self.bucket.delete(self._prefix(name))
            began = time.time()
            made = self._fleet.make(ground, name, layout, instance_type, key, note.tags)
            assignment = Assignment(
                posts={m.place: Post(m.id, m.address, since=time.time()) for m in made},
                code=key,
                node=self.node,
                standing=folder is None,
                instance_type=instance_type,
                terms=self.terms,
                created=time.time(),
            )
            given = (
                assignment if folder is None else self._files.give(assignment, folder, self.terms.deadline_s)
            )
            self._fleet.check(name, "it was being launched")
            self._write(name, given)
            if folder is not None:
                note_addresses(given, folder)
            self._wait(name)
            return self.machines(name)
        except BaseException as error:
            try:
                if self._end(name) and isinstance(error, WorkbenchError):
                    error.machines_since = began
            except Unavailable as worse:
                error.args = (f"{error}; and what was made of it could not be ended: {worse}",)
            raise

    def assign(self, name: str, folder: Path | None) -> list[Machine]:
        before = self._find(name)
        assignment = self._revive(name, before, before.posts)
        if folder is None:
            assignment = replace(assignment.begin(assignment.posts), work=None)
        else:
            key = self.upload_code(self.bucket)
            begun = replace(assignment.begin(assignment.posts), code=key, node=self.node)
            assignment = self._files.give(begun, folder, self.terms.deadline_s)
            note_addresses(assignment, folder)
        return self._tell(name, assignment)

    def start(self, name: str, only: Collection[Place] | None = None) -> list[Machine]:
        before = self._find(name)
        wanted = [p for p in before.posts if only is None or p in only]
        running = {m.place for m in self._sight.look(name) if m.state == "running"}
        if not (idle := [p for p in wanted if p not in running]):
            return self.machines(name)
        assignment = self._revive(name, before, idle).begin(idle)
        if (
            assignment.work and assignment.addresses != before.addresses
        ):  # then all must be told, and begin again
            others = [p for p in assignment.posts if p not in idle]
            assignment = self._files.give_anew(assignment.begin(others))
        return self._tell(name, assignment, idle)

    def stop(self, name: str, only: Collection[Place] | None = None) -> list[Machine]:
        self._forget(name)
        assignment = self._sight.read_assignment(name)
        if assignment is None:
            return []
        if only is None:
            there = members.look(self.session, name)
            members.refuse_stop(name, there)
            if running := [m.id for m in there if m.state in ("pending", "running")]:
                instances.stop(self.session, running)
            members.wait(
                self.session,
                name,
                lambda there: all(m.state == "stopped" for m in there),
                f"the stop of {name}",
            )
            return self.machines(name)
        at_work = [
            m.place for m in self._sight.look(name) if m.place in only and m.state in ("running", "pending")
        ]
        if not at_work:
            return self.machines(name)
        return self._tell(name, assignment.end(at_work), at_work)

    def terminate(self, name: str) -> None:
        self._end(name)

    def _end(self, name: str) -> int:
        count = self._fleet.end(name)
        if self.bucket.exists():
            self.bucket.delete(self._prefix(name))
        self._forget(name)
        return count

    def run(self, machine: Machine, *command: str, timeout_s: float = 60.0) -> Done:
        running = members.look(self.session, machine.cluster, ["running"])
        member = next((m for m in running if m.id == machine.instance), None)
        if member is None:
            raise NotFound(f"{machine.place} of {machine.cluster} does not run")
        shell = ["sh", "-c", RUN, "run", *command]
        comment = f"{machine.cluster} {machine.place}"
        ended = commands.run(
            self.session, self.bucket, [member.id], shell, timeout_s=timeout_s, comment=comment
        )
        found = ended[member.id]
        return Done(found.code, found.stdout, found.stderr)

    # ── a job's folder ──────────────────────────────────────────────────────────────────────────

    def collect(self, name: str, folder: Path, whole: bool = False) -> None:
        key, seen = str(folder), self._seen.get(name)
        last = self._collected.get(key, -1e9)
        # Who has just seen that a machine ended must hear all that it said before.
        unheard = seen is not None and seen.at > last
        if not whole and not unheard and time.monotonic() - last < self.look_every_s:
            return
        self._files.collect(folder, whole)
        self._collected[key] = time.monotonic()

    def keep(self, folder: Path, version: str, pack: Callable[[Path], object]) -> None:
        self._files.keep(folder, version, pack)

    def link(self, version: str) -> str | None:
        return self._files.link(version)

    # ── the steps of it ─────────────────────────────────────────────────────────────────────────

    def _revive(self, name: str, assignment: Assignment, places: Iterable[Place]) -> Assignment:
        return self._fleet.revive(name, assignment, places, partial(self._write, name))

    def _write(self, name: str, assignment: Assignment) -> None:
        self.bucket.put(self._prefix(name) + assignments.FILE, assignment.dump())
        self._forget(name)

    def _tell(
        self, name: str, assignment: Assignment, places: Iterable[Place] | None = None
    ) -> list[Machine]:
        """Write the assignment, wake the machines that run, and wait until those in the places have answered."""
        self._write(name, assignment)
        waiting.wake(self.session, self.bucket, name)
        self._wait(name, places)
        return self.machines(name)

    def _wait(self, name: str, places: Iterable[Place] | None = None) -> None:
        waiting.wait(self.session, self._sight, name, places, is_ended=lambda: self._fleet.is_ended(name))
        self._forget(name)

    def _forget(self, name: str) -> None:
        self._seen.pop(name, None)
        self._seen.pop("", None)

    def _prefix(self, name: str) -> str:
        return names.cluster_prefix(self.session.home, name)
