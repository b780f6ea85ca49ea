"""Commands as a person types them: each a process with a time limit, ended with what it began when money or time is up."""

import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from workbench.settings import PROJECT

GRACE_S = 20.0


class Failed(Exception):
    """A step did not go as it should."""


@dataclass(frozen=True)
class Said:
    """How a command ended."""

    code: int
    out: str
    err: str

    def json(self) -> Any:
        """What it printed, which must be JSON."""
        try:
            return json.loads(self.out)
        except ValueError as error:
            raise Failed(f"it printed no JSON: {self.out[:200]!r}; {self.err[-500:]}") from error


class Hands(Protocol):
    """Types commands."""

    def types(self, *arguments: str, limit_s: float, **environ: str) -> Said:
        """Run ``workbench …`` to its end; raises ``Failed`` where it takes longer."""
        ...

    def begins(self, *arguments: str, **environ: str) -> "subprocess.Popen[bytes]":
        """Begin ``workbench …``, for somebody to kill."""
        ...


@dataclass
class Person:
    """Types into a shell with these variables.

    Attributes
    ----------
    over
        Set when no more may be done; what runs then is ended.
    """

    environ: Mapping[str, str]
    over: threading.Event = field(default_factory=threading.Event)

    def types(self, *arguments: str, limit_s: float, **environ: str) -> Said:
        process = self.begins(*arguments, **environ)
        told: list[bytes] = []
        reading = threading.Thread(target=lambda: told.extend(process.communicate()), daemon=True)
        reading.start()
        waited = 0.0
        while reading.is_alive() and waited < limit_s and not self.over.is_set():
            reading.join(0.2)
            waited += 0.2
        late = reading.is_alive()
        if late:
            end(process)
            reading.join(GRACE_S)
        out, err = (part.decode(errors="replace") for part in told) if told else ("", "")
        if late:
            why = "the money is used up" if self.over.is_set() else f"it took longer than {limit_s:.0f} s"
            raise Failed(f"workbench {' '.join(arguments)}: {why}; {err[-1000:]}")
        return Said(process.returncode, out, err)

    def begins(self, *arguments: str, **environ: str) -> "subprocess.Popen[bytes]":
        return subprocess.Popen(
            [sys.executable, "-m", "workbench.cli", *arguments],
            env={**os.environ, **self.environ, **environ},
            cwd=PROJECT,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=True,
        )


def end(process: "subprocess.Popen[bytes]") -> None:
    """End a command, first by the signal that it knows."""
    for number in (signal.SIGINT, signal.SIGKILL):
        if process.poll() is None:
            os.killpg(process.pid, number)
            try:
                process.wait(GRACE_S)
            except subprocess.TimeoutExpired:
                continue


def write_recipe(folder: Path) -> Path:
    """A recipe that trains for seconds on strokes that ship with the project: no download, and digits to draw at."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "preprocessing.py").write_text(
        "from workbench import datasets\n\n\n"
        "def load_data():\n"
        '    (x, y), _ = datasets.load("pen-strokes")\n'
        "    x = x[..., None]\n"
        "    return (x[:8000], y[:8000]), (x[8000:10000], y[8000:10000])\n"
    )
    (folder / "training.py").write_text(
        "import keras\n\nEPOCHS = 1\nBATCH_SIZE = 128\nLABELS = [str(digit) for digit in range(10)]\n\n\n"
        "def build_model():\n"
        "    model = keras.Sequential(\n"
        "        [\n"
        "            keras.Input((28, 28, 1)),\n"
        "            keras.layers.Rescaling(1 / 255),\n"
        "            keras.layers.Flatten(),\n"
        '            keras.layers.Dense(128, activation="relu"),\n'
        '            keras.layers.Dense(10, activation="softmax"),\n'
        "        ]\n"
        "    )\n"
        '    model.compile(optimizer="adam", loss="sparse_categorical_crossentropy", metrics=["accuracy"])\n'
        "    return model\n"
    )
    (folder / "helpers.py").write_text("")
    return folder
