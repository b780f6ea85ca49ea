"""Drawing at a model while it trains: begins the task that has a job's newest checkpoint, feeds it and asks it.

The task runs the user's code, so it is sandboxed (``node.preview``) and gets copies: of the recipe, and of each checkpoint
when it is new. Both folders belong to users that run untrusted code, while this process may write anywhere: no link
in either of them is followed.
"""

import base64
import contextlib
import json
import os
import re
import secrets
import shutil
import stat
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from workbench.errors import Unavailable, WorkbenchError
from workbench.jobs import Job
from workbench.machines import Layout
from workbench.machines.local.provider import LocalProvider, default_limits
from workbench.settings import Settings

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
class Said:
    """What the model said at a checkpoint."""

    step: int
    probabilities: tuple[float, ...]


@dataclass(frozen=True)
class Checkpoint:
    """The newest one that the task was given; ``t`` is when it was written, in seconds since 1970."""

    step: int
    t: float


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
        self.job.recipe.write(self._folder / "recipe")
        (self._folder / "task.json").write_text(json.dumps({"epochs": self.job.epochs}))
        (self._folder / "lease").touch()
        self._provider.launch_task(self._name, self._folder, TASK, default_limits(Layout()))
        found = self._wait(lambda: self._read("ready.json"), START_S, stop)
        if "error" in found:
            raise WorkbenchError(f"job {self.job.id}'s model could not be built: {found['error']}")
        given = found["input"]
        labels = tuple(str(label) for label in found["labels"])
        return Wanted(str(given["kind"]), tuple(given["shape"]), str(found["preprocessing"]), labels)

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

    def ask(self, pixels: bytes) -> Said:
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

            def answered() -> dict[str, Any] | None:
                said = self._read("answer.json")
                return said if said and said.get("id") == self._id else None

            said = self._wait(answered, ANSWER_S)
        return Said(int(said["step"]), tuple(float(p) for p in said["probabilities"]))

    def close(self) -> None:
        """End the task; twice is fine."""
        with self._lock:
            if not self._closed:
                self._closed = True
                self._provider.terminate(self._name)
                shutil.rmtree(self._folder, ignore_errors=True)

    def _bring_newest(self) -> bool:
        try:
            with _opened(self._settings.home, "jobs", str(self.job.id), "checkpoints", "last") as last:
                state = _read_regular(last, "checkpoint", MAX_JSON).decode(errors="replace")
                found = re.search(r'^model_checkpoint_path: "(ckpt-([0-9]+))"', state, re.MULTILINE)
                if found is None or (self.checkpoint and self.checkpoint.step == int(found[2])):
                    return False
                name, step = found[1], int(found[2])
                written = os.stat(f"{name}.index", dir_fd=last, follow_symlinks=False).st_mtime
                for part in sorted(n for n in os.listdir(last) if n.startswith(f"{name}.")):  # noqa: PTH208
                    self._write(part, _read_regular(last, part, MAX_CHECKPOINT))
        except OSError:
            return False  # there is none yet, or it was replaced meanwhile: the next look finds the newer one
        self._write("newest.json", json.dumps({"name": name}).encode())
        self.checkpoint = Checkpoint(step, written)
        return True

    def _wait(
        self,
        look: Callable[[], dict[str, Any] | None],
        timeout_s: float,
        stop: Callable[[], bool] = lambda: False,
    ) -> dict[str, Any]:
        began = looked = time.monotonic()
        while (found := look()) is None:
            now = time.monotonic()
            if now - began > timeout_s or stop() or self._closed:
                raise Unavailable(
                    f"the preview of job {self.job.id} did not answer within {timeout_s:.0f} s; start it again"
                )
            if now - looked > 1:
                looked = now
                self._check_alive()
            time.sleep(POLL_S)
        return found

    def _check_alive(self) -> None:
        if not any(machine.state == "running" for machine in self._provider.machines(self._name)):
            raise Unavailable(f"the preview of job {self.job.id} has ended; start it again")

    def _read(self, name: str) -> dict[str, Any] | None:
        try:
            with _opened(self._settings.home, "jobs", self._name) as folder:
                value = json.loads(_read_regular(folder, name, MAX_JSON))
        except (OSError, ValueError):
            return None
        return value if isinstance(value, dict) else None

    def _write(self, name: str, content: bytes) -> None:
        """Replace a file of the task's folder, whatever its code has put there."""
        with _opened(self._settings.home, "jobs", self._name) as folder:
            aside = f".{secrets.token_hex(8)}"
            flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW
            with open(os.open(aside, flags, 0o644, dir_fd=folder), "wb") as file:  # noqa: PTH123
                file.write(content)
            os.rename(aside, name, src_dir_fd=folder, dst_dir_fd=folder)


def sweep(settings: Settings, provider: LocalProvider) -> None:
    """Clear away previews whose page went without closing them: their tasks have ended by themselves."""
    for machine in provider.machines():
        if machine.cluster.startswith(NAME) and machine.state != "running":
            provider.terminate(machine.cluster)
            shutil.rmtree(settings.home / "jobs" / machine.cluster, ignore_errors=True)


@contextmanager
def _opened(home: Path, *parts: str) -> Iterator[int]:
    """A folder below the home, reached without following a link."""
    flags = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW
    with contextlib.ExitStack() as stack:
        folder = os.open(home, os.O_RDONLY | os.O_DIRECTORY)
        stack.callback(os.close, folder)
        for part in parts:
            folder = os.open(part, flags, dir_fd=folder)
            stack.callback(os.close, folder)
        yield folder


def _read_regular(folder: int, name: str, most: int) -> bytes:
    """The bytes of a file that is one: no link, no pipe, at most so long."""
    descriptor = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK, dir_fd=folder)
    with open(descriptor, "rb") as file:  # noqa: PTH123
        found = os.fstat(file.fileno())
        if not stat.S_ISREG(found.st_mode) or found.st_size > most:
            raise OSError(f"{name} is no file of at most {most:,} bytes")
        return file.read(most)
