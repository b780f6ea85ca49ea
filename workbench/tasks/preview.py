"""Drawing at a model while it trains: begins the task that has a job's newest checkpoint, feeds it and asks it.

The task runs the user's code, so it is sandboxed (``node.preview``) and gets copies: of the recipe, and of each checkpoint
when it is new. Both folders belong to users that run untrusted code, while this process may write anywhere: no link
in either of them is followed.
"""

import base64
import json
import os
import re
import secrets
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from workbench.errors import Unavailable, WorkbenchError
from workbench.jobs import Job
from workbench.machines import Layout
from workbench.machines.local.provider import LocalProvider, default_limits
from workbench.settings import Settings
from workbench.system import untrusted_changes, untrusted_folders, wire
from workbench.system.waiting import wait_until
from workbench.tasks import check

T = TypeVar("T")

TASK = "workbench.node.preview"
NAME = "task-preview-"
START_S, ANSWER_S = 180.0, 10.0
POLL_S = 0.02
LOOK_S = 5.0
"""Between two looks whether the task still runs."""
MAX_CHECKPOINT = 2 * 1024**3
MAX_JSON = 1_000_000


@dataclass(frozen=True)
class Wanted:
    """What the model takes: shape ``(h, w, c)`` or another, ``preprocessing`` as in a manifest; and its classes."""

    kind: str
    shape: tuple[int, ...]
    preprocessing: str
    labels: tuple[str, ...]

    @property
    def is_picture(self) -> bool:
        return self.kind == "image" and len(self.shape) == 3


@dataclass(frozen=True)
class PreviewAnswer:
    """What the model said at a checkpoint."""

    step: int
    probabilities: tuple[float, ...]


@dataclass(frozen=True)
class Checkpoint:
    """The newest one that the task was given; ``t`` is when it was written, in seconds since 1970."""

    step: int
    t: float


@dataclass(frozen=True)
class _Input:
    kind: str
    shape: tuple[int, ...]


@dataclass(frozen=True)
class _Ready:
    """``ready.json``: what the model takes, or why there is none."""

    error: str = ""
    input: _Input | None = None
    preprocessing: str = "none"
    labels: tuple[str, ...] = ()


@dataclass(frozen=True)
class _Answer:
    """``answer.json``: what the model says to the request of this number."""

    id: int
    step: int
    probabilities: tuple[float, ...]


class Preview:
    """One job's model for one page; ``start`` it, ``keep`` it while somebody looks, ``ask`` it, ``close`` it."""

    def __init__(self, job: Job, settings: Settings, provider: LocalProvider | None = None) -> None:
        self.job = job
        self.checkpoint: Checkpoint | None = None
        self._settings, self._provider = settings, provider or LocalProvider(settings)
        self._name = f"{NAME}{job.id}-{secrets.token_hex(4)}t"
        self._folder = settings.home / "jobs" / self._name
        self._lock, self._closed = threading.RLock(), False
        self._id = 0
        self._looked = time.monotonic()

    def start(self, stop: Callable[[], bool] = lambda: False) -> Wanted:
        """Begin the task and wait until the model is built; what it takes.

        Raises
        ------
        WorkbenchError
            With the recipe's own error, or why no task can be begun.
        """
        assert self.job.recipe is not None
        sweep(self._settings, self._provider)
        self._folder.mkdir(parents=True)
        self.job.recipe.write(self._folder / "recipe", self._settings.recipe_files)
        needed = check.fetch_packages(self.job.recipe, self._settings, stop)
        pins = {name: vars(pin) for name, pin in self.job.datasets.items()}
        task = {"epochs": self.job.epochs, "packages": needed, "datasets": pins}
        (self._folder / "task.json").write_text(json.dumps(task))
        (self._folder / "lease").touch()
        self._provider.launch_task(self._name, self._folder, TASK, default_limits(Layout()))
        found = self._wait(lambda: self._read("ready.json", _Ready), START_S, stop)
        if found.input is None:
            raise WorkbenchError(f"job {self.job.id}'s model could not be built: {found.error}")
        return Wanted(found.input.kind, found.input.shape, found.preprocessing, found.labels)

    def keep(self) -> bool:
        """Tell the task that somebody looks, and give it the newest checkpoint; whether that is another one.

        Raises
        ------
        Unavailable
            The task has ended.
        """
        with self._lock:
            if self._closed:
                return False
            if (now := time.monotonic()) - self._looked > LOOK_S:
                self._looked = now
                self._check_alive()
            self._write("lease", b"")
            return self._bring_newest()

    def ask(self, pixels: bytes) -> PreviewAnswer:
        """What the model says of a picture, uint8 in its shape; there must be a checkpoint.

        Raises
        ------
        Unavailable
            The task has ended, or does not answer.
        """
        with self._lock:
            self._id += 1
            asked = {"id": self._id, "x": base64.b64encode(pixels).decode()}
            self._write("request.json", json.dumps(asked).encode())

            def answered() -> _Answer | None:
                said = self._read("answer.json", _Answer)
                return said if said and said.id == self._id else None

            said = self._wait(answered, ANSWER_S)
        return PreviewAnswer(said.step, said.probabilities)

    def close(self) -> None:
        """End the task; twice is fine."""
        with self._lock:
            if not self._closed:
                self._closed = True
                self._provider.terminate(self._name)
                untrusted_changes.remove(self._settings.home / "jobs", self._name)

    def _bring_newest(self) -> bool:
        try:
            home, id = self._settings.home, str(self.job.id)
            with untrusted_folders.opened(home, "jobs", id, "checkpoints", "last") as last:
                state = untrusted_folders.read(last, "checkpoint", MAX_JSON).decode(errors="replace")
                found = re.search(r'^model_checkpoint_path: "(ckpt-([0-9]+))"', state, re.MULTILINE)
                if found is None or (self.checkpoint and self.checkpoint.step == int(found[2])):
                    return False
                name, step = found[1], int(found[2])
                written = os.stat(f"{name}.index", dir_fd=last, follow_symlinks=False).st_mtime
                for part in untrusted_folders.list_names(last):
                    if not part.startswith(f"{name}."):
                        continue
                    self._write(part, untrusted_folders.read(last, part, MAX_CHECKPOINT))
        except OSError:
            return False  # there is none yet, or it was replaced meanwhile: the next look finds the newer one
        self._write("newest.json", json.dumps({"name": name}).encode())
        self.checkpoint = Checkpoint(step, written)
        return True

    def _wait(
        self,
        look: Callable[[], T | None],
        timeout_s: float,
        stop: Callable[[], bool] = lambda: False,
    ) -> T:
        late = f"the preview of job {self.job.id} did not answer within {timeout_s:.0f} s; start it again"
        looked = time.monotonic()

        def answered() -> T | None:
            nonlocal looked
            if (found := look()) is None:
                if stop() or self._closed:
                    raise Unavailable(late)
                if time.monotonic() - looked > 1:
                    looked = time.monotonic()
                    self._check_alive()
            return found

        found = wait_until(answered, timeout_s, POLL_S, late)
        assert found is not None
        return found

    def _check_alive(self) -> None:
        if not any(machine.state == "running" for machine in self._provider.machines(self._name)):
            raise Unavailable(f"the preview of job {self.job.id} has ended; start it again")

    def _read(self, name: str, kind: type[T]) -> T | None:
        try:
            with untrusted_folders.opened(self._settings.home, "jobs", self._name) as folder:
                return wire.unpack(kind, json.loads(untrusted_folders.read(folder, name, MAX_JSON)))
        except (OSError, ValueError):
            return None

    def _write(self, name: str, content: bytes) -> None:
        """Replace a file of the task's folder, whatever its code has put there."""
        with untrusted_folders.opened(self._settings.home, "jobs", self._name) as folder:
            untrusted_changes.write(folder, name, content)


def sweep(settings: Settings, provider: LocalProvider) -> None:
    """Clear away previews whose page went without closing them: their tasks have ended by themselves."""
    for machine in provider.machines():
        if machine.cluster.startswith(NAME) and machine.state != "running":
            provider.terminate(machine.cluster)
            untrusted_changes.remove(settings.home / "jobs", machine.cluster)
