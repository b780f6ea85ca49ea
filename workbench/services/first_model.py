"""The model that a fresh workbench begins with: trained from the default recipe, published, deployed.

Run as ``python -m workbench.services.first_model`` by ``workbench up``. What it is doing stands in ``under_way.json`` in the
back end's folder, from where the drawing page shows it, and on standard output as one JSON object a line; beside it lies the
film of its learning.
"""

import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING

from workbench import recipes
from workbench.artifact import FILM_FOLDER
from workbench.backends.http import HttpBackEnd
from workbench.errors import NotFound, Unavailable, WorkbenchError
from workbench.models import registry
from workbench.settings import Settings, from_environment
from workbench.system import files

if TYPE_CHECKING:
    from workbench.node import training

NAME = "mnist-cnn"
BACKEND_WAIT_S = 60.0


def is_deployed(settings: Settings) -> bool:
    """Tell if any version was ever pushed to the back end here."""
    return any(settings.backend.glob("models/*/*/manifest.json"))


def make(settings: Settings) -> None:
    """Deploy the newest version of ``mnist-cnn``; train the default recipe first if there is none."""
    status = _Status(settings.backend / "under_way.json")
    try:
        try:
            version = registry.find(NAME, settings)
        except NotFound:
            version = _train(settings, status)
        status.tell("deploying", f"deploying {version}")
        _deploy(version, settings)
    except WorkbenchError as error:
        status.tell("failed", f"the first model could not be made: {error}")
        raise
    except (KeyboardInterrupt, SystemExit):
        status.clear()
        raise
    except Exception as error:
        status.tell("failed", f"the first model could not be made: {type(error).__name__}: {error}")
        raise
    finally:
        files.remove(settings.backend / FILM_FOLDER)
    status.clear()


def _train(settings: Settings, status: "_Status") -> registry.Version:
    status.tell("starting", "starting TensorFlow to train the first model")
    recipe = recipes.read(recipes.DEFAULT)
    with _data_fetched_beside(recipe):
        from workbench import film
        from workbench.models import evaluation
        from workbench.node import publishing, training

    recorder = film.Recorder(settings.backend / FILM_FOLDER)

    def show(progress: training.TrainingProgress) -> None:
        if progress.film is not None:
            recorder.follow(progress.film)
        status.tell("training", f"training the first model, step {progress.step} of {progress.of}", progress)

    with tempfile.TemporaryDirectory() as folder:
        program = recipes.load(recipe, Path(folder))
        status.tell("preparing", "fetching the data set")
        train, test = program.load_data()
        trained = training.train(program, train, on_progress=show)
        status.tell("evaluating", "evaluating the first model on the test part")
        result = evaluation.evaluate(trained.predict, test, program.labels, says_logits=trained.says_logits)
        status.tell("exporting", "exporting the first model and checking each form of it")
        return publishing.publish(
            NAME, trained, evaluation=result, program=program, x=test[0], settings=settings
        )


@contextmanager
def _data_fetched_beside(recipe: recipes.Recipe) -> Iterator[None]:
    """Fetch and draw the recipe's data sets in a process of their own meanwhile, and wait for it at the end.

    TensorFlow takes as long to import, on one core. If it fails, ``load_data()`` says why when it is called.
    """
    from workbench import datasets  # NumPy comes with it, which a machine that only serves the page has not

    names = [name for name in datasets.NAMES if name in recipe.preprocessing]
    child = subprocess.Popen([sys.executable, "-m", "workbench.datasets", *names])
    try:
        yield
        child.wait()
    finally:
        child.terminate()
        child.wait()


def _deploy(version: registry.Version, settings: Settings) -> None:
    """Deploy, and wait for a back end that is only just starting."""
    backend = HttpBackEnd(settings.own_backend, settings.deploy_token)
    give_up = time.monotonic() + BACKEND_WAIT_S
    while True:
        try:
            backend.deploy(version, reason="first model")
            return
        except Unavailable:
            if time.monotonic() > give_up:
                raise
            time.sleep(0.2)


@dataclass(frozen=True)
class UnderWay:
    """One line of standard output, and what the drawing page shows."""

    state: str
    message: str
    since: str
    step: int | None = None
    of: int | None = None
    eta_s: float | None = None
    accuracy: float | None = None

    def as_json(self) -> str:
        """The line; without what is not known."""
        return json.dumps({name: value for name, value in asdict(self).items() if value is not None})


def parse(line: bytes) -> UnderWay | None:
    """What a line tells; ``None`` for one that a library printed."""
    try:
        return UnderWay(**json.loads(line))
    except (ValueError, TypeError):
        return None


class _Status:
    """Tells what is under way: in ``under_way.json``, replaced as a whole, and on standard output."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.since = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")

    def tell(self, state: str, message: str, progress: "training.TrainingProgress | None" = None) -> None:
        now = UnderWay(state, message, self.since)
        if progress is not None:
            eta_s = None if progress.eta_s is None else round(progress.eta_s, 1)
            now = replace(now, step=progress.step, of=progress.of, eta_s=eta_s, accuracy=progress.accuracy)
        self.path.parent.mkdir(parents=True, exist_ok=True)
        files.write(self.path, now.as_json())
        print(now.as_json(), flush=True)

    def clear(self) -> None:
        self.path.unlink(missing_ok=True)


def _end(number: int, frame: FrameType | None) -> None:
    raise SystemExit(128 + number)


def main() -> int:
    signal.signal(signal.SIGTERM, _end)
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    try:
        make(from_environment())
    except WorkbenchError as error:
        print(error, file=sys.stderr)
        return error.exit_code
    return 0


if __name__ == "__main__":
    sys.exit(main())
