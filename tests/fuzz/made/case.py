"""A case and its generator, and how finds are kept."""

import hashlib
import json
import random
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from tests.fuzz.feeding import PATIENCE_S, Fed, hurry

FINDS = Path(__file__).parent.parent / "finds"


@dataclass(frozen=True)
class Case:
    """An input, how it was made, and what must be found in it (as JSON)."""

    data: bytes
    how: str
    told: Mapping[str, object]


@dataclass(frozen=True)
class Generator:
    """Makes cases of one kind; ``check`` raises ``AssertionError``, or whatever the reader does, where one is not understood."""

    name: str
    make: Callable[[random.Random], Case]
    check: Callable[[Case], None]


@dataclass
class Found(Fed):
    """Like what a target did not stand, with the cases."""

    cases: list[Case] = field(default_factory=list)


def try_many(generator: Generator, inputs: int, seed: int) -> Found:
    """Make and check as many; the first case of each kind of failure is told."""
    found, seen, began = Found(generator.name, inputs), set(), time.monotonic()
    for number in range(inputs):
        case = generator.make(random.Random(f"{seed} {generator.name} {number}"))
        try:
            with hurry(PATIENCE_S):
                generator.check(case)
        except Exception as error:
            said = f"{type(error).__name__}: {error}"[:300]
            kind = f"{type(error).__name__} {case.how.split()[0]} {said[:60]}"
            if kind not in seen:
                seen.add(kind)
                found.cases.append(case)
                found.crashes[case.data] = f"{said} ({case.how})"
    found.seconds = time.monotonic() - began
    return found


def keep(found: Found, folder: Path = FINDS) -> list[Path]:
    """Write each case that was not understood into a file of its own, with what must be found in it beside."""
    kept = []
    for case in found.cases:
        path = folder / found.target.replace(" ", "-") / hashlib.sha256(case.data).hexdigest()[:12]
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(case.data)
        path.with_suffix(".json").write_text(
            json.dumps({"how": case.how, "told": dict(case.told)}, indent=1) + "\n"
        )
        kept.append(path)
    return kept


def kept(generator: Generator, folder: Path = FINDS) -> list[Case]:
    """The cases of this generator that were once not understood."""
    cases = []
    for told in sorted((folder / generator.name.replace(" ", "-")).glob("*.json")):
        said = json.loads(told.read_text())
        cases.append(Case(told.with_suffix("").read_bytes(), said["how"], said["told"]))
    return cases
