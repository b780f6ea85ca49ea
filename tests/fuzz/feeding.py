"""Feed a target many inputs and keep those that it does not stand."""

import hashlib
import random
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType

from tests.fuzz.damage import damage
from tests.fuzz.targets import Target

CRASHES = Path(__file__).parent / "crashes"
PATIENCE_S = 10
"""Whatever computes for longer hangs; other work on the computer takes nothing of it."""


class Hung(Exception):
    """An input kept its reader busy for too long."""


@dataclass
class Fed:
    """How a target stood it."""

    target: str
    inputs: int
    refused: int = 0
    seconds: float = 0.0
    crashes: dict[bytes, str] = field(default_factory=dict)
    """Input → what was raised; one for each kind of error and place."""


def feed(target: Target, inputs: int, seed: int) -> Fed:
    """Feed valid examples first, then damaged ones."""
    chance = random.Random(f"{seed} {target.name}")
    fed, seen, began = Fed(target.name, inputs), set(), time.monotonic()
    for number in range(inputs):
        data = target.examples[number] if number < len(target.examples) else damage(target.examples, chance)
        try:
            with hurry(PATIENCE_S):
                target.feed(data)
        except target.allowed:
            fed.refused += 1
        except Exception as error:
            where = _place(error)
            if where not in seen:
                seen.add(where)
                fed.crashes[data] = f"{type(error).__name__}: {error} ({where})"
    fed.seconds = time.monotonic() - began
    return fed


@contextmanager
def hurry(seconds: int) -> Iterator[None]:
    """Within it, what computes longer raises ``Hung``; in the main thread only."""

    def ring(number: int, frame: FrameType | None) -> None:
        raise Hung(f"not done after {seconds} s")

    before = signal.signal(signal.SIGPROF, ring)
    signal.setitimer(signal.ITIMER_PROF, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.signal(signal.SIGPROF, before)


def keep(fed: Fed, folder: Path = CRASHES) -> list[Path]:
    """Write each crash into a file of its own, under the target's name."""
    kept = []
    for data in fed.crashes:
        path = folder / fed.target.replace(" ", "-") / hashlib.sha256(data).hexdigest()[:12]
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
        kept.append(path)
    return kept


def kept(target: Target, folder: Path = CRASHES) -> list[Path]:
    """The inputs that this target once did not stand."""
    return sorted((folder / target.name.replace(" ", "-")).glob("*"))


def _place(error: BaseException) -> str:
    """The line of ours, or the last of all, in which it was raised."""
    trace, last = error.__traceback__, None
    while trace is not None:
        last, trace = trace, trace.tb_next
    assert last is not None
    return f"{Path(last.tb_frame.f_code.co_filename).name}:{last.tb_lineno} {type(error).__name__}"
