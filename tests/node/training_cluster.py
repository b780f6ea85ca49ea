"""Real machines of a job in real processes, each forked from one that has imported TensorFlow already."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil
import pytest

from workbench import events
from workbench.machines.local.provider import free_ports
from workbench.settings import PROJECT

LIMIT_S = 300.0
"""Seconds that anything may take: others use this computer too."""
FORKS = """
import json, os, sys, traceback
import workbench.node.role
from workbench.node.__main__ import main

def begin(own, arguments, before):
    pid = os.fork()
    if pid:
        return pid
    os.setsid()
    for number, name in enumerate(("/dev/null", own + "/stdout.log", own + "/stderr.log")):
        os.dup2(os.open(name, os.O_RDWR | os.O_CREAT | os.O_APPEND), number)
    exec(before, {})
    code = main(arguments)
    sys.stdout.flush()
    os._exit(code)

def look(pid):
    ended, status = os.waitpid(pid, os.WNOHANG)
    return os.waitstatus_to_exitcode(status) if ended else None

def answer(code):
    heard, says = os.pipe()
    pid = os.fork()
    if pid == 0:
        names = {}
        try:
            exec(code, names)
            said = names["answer"]
        except BaseException:
            said = {"failed": traceback.format_exc()}
        with open(says, "w") as file:
            json.dump(said, file)
        os._exit(0)
    os.close(says)
    with open(heard) as file:
        said = json.load(file)
    os.waitpid(pid, 0)  # until then it has its files open
    return said

for line in sys.stdin:
    order = json.loads(line)
    print(json.dumps(globals()[order.pop("do")](**order)), flush=True)
"""


class Forks:
    """The process that imported TensorFlow and is the parent of all machines."""

    def __init__(self, home: Path) -> None:
        kept = {name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ}
        self.process = subprocess.Popen(
            [sys.executable, "-c", FORKS],
            env={
                **kept,
                "PYTHONPATH": str(PROJECT),
                "WORKBENCH_HOME": str(home),
                "TF_CPP_MIN_LOG_LEVEL": "2",
            },
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )

    def ask(self, do: str, **order: Any) -> Any:
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(json.dumps({"do": do, **order}) + "\n")
        self.process.stdin.flush()
        said = json.loads(self.process.stdout.readline())
        if isinstance(said, dict):
            pytest.fail(said["failed"])
        return said

    def end(self) -> None:
        for pipe in (self.process.stdin, self.process.stdout):
            assert pipe is not None
            pipe.close()
        self.process.wait(60)


class Machine:
    """One role of a job, running or not."""

    def __init__(self, forks: Forks, folder: Path, role: str, index: int) -> None:
        self.forks, self.folder = forks, folder
        self.role, self.index = role, index
        self.own = folder / "machines" / f"{role}-{index}"
        self.own.mkdir(parents=True)
        self.pid = 0
        self.code: int | None = None

    def start(self, before: str = "") -> "Machine":
        """Begin the process; ``before`` is code that it runs first."""
        arguments = [str(self.folder), self.role, str(self.index)]
        self.code = None
        self.pid = self.forks.ask("begin", own=str(self.own), arguments=arguments, before=before)
        return self

    @property
    def ended(self) -> bool:
        if self.pid and self.code is None:
            self.code = self.forks.ask("look", pid=self.pid)
        return not self.pid or self.code is not None

    def works(self) -> None:
        """Return once it has computed for a while."""
        clock = psutil.Process(self.pid).cpu_times
        begun = clock().user
        until(lambda: clock().user > begun + 0.5, f"work of {self.role} {self.index}", LIMIT_S, self.words)

    def kill(self) -> None:
        """End it as a power cut would, and wait until it is gone."""
        if not self.ended:
            os.kill(self.pid, signal.SIGKILL)
            until(lambda: self.ended, f"the end of {self.role} {self.index}", LIMIT_S)

    def wait(self, timeout_s: float = LIMIT_S) -> int:
        """The exit code."""
        until(lambda: self.ended, f"the end of {self.role} {self.index}", timeout_s, self.words)
        assert self.code is not None
        return self.code

    def events(self, kind: str = "") -> list[Any]:
        found, _ = events.read(self.own / "events.jsonl")
        return [event for event in found if kind in ("", event.kind)]

    @property
    def phases(self) -> list[str]:
        return [event.phase for event in self.events("phase")]

    @property
    def lines(self) -> str:
        return "\n".join(event.line for event in self.events("log"))

    @property
    def step(self) -> int:
        return max((event.step for event in self.events("metric")), default=0)

    def words(self) -> str:
        """What it said, for the message of a failed test."""
        texts = [path.read_text(errors="replace")[-3000:] for path in sorted(self.own.glob("*.log"))]
        return "\n".join([f"--- {self.role} {self.index}", *texts, *map(str, self.events()[-5:])])


class Job:
    """A job's folder and its machines."""

    def __init__(self, forks: Forks, folder: Path, recipe: dict[str, str], ps: int, workers: int) -> None:
        self.folder = folder
        (folder / "recipe").mkdir(parents=True)
        for field, text in recipe.items():
            (folder / "recipe" / f"{field}.py").write_text(text)
        names = [("worker", i) for i in range(workers)] + [("ps", i) for i in range(ps)]
        names += [("chief", 0)] if ps else []
        self.machines = {name: Machine(forks, folder, *name) for name in names}
        self.leader = self.machines["chief" if ps else "worker", 0]
        self.addresses: dict[str, list[str]] = {}
        for (role, _), port in zip(names, free_ports(len(names)), strict=True):
            self.addresses.setdefault(role, []).append(f"127.0.0.1:{port}")
        self.set(
            job=1, name="t", epochs=None, seed=0, ps=ps, workers=workers, cluster=self.addresses, attempt=1
        )

    def set(self, **fields: Any) -> None:
        """Change what ``job.json`` says."""
        path = self.folder / "job.json"
        there = json.loads(path.read_text()) if path.exists() else {}
        path.write_text(json.dumps({**there, **fields}))

    def __getitem__(self, place: tuple[str, int]) -> Machine:
        return self.machines[place]

    def start(self) -> "Job":
        for machine in self.machines.values():
            if machine.ended:
                machine.start()
        return self

    def wait(self, timeout_s: float = LIMIT_S) -> dict[tuple[str, int], int]:
        """The exit codes of all."""
        return {place: machine.wait(timeout_s) for place, machine in self.machines.items()}

    def run(self) -> "Job":
        """Start all, wait for all, and be sure that all went well."""
        codes = self.start().wait()
        assert set(codes.values()) == {0}, self.words()
        return self

    def train(self) -> float:
        """Start all, wait until the training is done, end all; give the model's first weight, from the checkpoint.

        The export, which takes longer, is left to tests that are about it.
        """
        before = self.leader.phases.count("exporting")
        self.start()
        until(
            lambda: self.leader.phases.count("exporting") > before or self.leader.ended,
            "the end",
            LIMIT_S,
            self.words,
        )
        assert not self.leader.code, self.words()
        self.end()
        return self.checkpoint()[0]

    def checkpoint(self) -> tuple[float, int]:
        """The model's first weight and the optimizer's counter, as the last checkpoint has them."""
        folder = str(self.folder / "checkpoints" / "last")
        weight, counter = self.leader.forks.ask(
            "answer",
            code=f"""
import numpy as np, tensorflow as tf
reader = tf.train.load_checkpoint({folder!r})
values = [reader.get_tensor(n) for n in sorted(reader.get_variable_to_shape_map()) if n.startswith("variables/")]
(counter,) = [v for v in values if v.dtype == np.int64 and v.ndim == 0]
answer = [float(np.ravel(values[0])[0]), int(counter)]
""",
        )
        return weight, counter

    def until_step(self, step: int, timeout_s: float = LIMIT_S) -> None:
        until(lambda: self.leader.step >= step or self.leader.ended, f"step {step}", timeout_s, self.words)
        assert not self.leader.ended, self.words()

    def end(self) -> None:
        for machine in self.machines.values():
            machine.kill()

    def words(self) -> str:
        return "\n".join(machine.words() for machine in self.machines.values())


def until(condition: Callable[[], bool], what: str, timeout_s: float, words: Callable[[], str] = str) -> None:
    """Return once the condition holds."""
    give_up = time.monotonic() + timeout_s
    while not condition():
        if time.monotonic() > give_up:
            pytest.fail(f"{what}: not within {timeout_s:.0f} s\n{words()}")
        time.sleep(0.05)
