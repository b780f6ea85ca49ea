"""The public Python API: what ``import workbench`` offers, the same verbs as the commands'.

All of it is about the workbench that the environment names (``WORKBENCH_HOME`` and so on), read at each call.
"""

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from workbench import recipes
from workbench.errors import BadInput, JobFailed
from workbench.events import Error
from workbench.jobs import Job as Row
from workbench.manifest import Manifest
from workbench.models import registry
from workbench.recipes import Recipe
from workbench.settings import Settings, from_environment
from workbench.system.waiting import wait_until
from workbench.verbs import backends, logs, retraining
from workbench.verbs import datasets as dataset_verbs
from workbench.verbs import recipes as recipe_verbs
from workbench.verbs.datasets import looking
from workbench.verbs.jobs import has_ended
from workbench.verbs.requests import Request
from workbench.verbs.workbench import opened

if TYPE_CHECKING:
    import numpy as np

    from workbench.backends.values import Deployment
    from workbench.models.measured import Evaluation, Regression
    from workbench.verbs.datasets import DatasetManifest

__all__ = [
    "Dataset",
    "Job",
    "Recipe",
    "Version",
    "add_dataset",
    "dataset",
    "datasets",
    "job",
    "jobs",
    "model",
    "models",
    "submit",
]

POLL_S = 0.5


class Job:
    """One training request; whatever is asked of it is as of now."""

    def __init__(self, id: int, settings: Settings) -> None:
        self._id, self._settings = id, settings

    def __repr__(self) -> str:
        row = self._row()
        return f"<Job {row.id} {row.name}: {row.state}>"

    @property
    def id(self) -> int:
        """Its number."""
        return self._id

    @property
    def name(self) -> str:
        """Name of the model that comes out of it."""
        return self._row().name

    @property
    def state(self) -> str:
        """``queued``, ``initializing``, ``training``, ``exporting``, ``completed``, ``failed`` or ``terminated``."""
        return self._row().state

    @property
    def accuracy(self) -> float | None:
        """Share of the held-out part that its version gets right, 0 to 1; ``None`` before, and for a regression."""
        return self._row().accuracy

    @property
    def error(self) -> Error | None:
        """Cause of its end, if it failed: ``role``, ``index``, ``message``, ``traceback``."""
        return self._row().error

    @property
    def step(self) -> int | None:
        """Steps done; ``None`` before the first."""
        return self._row().step

    @property
    def of(self) -> int | None:
        """Steps to do in all."""
        return self._row().of

    @property
    def version(self) -> int | None:
        """Number of the version that it has published."""
        return self._row().version

    def wait(self, timeout: float | None = None) -> "Job":
        """Wait until it has ended; meanwhile the queue goes on.

        Parameters
        ----------
        timeout
            Seconds; ``None`` for as long as it takes.

        Raises
        ------
        JobFailed
            It failed, with the user's own line, or was terminated.
        Unavailable
            It has not ended in this time; it goes on.
        """
        with opened(self._settings) as workbench:

            def look() -> Row | None:
                workbench.jobs.tick()
                row = workbench.store.job(self._id)
                return row if has_ended(row) else None

            row = wait_until(
                look,
                float("inf") if timeout is None else timeout,
                POLL_S,
                lambda: (
                    f"job {self._id} has not ended within {timeout:g} s; "
                    f"it is {workbench.store.job(self._id).state} and goes on"
                ),
            )
        assert row is not None
        if row.state == "completed":
            return self
        if row.error is None:
            raise JobFailed(f"job {self._id} was {row.state}", job=self._id)
        error = row.error
        raise JobFailed(
            f"job {self._id} {row.state}: {error.role} {error.index}: {error.message}",
            job=self._id,
            traceback=error.traceback,
        )

    def logs(self, role: str | None = None, index: int | None = None) -> str:
        """All that its machines wrote, each line behind its machine; of some machines where ``role`` is given."""
        written = []
        for log in logs.list_logs(self._row().id, self._settings):
            if role in (None, log.place.role) and index in (None, log.place.index):
                lines, _ = logs.read_lines(log)
                written += [f"{log.place}  {line}\n" for line in lines]
        return "".join(written)

    def terminate(self) -> "Job":
        """End it and its machines, and wait for that; one that has ended already stays as it is."""
        with opened(self._settings) as workbench:
            workbench.jobs.terminate(self._id)
        return self

    def retry(self, *, anew: bool = False) -> "Job":
        """Queue it again, from its checkpoint or ``anew``; raises ``BadInput`` unless it failed or was terminated."""
        with opened(self._settings) as workbench:
            workbench.jobs.retry(self._id, anew=anew)
        return self

    def _row(self) -> Row:
        with opened(self._settings) as workbench:
            return workbench.store.job(self._id)


class Version:
    """One published version of a model. Versions never change."""

    def __init__(self, found: registry.Version, settings: Settings) -> None:
        self._found, self._settings = found, settings

    def __repr__(self) -> str:
        return f"<Version {self._found}>"

    def __str__(self) -> str:
        return str(self._found)

    @property
    def name(self) -> str:
        """Name of the model."""
        return self._found.name

    @property
    def version(self) -> int:
        """Its number, from 1."""
        return self._found.version

    @property
    def manifest(self) -> Manifest:
        """Everything that is known of it."""
        return self._found.manifest

    def predict(self, x: "np.ndarray") -> "np.ndarray":
        """Answers to inputs ``(n, …)`` as ``manifest.input`` describes them: float32 ``(n, …)``.

        By ONNX Runtime where there is such a form, else by TensorFlow.
        """
        from workbench.node import inference

        return inference.predict(self._found.folder, x)

    def evaluate(self) -> "Evaluation | Regression":
        """Ask it about each example of the test part that its recipe loads, once."""
        from workbench import datasets
        from workbench.models import evaluation

        pins = self.manifest.datasets
        with (
            opened(self._settings) as workbench,
            tempfile.TemporaryDirectory() as folder,
            datasets.pinned(pins),
        ):
            recipe = retraining.recipe_of(self._found, workbench.store)
            program = recipes.load(recipe, Path(folder) / "program")
            _, test = program.load_data()
        output = self.manifest.output
        is_logits = output is not None and output.kind == "logits"
        return evaluation.evaluate(self.predict, test, self.manifest.labels, says_logits=is_logits)

    def download(self, path: str | Path) -> Path:
        """Write it as a zip; the file has it whole or is left as it was."""
        return registry.download(self._found, Path(path))

    def deploy(
        self, to: str | None = None, canary: float | None = None, reason: str | None = None
    ) -> "Deployment":
        """Put it behind a back end; the model as it then serves.

        Parameters
        ----------
        to
            ``None`` for the back end that this computer uses, ``aws``, or a URL.
        canary
            Percent of the drawings that it shall answer beside the active version; 0 ends that.
        reason
            Why; the back end's history keeps it.

        Raises
        ------
        ModelRefused
            The back end's own check failed; what served before goes on serving.
        """
        _, now = backends.deploy(str(self), self._settings, to=to, canary=canary, reason=reason or "")
        return now


class Dataset:
    """One version of a data set. Versions never change."""

    def __init__(self, manifest: "DatasetManifest", settings: Settings) -> None:
        self._manifest, self._settings = manifest, settings

    def __repr__(self) -> str:
        train, test = self._manifest.train.examples, self._manifest.test.examples
        return f"<Dataset {self._manifest}: {self._manifest.kind}, {train:,} + {test:,} examples>"

    def __str__(self) -> str:
        return str(self._manifest)

    @property
    def name(self) -> str:
        """Its name."""
        return self._manifest.name

    @property
    def version(self) -> int:
        """Its number, from 1."""
        return self._manifest.version

    @property
    def manifest(self) -> "DatasetManifest":
        """Everything that is known of it."""
        return self._manifest

    def load(self, *, stream: bool | None = None) -> tuple[Any, Any]:
        """Load ``(train, test)``, each ``(x, y)`` arrays, or a ``tf.data.Dataset`` where it is large; as in a recipe."""
        from workbench import datasets  # NumPy comes with it

        return datasets.load(str(self), self._settings, stream=stream)

    def models(self) -> list[str]:
        """The model versions that were trained with it."""
        with opened(self._settings) as workbench:
            return list(dataset_verbs.made_of(self._manifest, self._settings, workbench.store).models)

    def show(self) -> looking.Shown:
        """What is in it, for a notebook: some examples, the balance of classes, each column's figures."""
        return looking.look(self._manifest, self._settings)

    def export(self, folder: str | Path) -> Path:
        """Write it into a new folder as files that other programs read."""
        return dataset_verbs.export(str(self), Path(folder), self._settings)

    def remove(self) -> None:
        """Remove it; raises ``Conflict`` while a model or a job names it."""
        with opened(self._settings) as workbench:
            dataset_verbs.remove(str(self), self._settings, workbench.store)


def add_dataset(name: str, source: str | Path, **how: Any) -> Dataset:
    """Add a version of a data set; the same data again give the version that is there.

    Parameters
    ----------
    source
        A folder or zip of pictures or texts by class, a ``.csv``, ``.tsv``, ``.parquet``, ``.npz`` or IDX file, or the URL of one.
    how
        What is not to be guessed: ``target``, ``classes``, ``kind``, ``unused``, ``size``, ``channels``, ``header``, ``licence``, and of
        the split ``by`` (``share``, ``column``, ``group``), ``share``, ``column``, ``seed``.

    Raises
    ------
    BadInput, NotFound, NotFetched, Full
        The source cannot be used; nothing was kept.
    """
    settings = from_environment()
    try:
        wanted = dataset_verbs.how(**how)
    except TypeError as error:
        raise BadInput(f"add_dataset: {error}") from error
    return Dataset(dataset_verbs.add(name, source, wanted, settings), settings)


def dataset(reference: str) -> Dataset:
    """The data set that ``NAME:V`` names, or the newest version of ``NAME``; raises ``NotFound``."""
    settings = from_environment()
    return Dataset(dataset_verbs.find(reference, settings), settings)


def datasets(name: str | None = None) -> list[Dataset]:
    """All data sets that were added, by name and version; only of ``name`` where one is given."""
    settings = from_environment()
    return [Dataset(found, settings) for found in dataset_verbs.versions(settings, name)]


def submit(
    recipe: str | Path | Recipe,
    *,
    name: str,
    ps: int = 0,
    workers: int = 1,
    provider: str = "local",
    cluster: str | None = None,
    epochs: int | None = None,
    requester: str | None = None,
) -> Job:
    """Queue a training, and start it if it is its turn.

    Parameters
    ----------
    recipe
        A notebook, a folder, the name of a shipped recipe, or a ``Recipe``.
    name
        Of the model that comes out of it.
    cluster
        A standing cluster; else the job gets machines of its own.

    Raises
    ------
    RecipeError
        With the field and line.
    BadInput, NotFound, Unavailable
        A value that no job can have; no such recipe or cluster; no such provider here.
    """
    settings = from_environment()
    request = Request(
        name=name,
        requester=requester or settings.requester,
        recipe=recipe if isinstance(recipe, Recipe) else recipe_verbs.read(recipe),
        ps=ps,
        workers=workers,
        epochs=epochs,
        provider=provider,
        cluster=cluster,
    )
    with opened(settings) as workbench:
        return Job(workbench.jobs.submit(request), settings)


def job(id: int) -> Job:
    """The job of that number; raises ``NotFound``."""
    settings = from_environment()
    with opened(settings) as workbench:
        return Job(workbench.store.job(id).id, settings)


def jobs(*, state: str | None = None, requester: str | None = None, limit: int = 50) -> list[Job]:
    """The newest jobs."""
    settings = from_environment()
    with opened(settings) as workbench:
        found = workbench.store.jobs(state=state, requester=requester, limit=limit)
    return [Job(row.id, settings) for row in found]


def model(reference: str) -> Version:
    """The version that ``NAME:V`` names, or the newest one of ``NAME``; raises ``NotFound``."""
    settings = from_environment()
    return Version(registry.find(reference, settings), settings)


def models(name: str | None = None) -> list[Version]:
    """All published versions, by name and number; only of ``name`` where one is given."""
    settings = from_environment()
    return [Version(found, settings) for found in registry.versions(settings, name)]
