"""What may be done with jobs, for the commands and the pages alike: request, check, estimate, end, try again."""

import io
import os
import secrets
import socket
import urllib.parse
import zipfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from workbench import artifact, recipes, runner
from workbench.errors import BadInput, NotFound, Unavailable
from workbench.estimates import estimate as estimating
from workbench.estimates import scaling
from workbench.jobs import ACTIVE, ENDED, Filter, Job, Store
from workbench.machines import Layout, Machine, Plan, Provider, standing
from workbench.models import registry
from workbench.recipes import FIELDS, Recipe
from workbench.settings import PROJECT, Settings, reachable
from workbench.tasks import check as checks

if TYPE_CHECKING:
    from workbench.application.audit import Finding
    from workbench.aws.session import Session

SHIPPED = PROJECT / "recipes"
NOTEBOOKS = PROJECT / "notebooks"
PROVIDERS = ("local", "aws")
MAX_UPLOAD = 8 * 1024**2
"""Bytes of a notebook or a zip that holds a recipe."""


@dataclass(frozen=True)
class Request:
    """One training that somebody asks for."""

    name: str
    requester: str
    recipe: Recipe
    ps: int = 0
    workers: int = 1
    epochs: int | None = None
    provider: str = "local"
    cluster: str | None = None
    """A standing cluster; else the job gets machines of its own."""
    instance_type: str | None = None
    """Where the provider has types; ``None`` for its usual one."""

    @property
    def layout(self) -> Layout:
        """Raises ``BadInput`` for a layout that cannot be."""
        return Layout(self.ps, self.workers, self.instance_type)


@dataclass(frozen=True)
class Limits:
    """How many jobs may run at once, and how many do and wait now."""

    cap: int
    per_requester: int
    running: int
    mine_running: int
    waiting: int
    mine_waiting: int


class Control:
    """One workbench: its settings and its store. Threads may share it.

    Parameters
    ----------
    start
        Starts a runner; see ``runner.tick``.
    open_provider
        Gives a provider by its name.
    """

    def __init__(
        self,
        settings: Settings,
        store: Store,
        *,
        start: runner.Start | None = None,
        open_provider: Callable[[str, Settings], Provider] = runner.open_provider,
    ) -> None:
        self.settings = settings
        self.store = store
        self._start = start
        self._open_provider = open_provider
        self._providers: dict[str, Provider] = {}

    def submit(self, request: Request) -> int:
        """Queue a job after a look at its syntax, and start it if it is its turn; its id.

        Raises
        ------
        RecipeError
            With the field and line.
        BadInput
            A value that no job can have.
        Unavailable
            There is no such provider here.
        """
        recipes.check(request.recipe)
        if request.cluster is not None:
            there = self.provider(request.provider).machines(request.cluster)
            standing.check_layout(there, request.cluster, request.layout)
        price = self.plan(request.provider, request.layout).price_per_hour
        id = self.store.submit(
            name=request.name,
            requester=request.requester,
            recipe=request.recipe,
            ps=request.ps,
            workers=request.workers,
            epochs=request.epochs,
            provider=request.provider,
            instance_type=request.instance_type,
            cluster=request.cluster,
            price_per_hour=price,
        )
        self.tick()
        return id

    def tick(self) -> None:
        """Start whoever's turn it is."""
        runner.tick(self.store, self.settings, self._start)

    def check(
        self, recipe: Recipe, workers: int = 1, stop: Callable[[], bool] = lambda: False
    ) -> checks.Checked:
        """Try the recipe on one batch; see ``checks.check``."""
        return checks.check(
            recipe, self.settings, workers=workers, name=f"check-{secrets.token_hex(8)}", stop=stop
        )

    def terminate(self, id: int) -> Job:
        """End the job and wait until it has ended; one that has ended already stays as it is."""
        job = runner.terminate(id, self.store, self.settings)
        self.tick()
        return job

    def retry(self, id: int, anew: bool = False) -> None:
        """Queue a failed or terminated job again.

        Raises
        ------
        BadInput
            It waits, runs or is completed.
        """
        if not self.store.retry(id, anew=anew):
            state = self.store.job(id).state
            raise BadInput(f"job {id} is {state}: only one that has ended can be tried again")
        self.tick()

    def link(self, job: Job) -> str | None:
        """An address from which anybody can download the job's version for a while.

        ``None`` where the provider keeps no copy, or cannot be reached: it is in the registry here all the same.
        """
        if job.version is None or job.provider == "local":
            return None
        try:
            return self.provider(job.provider).link(f"{job.name}:{job.version}")
        except Unavailable:
            return None

    def provider(self, name: str) -> Provider:
        """The provider of that name; raises ``Unavailable`` where there is none."""
        if name not in self._providers:
            self._providers[name] = self._open_provider(name, self.settings)
        return self._providers[name]

    def services(self) -> dict[str, bool]:
        """Whether the front end and the dashboard here, and the back end that is used here, answer at their ports."""
        ours = self.settings
        backend = urllib.parse.urlsplit(ours.backend_service)
        return {
            "frontend": _listens(reachable(ours.frontend_address), ours.frontend_port),
            "backend": _listens(backend.hostname or "", backend.port or 80),
            "dashboard": _listens(reachable(ours.dashboard_address), ours.dashboard_port),
        }

    def audit(self, session: "Session") -> "list[Finding]":
        """What exists on AWS and belongs to no job, stack or person; see ``application.audit``."""
        from workbench.application import audit

        jobs = {job.id: job.state for job in self.store.list(limit=100_000) if job.provider == "aws"}
        return audit.find(session, self.settings, audit.owned_by(jobs, ENDED))

    def launch(self, name: str, layout: Layout, provider: str = "local") -> list[Machine]:
        """Make a standing cluster; see ``clusters.launch``."""
        return standing.launch(self.provider(provider), name, layout)

    def layout(self, name: str, provider: str = "local") -> Layout:
        """The layout of a standing cluster; raises ``NotFound``."""
        return standing.layout_of(self.provider(provider).machines(name), name)

    def stop(self, name: str, provider: str = "local") -> list[Machine]:
        """Stop the machines of a standing cluster and keep them.

        Raises
        ------
        NotFound
        BadInput
            A job is at work on it.
        """
        self._check_idle(name, provider)
        return self.provider(provider).stop(name)

    def start(self, name: str, provider: str = "local") -> list[Machine]:
        """Start the machines of a standing cluster that are stopped; raises ``NotFound``."""
        standing.check_name(name)
        return self.provider(provider).start(name)

    def release(self, name: str, provider: str = "local") -> None:
        """End a standing cluster; as ``stop``."""
        self._check_idle(name, provider)
        self.provider(provider).terminate(name)

    def _check_idle(self, name: str, provider: str) -> None:
        standing.check_name(name)
        self.layout(name, provider)
        for job in self.store.list(state=ACTIVE, limit=1000):
            if job.cluster == name and job.provider == provider:
                raise BadInput(
                    f"job {job.id} is at work on {name}; end it with: workbench terminate {job.id}"
                )

    def plan(self, provider: str, layout: Layout) -> Plan:
        """What a job of this layout would make, and its price an hour."""
        return self.provider(provider).plan(layout)

    def estimate(self, request: Request, checked: checks.Checked | None = None) -> estimating.Estimate:
        """How long the training may take and what it may cost; ``checked`` is what a dry run of this recipe found."""
        layout, sha256 = request.layout, request.recipe.sha256
        found = self.store.newest(sha256, layout.ps, layout.workers) + self.store.newest(sha256)
        former = {
            job.id: job
            for job in found
            if (job.provider, job.instance_type) == (request.provider, request.instance_type)
        }
        return estimating.estimate(
            list(former.values()),
            checked,
            request.epochs,
            self.plan(request.provider, layout).price_per_hour,
            layout=layout,
            site=_site(request.provider),
            variables={job.id: size for job in former.values() if (size := self._size(job))},
        )

    def _size(self, job: Job) -> int | None:
        """Bytes of the variables in the version that a job has made, as far as its files tell."""
        try:
            files = registry.find(f"{job.name}:{job.version}", self.settings).manifest.files
        except (NotFound, BadInput):
            return None  # it may have been removed since
        form = files.get("model.onnx") or files.get("saved_model/variables/variables.data-00000-of-00001")
        return form.bytes if form else None

    def next_version(self, name: str) -> int:
        """The number that the next version of this model will have; others may take it first.

        Raises
        ------
        BadInput
            No model can have this name.
        """
        artifact.check_name(name)
        return max((v.version for v in registry.versions(self.settings, name)), default=0) + 1

    def limits(self, requester: str) -> Limits:
        """How many jobs may run, and how many of this requester's and of all do."""
        every = self.store.page(limit=1).states
        mine = self._states_of(requester)
        return Limits(
            cap=self.settings.max_jobs,
            per_requester=self.settings.max_jobs_per_requester,
            running=sum(every.get(state, 0) for state in ACTIVE),
            mine_running=sum(mine.get(state, 0) for state in ACTIVE),
            waiting=every.get("queued", 0),
            mine_waiting=mine.get("queued", 0),
        )

    def _states_of(self, requester: str) -> dict[str, int]:
        return self.store.page(Filter(requesters=[requester]), limit=1).states if requester else {}


def _site(provider: str) -> scaling.Site:
    if provider == "local":
        return scaling.Site(cores=os.cpu_count() or 1, shared=True)
    return scaling.network(estimating.GBIT_PER_S)


def _listens(address: str, port: int) -> bool:
    try:
        with socket.create_connection((address, port), timeout=1):
            return True
    except OSError:
        return False


@contextmanager
def opened(settings: Settings) -> Iterator[Control]:
    """The workbench of these settings, its store open."""
    with open_store(settings) as store:
        yield Control(settings, store)


def open_store(settings: Settings) -> Store:
    """The job store of these settings; the home is made where there is none."""
    settings.home.mkdir(parents=True, exist_ok=True)
    return Store(settings.database_url)


# Recipes


def find_recipe(text: str) -> Path:
    """The recipe that a path or the name of a shipped one means.

    Raises
    ------
    NotFound
    """
    if not Path(text).exists() and (SHIPPED / text).is_dir():
        return SHIPPED / text
    if not Path(text).exists():
        shipped = sorted(folder.name for folder in SHIPPED.glob("*") if folder.is_dir())
        raise NotFound(
            f"there is no recipe at {text}; give a notebook, a folder, or one of: {', '.join(shipped)}"
        )
    return Path(text)


def offered_recipes() -> dict[str, Path]:
    """The recipes that one can begin with, by name: the tutorial's, the shipped ones, and other notebooks that are one."""
    found = {recipes.DEFAULT.stem: recipes.DEFAULT}
    found |= {folder.name: folder for folder in sorted(SHIPPED.iterdir()) if folder.is_dir()}
    for path in sorted(NOTEBOOKS.glob("*.ipynb")):
        if _is_recipe(path):
            found.setdefault(path.stem, path)
    return found


def _is_recipe(notebook: Path) -> bool:
    try:
        recipes.read(notebook)
    except BadInput:
        return False
    return True


def read_upload(files: Mapping[str, bytes]) -> Recipe:
    """The recipe in what somebody uploaded: a notebook, a zip with the three files, or the files themselves.

    Raises
    ------
    BadInput
        It is none of these, too large, or lacks a field.
    """
    if (size := sum(map(len, files.values()))) > MAX_UPLOAD:
        raise BadInput(f"a recipe has at most {MAX_UPLOAD:,} bytes. Received: {size:,}")
    if len(files) == 1:
        ((name, content),) = files.items()
        if name.lower().endswith(".zip"):
            files = _unpack(name, content)
        elif name.lower().endswith(".ipynb"):
            return recipes.read_notebook(content, name)
    found = {PurePosixPath(name).name: content for name, content in files.items()}
    try:
        sources = {f: found[f"{f}.py"].decode() for f in FIELDS if f"{f}.py" in found}
    except UnicodeDecodeError as error:
        raise BadInput(f"a recipe's files are text in UTF-8: {error}") from error
    if missing := [f"{field}.py" for field in recipes.REQUIRED if field not in sources]:
        raise BadInput(
            f"a recipe is a notebook, a zip, or the files {', '.join(f'{f}.py' for f in FIELDS)}; "
            f"{' and '.join(missing)} is missing. Received: {', '.join(sorted(files)) or 'nothing'}"
        )
    return Recipe(**{"helpers": "", **sources})


def _unpack(name: str, content: bytes) -> dict[str, bytes]:
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            wanted = [i for i in archive.infolist() if PurePosixPath(i.filename).stem in FIELDS]
            if sum(info.file_size for info in wanted) > MAX_UPLOAD:
                raise BadInput(f"the files in {name} are larger than {MAX_UPLOAD:,} bytes")
            return {info.filename: archive.read(info) for info in wanted}
    except (*artifact.UNREADABLE, OSError) as error:
        raise BadInput(f"{name} is not a zip that can be read: {error}") from error
