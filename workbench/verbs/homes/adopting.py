"""A home that is lost, taken over from another computer: its clusters, its jobs at work, its models."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from workbench.errors import BadInput, NotFound
from workbench.jobs import Store
from workbench.jobs.requests import Before, Submission
from workbench.settings import Settings
from workbench.system import scratch
from workbench.verbs.machines import Layout, Machines

if TYPE_CHECKING:
    from workbench.aws.bucket import Bucket
    from workbench.machines.aws.controller.homes import HomeThere, JobThere

__all__ = ["Adopted", "HomeThere", "adopt", "list_homes"]

Tell = Callable[[str], None]


@dataclass(frozen=True)
class Adopted:
    """What was taken over."""

    home: str
    clusters: tuple[str, ...]
    jobs: tuple[int, ...]
    versions: tuple[str, ...]


def list_homes(settings: Settings) -> "list[HomeThere]":
    """All homes of the account and region, this one too; asks AWS alone."""
    from workbench.machines.aws.controller import homes

    bucket = _bucket(settings)
    return homes.find_homes(bucket.session, bucket, settings)


def adopt(home: str, settings: Settings, store: Store, machines: Machines, tell: Tell) -> Adopted:
    """Go on here with what a lost home has on AWS; twice is fine. The next ``tick`` takes its jobs up.

    The jobs keep their numbers, the models theirs. Jobs that had no machines yet are lost with the home.

    Raises
    ------
    NotFound
        AWS knows no such home.
    BadInput
        This home has something on AWS itself, or jobs or models of the same numbers.
    """
    from workbench.machines.aws.controller import homes

    bucket = _bucket(settings)
    found = {one.id: one for one in homes.find_homes(bucket.session, bucket, settings)}
    if home not in found:
        known = ", ".join(sorted(found)) or "none at all"
        raise NotFound(f"AWS knows no home {home!r} here; it knows: {known}")
    there, own = found[home], bucket.session.home
    if own != home:
        if own in found:
            raise BadInput(
                f"this home, {own}, has clusters, jobs or models on AWS itself; adopt {home} from a new one: set "
                "WORKBENCH_HOME to an empty folder"
            )
        _refuse_clashes(there, settings, store)
        homes.take_over(settings, home)
    jobs = tuple(job.id for job in there.jobs if _restore(bucket, job, settings, store, machines, tell))
    versions = tuple(
        f"{name}:{number}"
        for name, number in there.versions
        if _bring(bucket, home, name, number, settings, tell)
    )
    return Adopted(home, there.clusters, jobs, versions)


def _bucket(settings: Settings) -> "Bucket":
    from workbench.aws.bucket import Bucket
    from workbench.aws.session import Session

    return Bucket(Session.open(settings))


def _refuse_clashes(there: "HomeThere", settings: Settings, store: Store) -> None:
    """Refuse to mix a home with one that has jobs or models of the same numbers."""
    here = {job.id for job in store.jobs(limit=100_000)} & {job.id for job in there.jobs}
    models = [f"{n}:{v}" for n, v in there.versions if (settings.models / n / str(v)).exists()]
    if clash := [*(f"job {id}" for id in sorted(here)), *models]:
        raise BadInput(
            f"both homes have {', '.join(clash)}; adopt {there.id} from a new one: set WORKBENCH_HOME to an empty folder"
        )


def _restore(
    bucket: "Bucket", job: "JobThere", settings: Settings, store: Store, machines: Machines, tell: Tell
) -> bool:
    """Have the job in this home as it was; false if it is here already."""
    from workbench import packages, recipes
    from workbench.machines.aws.controller import homes, job_files
    from workbench.machines.aws.exchange import requests
    from workbench.runner import folders
    from workbench.verbs import recipes as recipe_verbs

    if store.has(job.id):
        return False
    assignment, work = job.assignment, job.assignment.work
    assert work
    roles = [place.role for place in assignment.posts]
    layout = Layout(roles.count("ps"), roles.count("worker"), assignment.instance_type)
    with homes.taken_request(bucket, job, settings) as asked:
        note = job_files.read_note(asked)
        recipe = recipe_verbs.kept(recipes.read(asked / "recipe"), settings)
        lock = asked / requests.PACKAGES
        needed = packages.keep_lock(lock.read_text(), settings.packages) if lock.is_file() else ""
    request = Submission(
        name=note.name,
        requester=note.requester or settings.requester,
        ps=layout.ps,
        workers=layout.workers,
        epochs=note.epochs,
        provider="aws",
        instance_type=assignment.instance_type,
        cluster=job.cluster if assignment.standing else None,
        price_per_hour=machines.plan("aws", layout).price_per_hour,
        datasets=json.dumps({name: vars(pin) for name, pin in note.datasets.items()}),
    )
    before = Before(job.id, work.attempt, work.origin, assignment.created)
    # The folder first: whoever takes the job up ends machines of which the folder says nothing.
    folder = settings.home / "jobs" / str(job.id)
    at_work = before.at_work(request, recipe, note.datasets)
    folders.prepare(folder, at_work, kept=settings.recipe_files, packages=needed)
    job_files.note_addresses(assignment, folder)
    folders.note_elsewhere(folder)
    restored = store.restore(request, recipe, before)
    if restored:
        tell(f"job {job.id} ({note.name}) is here again, as its machines have it")
    return restored


def _bring(bucket: "Bucket", home: str, name: str, number: int, settings: Settings, tell: Tell) -> bool:
    """Have the version in this home; false if it is here already."""
    from workbench.aws import names
    from workbench.models import registry

    if (settings.models / name / str(number)).exists():
        return False
    with scratch.folder(settings.home) as aside:
        packed = aside / "version.zip"
        bucket.download(names.version_key(home, name, number), packed)
        registry.bring(packed, f"{name}:{number}", settings)
    tell(f"{name}:{number} is here again")
    return True
