"""The child in which a recipe is tried, ended by others than its own code."""

import json
import signal
import subprocess
import time
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from workbench.errors import RecipeError
from workbench.lineage import BeforeAfter, CorrectedPart, Share, WritersPart
from workbench.machines import Exit, Machine
from workbench.manifest import ModelOutput
from workbench.system import wire
from workbench.tasks.child import LOOK_S, Task, run_child
from workbench.tasks.verification import Measured


@dataclass(frozen=True)
class Found:
    number: int


@dataclass
class Provider:
    """Each child ends at once: with these codes, one after the other; the last one that has 0 says what it found."""

    codes: list[int]
    reason: str = ""
    begun: list[str] = field(default_factory=list)

    def launch_task(self, name: str, folder: Path, module: str, limits: object) -> list[Machine]:
        self.begun.append(name)
        code = self.codes.pop(0)
        if code == 0:
            (folder / "result.json").write_text('{"found": {"number": 7}}')
        exit = Exit(code, self.reason)
        return [Machine(name, "task", 0, "stopped", "", exit=exit)]

    def terminate(self, name: str) -> None:
        pass


def run(folder: Path, provider: Provider) -> Found:
    return run_child(folder, Task("recipe"), Found, provider, 5.0, lambda: False)  # type: ignore[arg-type]


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGHUP])
def test_a_child_that_is_killed_is_begun_once_more(tmp_path: Path, number: int) -> None:
    provider = Provider([-number, 0])
    assert run(tmp_path, provider) == Found(7)
    assert len(provider.begun) == 2


def test_one_that_is_killed_again_is_not_called_the_recipes_end(tmp_path: Path) -> None:
    with pytest.raises(RecipeError, match="killed twice, by somebody or for want of memory: signal SIGKILL"):
        run(tmp_path, Provider([-9, -9]))


@pytest.mark.parametrize(("code", "said"), [(-signal.SIGSEGV, "signal SIGSEGV"), (5, "exit code 5")])
def test_what_its_code_does_is_its_code_s(tmp_path: Path, code: int, said: str) -> None:
    provider = Provider([code])
    with pytest.raises(RecipeError, match=f"the recipe's code ended the process it ran in: {said}"):
        run(tmp_path, provider)
    assert len(provider.begun) == 1


def test_a_limit_that_was_kept_is_not_tried_again(tmp_path: Path) -> None:
    with pytest.raises(RecipeError, match="used 9 GB"):
        run(tmp_path, Provider([-9], "used 9 GB of memory"))


@dataclass
class Looked:
    """A provider with a child of flesh and blood, which counts how often it is asked."""

    folder: Path
    process: subprocess.Popen[bytes]
    looks: int = 0

    def launch_task(self, name: str, folder: Path, module: str, limits: object) -> list[Machine]:
        (folder / "result.json").write_text('{"found": {"number": 7}}')
        return [Machine(name, "task", 0, "running", "", pid=self.process.pid)]

    def machines(self, name: str) -> list[Machine]:
        self.looks += 1
        code = self.process.poll()
        exit = None if code is None else Exit(code)
        return [Machine(name, "task", 0, "stopped" if exit else "running", "", self.process.pid, exit=exit)]

    def terminate(self, name: str) -> None:
        pass


def test_a_child_that_works_is_hardly_asked_about_and_one_that_ended_at_once(tmp_path: Path) -> None:
    """What a provider tells of one child it finds among all processes of the computer."""
    polls = 0

    def stop() -> bool:
        nonlocal polls
        if (polls := polls + 1) == 30:
            assert process.stdin
            process.stdin.close()  # its end
        return False

    with subprocess.Popen(["cat"], stdin=subprocess.PIPE) as process:
        provider, began = Looked(tmp_path, process), time.monotonic()
        found = run_child(tmp_path, Task("recipe"), Found, provider, 60.0, stop)  # type: ignore[arg-type]
        took_s = time.monotonic() - began
    assert found == Found(7)
    assert polls >= 30
    assert 1 <= provider.looks <= took_s / LOOK_S + 2


def test_what_was_measured_comes_back_from_the_child_as_it_was() -> None:
    aside = BeforeAfter(Share(1, 2), Share(2, 2))
    found = Measured(
        "digest",
        {"accuracy": 0.5},
        ModelOutput("logits", (4,)),
        CorrectedPart(1, ("a",), Share(1, 2), None, writers=WritersPart(1, 2, aside, None)),
    )
    assert wire.unpack(Measured, json.loads(json.dumps(wire.pack(found)))) == found
