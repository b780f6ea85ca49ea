"""Compute a model version's answers in this process: ONNX Runtime, imported here and nowhere else.

An engine has a ``name`` and answers ``predict``; the other kind is :class:`backend.untrusted.model_servers.Remote`.
"""

import os
import time
from collections.abc import Callable
from functools import cache
from pathlib import Path
from threading import Lock
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from backend.deployments import probes
from backend.deployments.limits import DeafRuns, RunWatch, allowed_s
from workbench.errors import ModelRefused, NeedsTensorFlow, Unavailable
from workbench.manifest import Manifest

MODEL = "model.onnx"
EXAMPLES = "examples.npz"
TOLERANCE = 1e-3
"""Largest difference to the answers that the version gave when it was published, of 1 or the largest of them."""
DTYPES: dict[str, type[np.generic]] = {
    "tensor(float)": np.float32,
    "tensor(double)": np.float64,
    "tensor(float16)": np.float16,
    "tensor(bool)": np.bool_,
    **{
        f"tensor({name})": np.dtype(name).type
        for name in ("int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64")
    },
}
"""What a model may take, as ONNX Runtime calls it."""
WORKING_BYTES = 1024**3
"""Memory that models compute in, all of a process together, without their weights; at most half of the machine's."""
OFTEN, PAUSE_S = 3, 10.0
"""A model that so often in a row took too long is not asked again for so long."""


_first = Lock()


class Unanswered(Unavailable):
    """A model takes more time or memory than an answer may; it is the model's fault, and costs this request alone."""


class Engine(Protocol):
    """An answerer for one model; ``predict`` may be called from many threads at once."""

    @property
    def name(self) -> str:
        """The kind it is of."""

    def predict(self, x: NDArray[Any]) -> NDArray[Any]:
        """Answers ``(n, …)`` for inputs ``(n, …)``, as the manifest describes them."""


def _limit_memory() -> None:
    """Have all models of this process compute in one arena that does not grow beyond ``WORKING_BYTES``."""
    with _first:  # the runtime refuses a second arena, and two threads may load their first models at once
        _make_arena()


@cache
def _make_arena() -> None:
    import onnxruntime

    whole = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    place = onnxruntime.OrtMemoryInfo(
        "Cpu", onnxruntime.OrtAllocatorType.ORT_ARENA_ALLOCATOR, 0, onnxruntime.OrtMemType.DEFAULT
    )
    most = min(WORKING_BYTES, whole // 2)
    onnxruntime.create_and_register_allocator(place, onnxruntime.OrtArenaCfg(most, -1, -1, -1))


def open_session(model: Path | bytes) -> Any:
    """An ``onnxruntime.InferenceSession`` on one thread, within the memory that models may compute in."""
    # At the first model and not at import: the runtime starts a thread, which would not survive the fork
    # from gunicorn's master to its workers.
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1  # requests are what runs in parallel
    options.inter_op_num_threads = 1
    options.log_severity_level = 3
    _limit_memory()
    options.add_session_config_entry("session.use_env_allocators", "1")
    options.add_session_config_entry("session.use_device_allocator_for_initializers", "1")
    return onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])


def run_options() -> Any:
    """New ``onnxruntime.RunOptions``, by which a run can be ended."""
    import onnxruntime

    return onnxruntime.RunOptions()


class InProcess:
    """One of our own versions in memory; no answer takes more time or memory than it may."""

    name = "onnxruntime"
    _watch = RunWatch()

    def __init__(self, model: Path, deaf: DeafRuns | None = None) -> None:
        session = open_session(model)
        inputs, outputs = session.get_inputs(), session.get_outputs()
        dtype = DTYPES.get(inputs[0].type) if len(inputs) == 1 else None
        if dtype is None or len(outputs) != 1:
            got = ", ".join(f"{i.name}: {i.type}" for i in inputs)
            raise ModelRefused(
                f"{MODEL} must have one input of numbers and one output. Received: {got}; {len(outputs)} out"
            )
        import onnxruntime

        self._dtype = dtype
        self._run, self._input, self._outputs = session.run, inputs[0].name, [outputs[0].name]
        self._options = onnxruntime.RunOptions
        self._deaf = deaf or DeafRuns(None)
        pause_s = self._deaf.pause_s()
        self._late = OFTEN if pause_s else 0
        self._again_at = time.monotonic() + pause_s

    def predict(self, x: NDArray[Any]) -> NDArray[np.float32]:
        """Answers ``(n, …)`` for inputs ``(n, …)``, brought to the dtype that the model takes.

        Raises
        ------
        Unanswered
            It took too long or too much memory.
        """
        if self._late >= OFTEN and time.monotonic() < self._again_at:
            raise Unanswered("the model took too long again and again; deploy another version or roll back")
        if x.dtype != self._dtype:
            x = x.astype(self._dtype)
        options, limit_s = self._options(), allowed_s(len(x))
        self._watch.begin(options, limit_s, self._deaf)
        try:
            answers: NDArray[Any] = self._run(self._outputs, {self._input: x}, options)[0]
        except Exception as error:  # the runtime's own tree
            if options.terminate:
                self._late += 1
                self._again_at = time.monotonic() + PAUSE_S
                raise Unanswered(f"the model did not answer within {limit_s:g} s; it was stopped") from error
            if "memory" in str(error) or "alloc" in str(error):
                raise Unanswered("the model needs more memory for an answer than it may have") from error
            raise
        finally:
            self._watch.end(options)
        self._late = 0
        return answers if answers.dtype == np.float32 else answers.astype(np.float32)


Other = Callable[[Path, Manifest], Engine]
"""Makes an engine of a version that ONNX Runtime cannot run."""


def has_own_form(folder: Path) -> bool:
    """Tell whether a version has the form that is computed in this process."""
    return (folder / MODEL).is_file()


def load(
    folder: Path,
    manifest: Manifest,
    other: Other | None = None,
    *,
    deaf: DeafRuns | None = None,
    thorough: bool = False,
) -> Engine:
    """Load a version and let it answer its own examples; by ``other`` where it has no ONNX form.

    Parameters
    ----------
    deaf
        The times at which it did not end.
    thorough
        Ask it other inputs as well: in a trial, since the serving process only loads what was tried.

    Raises
    ------
    NeedsTensorFlow
        It has no ONNX form.
    ModelRefused
        It cannot be loaded, or its answers are not those that it gave when it was published.
    """
    own = has_own_form(folder)
    if not own and (other is None or not (folder / "saved_model").is_dir()):
        reason = manifest.missing.get(MODEL, "none was exported")
        raise NeedsTensorFlow(
            f"{manifest} has no {MODEL} ({reason}), and without it a model needs TensorFlow: "
            "install the extra 'serving'"
        )
    try:
        engine = InProcess(folder / MODEL, deaf) if own or other is None else other(folder, manifest)
        _check(engine, folder / EXAMPLES, manifest, thorough=thorough)
    except Unanswered as error:
        raise ModelRefused(f"{manifest} cannot be deployed: {error}") from error
    except (ModelRefused, NeedsTensorFlow, Unavailable):
        raise
    except Exception as error:  # the runtime raises its own tree, which is not ours to list
        raise ModelRefused(f"{manifest} cannot be loaded: {error}") from error
    return engine


def _check(engine: Engine, examples: Path, manifest: Manifest, *, thorough: bool) -> None:
    if not examples.is_file():
        raise ModelRefused(f"{manifest} has no {EXAMPLES} to check its answers on; publish it again")
    with np.load(examples, allow_pickle=False) as archive:
        x, expected = archive["x"], archive["y"].astype(np.float32)
    if len(x) == 0 or not manifest.takes.fits(x.shape[1:]):
        raise ModelRefused(
            f"{EXAMPLES} must hold inputs of {manifest.takes.show_shape()}. Received: {x.shape}"
        )
    answers = engine.predict(x)
    if answers.shape != expected.shape:
        raise ModelRefused(f"{manifest} answers {answers.shape} to its own examples, not {expected.shape}")
    largest = max(1.0, float(np.abs(expected).max(initial=0)))
    difference = float(np.abs(answers - expected).max(initial=0)) / largest
    if not difference <= TOLERANCE:  # also where it is not a number
        raise ModelRefused(
            f"{manifest} does not give the answers that it gave when it was published: "
            f"they differ by {difference:.3g}, more than {TOLERANCE}"
        )
    if thorough:
        for probe in probes.like(x, manifest):
            if engine.predict(probe).shape != (len(probe), *expected.shape[1:]):
                raise ModelRefused(f"{manifest} answers some inputs in another shape than its own examples")
