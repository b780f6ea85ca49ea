"""Homes as AWS knows them: what each has there, whether or not a computer still has the home itself."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from workbench.aws import names, prices
from workbench.aws.bucket import Bucket
from workbench.aws.instances import LIVING, Instance, find
from workbench.aws.names import Filter
from workbench.aws.session import Session
from workbench.machines.aws.exchange import assignments, requests
from workbench.machines.aws.exchange.assignments import Assignment
from workbench.machines.aws.exchange.requests import DATA, TRAVELLING
from workbench.settings import Settings
from workbench.system import files, scratch

_CLUSTERS, _MODELS = "clusters/", "models/"


@dataclass(frozen=True)
class JobThere:
    """A job whose machines are told what to do, or have done it."""

    id: int
    cluster: str
    assignment: Assignment


@dataclass(frozen=True)
class HomeThere:
    """Everything that AWS has of one home."""

    id: str
    """Its short id, which its tags and keys carry."""
    machines: tuple[Instance, ...] = ()
    """Of its clusters; those that cost something."""
    jobs: tuple[JobThere, ...] = ()
    versions: tuple[tuple[str, int], ...] = ()
    """Name and number of each model version that is kept there."""
    price_per_hour: float | None = 0.0
    """US dollars for the machines that run; ``None`` where a price is not known."""

    @property
    def clusters(self) -> tuple[str, ...]:
        """Names of the clusters that have machines."""
        return tuple(sorted({one.tags["cluster"] for one in self.machines}))


def find_homes(session: Session, bucket: Bucket, settings: Settings) -> list[HomeThere]:
    """Find all homes that have a machine of a cluster, a job or a model in the account and region."""
    wanted: list[Filter] = [
        *names.filters(),
        {"Name": "tag-key", "Values": ["cluster"]},
    ]
    machines: dict[str, list[Instance]] = {}
    for one in find(session, wanted, states=LIVING, doing="look for machines of all homes"):
        machines.setdefault(one.tags.get(names.HOME, ""), []).append(one)
    jobs, versions = _read_jobs(bucket), _list_versions(bucket)
    known = prices.known(settings, session.region)
    return [
        HomeThere(
            id,
            tuple(there := machines.get(id, [])),
            tuple(jobs.get(id, ())),
            tuple(versions.get(id, ())),
            _price(there, known),
        )
        for id in sorted({*machines, *jobs, *versions} - {""})
    ]


def _price(machines: list[Instance], known: prices.Prices) -> float | None:
    running = [one.type for one in machines if one.state in ("pending", "running")]
    hours = [known.machine(kind) for kind in running]
    return None if None in hours else round(sum(hour or 0.0 for hour in hours), 4)


def _read_jobs(bucket: Bucket) -> dict[str, list[JobThere]]:
    """The jobs by home, of those whose request is still there."""
    keys = [stored.key for stored in bucket.list(_CLUSTERS)]
    asked = {key for key in keys if key.endswith("/job.zip")}
    found: dict[str, list[JobThere]] = {}
    for key in keys:
        home, _, rest = key[len(_CLUSTERS) :].partition("/")
        cluster, _, name = rest.partition("/")
        if home.startswith("_") or name != assignments.FILE or (content := bucket.get(key)) is None:
            continue
        assignment = assignments.parse(content)
        work = assignment.work
        number = work.prefix.rstrip("/").rpartition("/")[2] if work else ""
        if work and number.isdecimal() and f"{work.prefix}job.zip" in asked:
            found.setdefault(home, []).append(JobThere(int(number), cluster, assignment))
    return found


def _list_versions(bucket: Bucket) -> dict[str, list[tuple[str, int]]]:
    found: dict[str, list[tuple[str, int]]] = {}
    for stored in bucket.list(_MODELS):
        parts = stored.key[len(_MODELS) :].removesuffix(".zip").split("/")
        if len(parts) == 3 and parts[2].isdecimal():
            found.setdefault(parts[0], []).append((parts[1], int(parts[2])))
    return found


@contextmanager
def taken_request(bucket: Bucket, job: JobThere, settings: Settings) -> Iterator[Path]:
    """A folder with the job's request as its machines got it; what it reads goes into this home's data, once."""
    assert job.assignment.work
    settings.data.mkdir(parents=True, exist_ok=True)
    with scratch.folder(settings.home) as aside:
        requests.take(bucket, job.assignment.work.prefix, aside)
        for name in TRAVELLING:
            for path in sorted((aside / name).rglob("*")):
                target = settings.data / path.relative_to(aside)
                if path.is_file() and not target.exists():
                    target.parent.mkdir(parents=True, exist_ok=True)
                    path.rename(target)
        for name in job.assignment.work.data:
            if not (settings.data / name).exists():
                bucket.download(f"{DATA}{name}", settings.data / name)
        yield aside


def take_over(settings: Settings, home: str) -> None:
    """Let this ``WORKBENCH_HOME`` be the one that AWS knows by that id."""
    files.write(settings.home / "home_id", home)
