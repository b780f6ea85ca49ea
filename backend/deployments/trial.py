"""A pushed version is tried in a process of its own, with limits, before any process that serves loads it.

``python -m backend.deployments.trial FOLDER`` loads the version's ONNX form and asks it its own examples and others.
Whatever the model does there (memory, an operator that computes for hours, a crash of the runtime) ends that process
alone, and becomes the reason why the push is refused.
"""

import json
import resource
import signal
import subprocess
import sys
import threading
from dataclasses import asdict, dataclass
from pathlib import Path

import backend
from backend.deployments import engines
from workbench import manifest as manifests
from workbench.errors import AllTaken, ModelRefused, WorkbenchError
from workbench.manifest import Manifest
from workbench.system.endings import describe_code
from workbench.system.sandbox import linux

WAITS_S = 300.0
MOST_SAID = 64 * 1024
_one = threading.Semaphore(1)


@dataclass(frozen=True)
class TrialLimits:
    """What a trial may take."""

    wall_s: float = 240.0
    """With what a busy machine lets it wait."""
    cpu_s: int = 40
    memory_bytes: int = engines.WORKING_BYTES + 1024**3
    """For the runtime, the model's weights and its answers."""


def try_version(folder: Path, manifest: Manifest, limits: TrialLimits | None = None) -> None:
    """Try the ONNX form of a version that nothing has loaded yet.

    Raises
    ------
    ModelRefused
        It cannot be loaded, does not give its own answers, or takes more time or memory than it may.
    AllTaken
        Others are being tried for too long.
    """
    limits = limits or TrialLimits()
    if not _one.acquire(timeout=WAITS_S):
        raise AllTaken("other versions are being tried just now; push this one again")
    try:
        code, said = _run(folder, limits)
    finally:
        _one.release()
    told = _read(said)
    if told is None:
        raise ModelRefused(f"{manifest} cannot be deployed: {_explain(code, limits)}")
    if told:
        raise ModelRefused(told)


def _run(folder: Path, limits: TrialLimits) -> tuple[int | None, bytes]:
    """The process' exit code, ``None`` where it took too long, and what it said."""
    child = subprocess.Popen(
        [sys.executable, "-m", __spec__.name, str(folder), json.dumps(asdict(limits))],
        cwd=Path(backend.__file__).parent.parent,
        env={"PATH": "/usr/bin:/bin", "PYTHONDONTWRITEBYTECODE": "1", "OPENBLAS_NUM_THREADS": "1"},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        said, _ = child.communicate(timeout=limits.wall_s)
    except subprocess.TimeoutExpired:
        child.kill()
        child.communicate()
        return None, b""
    return child.returncode, said[:MOST_SAID]


def _read(said: bytes) -> str | None:
    """Why it was refused, empty where it was not; ``None`` where the process did not come to its end."""
    try:
        told = json.loads(said)["refused"]
    except (ValueError, KeyError, TypeError):
        return None
    return told if isinstance(told, str) else None


def _explain(code: int | None, limits: TrialLimits) -> str:
    if code is None or -code in (signal.SIGXCPU, signal.SIGKILL):
        return f"it did not answer all that it was asked within {limits.cpu_s} s; it was stopped"
    if -code in (signal.SIGABRT, signal.SIGSEGV, signal.SIGBUS):
        most = f"{limits.memory_bytes / 2**30:.2g} GiB"
        return f"it needs more than {most} of memory, or breaks the runtime ({describe_code(code)})"
    return f"it breaks the runtime that computes it ({describe_code(code)})"


def main() -> int:
    linux.end_with_parent(signal.SIGKILL)
    limits = TrialLimits(**json.loads(sys.argv[2]))
    most = {
        resource.RLIMIT_AS: 4 * limits.memory_bytes,
        resource.RLIMIT_DATA: limits.memory_bytes,
        resource.RLIMIT_CPU: limits.cpu_s,
        resource.RLIMIT_FSIZE: 0,
    }
    linux.set_limits(most, first_to_end=900)
    folder = Path(sys.argv[1])
    try:
        engines.load(folder, manifests.read(folder), thorough=True)
        refused = ""
    except WorkbenchError as error:
        refused = str(error)[:2000]
    except MemoryError:
        refused = "the model needs more memory than it may have"
    print(json.dumps({"refused": refused}), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
