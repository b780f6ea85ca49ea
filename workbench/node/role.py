"""One machine of a job: what its role does from start to end, and whose fault it is when something fails."""

import contextlib
import json
import re
import shutil
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import keras

from workbench import datasets, film, packages, recipes
from workbench.arrays import Arrays
from workbench.artifact import FILM_FOLDER
from workbench.errors import RecipeError, WorkbenchError
from workbench.events import Writer
from workbench.fields import Fields
from workbench.lineage import DatasetPin, parse_pins
from workbench.manifest import Manifest
from workbench.models import evaluation, held_out
from workbench.node import data, export, strategy, training
from workbench.node.strategies.peers import BROKEN, DONE_FILE, Cluster, ClusterBroke, is_back_again, serve
from workbench.settings import from_environment
from workbench.system import files
from workbench.upstream import tensorflow as sockets

_FAILED_WORKER = re.compile(r"from remote target /job:worker/replica:0/task:(\d+)")
WAIT_EVERY_S = 0.2


@dataclass(frozen=True)
class NodeAssignment:
    """What this machine has to do.

    Attributes
    ----------
    folder
        The job's: ``recipe/`` is read; ``checkpoints/``, ``export/`` and ``fields.json`` are the leading machine's.
    epochs
        Instead of the recipe's own ``EPOCHS``.
    datasets
        The versions that it is to use, by name.
    """

    folder: Path
    epochs: int | None
    seed: int
    cluster: Cluster
    datasets: Mapping[str, DatasetPin] = field(default_factory=dict)
    packages: str = ""
    """The name of the lock of what the recipe needs besides ours."""


def read(folder: Path, role: str, index: int) -> NodeAssignment:
    """The assignment of a machine, from the job's ``job.json``."""
    job = json.loads((folder / "job.json").read_text())
    cluster = Cluster(role, index, job["workers"], job["ps"], job.get("cluster") or {})
    pins = parse_pins(Fields(job), "datasets")
    needed = str(job.get("packages", ""))
    return NodeAssignment(folder, job.get("epochs"), job.get("seed", 0), cluster, pins, needed)


def run(assignment: NodeAssignment, writer: Writer) -> None:
    """Do what the machine's role asks for; return when nobody needs it any more.

    Raises
    ------
    RecipeError
        The recipe's code failed.
    BROKEN
        A machine of the cluster is gone.
    """
    _guard_port(assignment.cluster, writer)
    # On each machine, for a tf.data.Dataset of the chief's may read files there; ``DONE_FILE`` is looked for there, too.
    recipes.enter(assignment.folder / "recipe", Path("recipe"))
    if assignment.cluster.ps and assignment.cluster.role != "chief":
        _serve(assignment.cluster, writer)
    else:
        _train(assignment, writer)


def _serve(cluster: Cluster, writer: Writer) -> None:
    done = Path(DONE_FILE)
    done.unlink(missing_ok=True)
    server = serve(cluster)
    _check_port(cluster, writer)
    writer.phase("training")
    while not done.exists():
        time.sleep(WAIT_EVERY_S)
    del server
    writer.phase("done")


def _train(assignment: NodeAssignment, writer: Writer) -> None:
    writer.phase("initializing")
    # First of all: a recipe may compute with TensorFlow as soon as it is loaded, and then it is too late.
    plan = strategy.make(assignment.cluster, writer.log)
    _check_port(assignment.cluster, writer)
    keras.utils.set_random_seed(assignment.seed)
    datasets.pin(assignment.datasets)
    packages.use(assignment.packages, from_environment().packages)
    source = assignment.folder / "recipe"  # at the same place on each machine of the job
    program = recipes.load(recipes.read_code(source), source)
    if assignment.epochs is not None:
        program = program.set_epochs(assignment.epochs)
    with blame_recipe(source):
        train, test = _two_parts(program.load_data())
        test = data.arrays(test, say=writer.log)
    with blame_recipe(source):
        batches = data.prepare(
            train,
            batch_size=program.batch_size,
            augment=program.augment,
            class_weight=program.class_weight,
            seed=assignment.seed,
            replicas=plan.replicas,
        )
        if batches.batch_size != program.batch_size:
            writer.log(f"a batch has {batches.batch_size} examples instead of {program.batch_size}")
        trained = training.fit(
            plan,
            program,
            batches,
            folder=assignment.folder / "checkpoints",
            on_progress=_reporter(assignment, writer),
            stop=lambda: False,
            say=writer.log,
        )
    if assignment.cluster.leads:
        writer.phase("exporting")
        with blame_recipe(source):
            fitted = trained.signature.fit(*test)
            result = evaluation.evaluate(
                trained.predict,
                fitted,
                program.output_labels or program.labels,
                says_logits=trained.says_logits,
                first=trained.signature.first,
            )
        _keep_held_out(assignment.folder, test)
        _export(
            assignment.folder,
            lambda folder: export.write_version(folder, trained, program, result, fitted[0]),
        )
    plan.end()
    writer.phase("done")


def _reporter(assignment: NodeAssignment, writer: Writer) -> Callable[[training.TrainingProgress], None]:
    begun, leads = False, assignment.cluster.leads
    recorder = film.Recorder(assignment.folder / "checkpoints" / FILM_FOLDER)

    def report(progress: training.TrainingProgress) -> None:
        nonlocal begun
        if not begun:
            writer.phase("training")
            begun = True
        if leads:
            writer.metric(progress)
        if leads and progress.film is not None:
            try:
                recorder.follow(progress.film)
            except OSError as error:  # a full disk: the training is worth more than its film
                writer.log(f"the film of learning was not written: {error}")

    return report


def _keep_held_out(folder: Path, test: tuple[Arrays, Arrays]) -> None:
    """Leave the held-out part for whoever measures the export without the recipe's code."""
    (folder / held_out.FILE).unlink(missing_ok=True)
    held_out.write(folder / held_out.FILE, *test)


def _export(folder: Path, write: Callable[[Path], Manifest]) -> None:
    """Write ``export/`` and, last, ``fields.json``: where that is, the export is whole."""
    fields, target, aside = folder / "fields.json", folder / "export", folder / ".export"
    fields.unlink(missing_ok=True)
    for left in (target, aside):
        shutil.rmtree(left, ignore_errors=True)
    aside.mkdir()
    text = json.dumps(write(aside).as_json(), indent=2, ensure_ascii=False)
    aside.rename(target)
    files.write(fields, text + "\n")


def _two_parts(parts: Any) -> tuple[Any, Any]:
    if not (isinstance(parts, tuple | list) and len(parts) == 2):
        raise RecipeError(
            f"load_data() must return (train, test). Received: {type(parts).__name__}", field="preprocessing"
        )
    return parts[0], parts[1]


@contextlib.contextmanager
def blame_recipe(source: Path) -> Iterator[None]:
    """Within it, what fails is the recipe's fault, unless the cluster's or the computer's.

    Raises
    ------
    RecipeError
        With the recipe's own lines.
    """
    try:
        yield
    except (WorkbenchError, *BROKEN):
        raise
    except (Exception, SystemExit) as error:
        if is_back_again(error):
            raise ClusterBroke(f"a machine was restarted: {error}") from error
        said = recipes.explain(error, source)
        if worker := _FAILED_WORKER.search(str(error)):
            said.args = (f"{said} (on worker {worker[1]})",)
        raise said from error


def _guard_port(cluster: Cluster, writer: Writer) -> None:
    if cluster.address is not None and not sockets.listen_only_on(cluster.address):
        writer.log("TensorFlow's server cannot be kept to the cluster's own address on this system")


def _check_port(cluster: Cluster, writer: Writer) -> None:
    if cluster.address is not None and sockets.listens_to_all(int(cluster.address.rsplit(":", 1)[1])):
        writer.log("TensorFlow's server listens on all interfaces: only the network can keep others out")
