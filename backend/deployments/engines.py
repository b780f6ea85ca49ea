"""Compute a model version's answers in this process: ONNX Runtime, imported here and nowhere else.

An engine has a ``name`` and answers ``predict``; the other kind is :class:`backend.untrusted.model_servers.Remote`.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

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


class Engine(Protocol):
    """An answerer for one model; ``predict`` may be called from many threads at once."""

    @property
    def name(self) -> str:
        """The kind it is of."""

    def predict(self, x: NDArray[Any]) -> NDArray[Any]:
        """Answers ``(n, …)`` for inputs ``(n, …)``, as the manifest describes them."""


def open_session(model: Path) -> Any:
    """An ``onnxruntime.InferenceSession`` on one thread."""
    # At the first model and not at import: the runtime starts a thread, which would not survive the fork
    # from gunicorn's master to its workers.
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1  # requests are what runs in parallel
    options.inter_op_num_threads = 1
    options.log_severity_level = 3
    return onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])


class InProcess:
    """One of our own versions in memory."""

    name = "onnxruntime"

    def __init__(self, model: Path) -> None:
        session = open_session(model)
        inputs, outputs = session.get_inputs(), session.get_outputs()
        dtype = DTYPES.get(inputs[0].type) if len(inputs) == 1 else None
        if dtype is None or len(outputs) != 1:
            got = ", ".join(f"{i.name}: {i.type}" for i in inputs)
            raise ModelRefused(
                f"{MODEL} must have one input of numbers and one output. Received: {got}; {len(outputs)} out"
            )
        self._dtype = dtype
        self._run, self._input, self._outputs = session.run, inputs[0].name, [outputs[0].name]

    def predict(self, x: NDArray[Any]) -> NDArray[np.float32]:
        """Answers ``(n, …)`` for inputs ``(n, …)``, brought to the dtype that the model takes."""
        if x.dtype != self._dtype:
            x = x.astype(self._dtype)
        answers: NDArray[Any] = self._run(self._outputs, {self._input: x})[0]
        return answers if answers.dtype == np.float32 else answers.astype(np.float32)


Other = Callable[[Path, Manifest], Engine]
"""Makes an engine of a version that ONNX Runtime cannot run."""


def load(folder: Path, manifest: Manifest, other: Other | None = None) -> Engine:
    """Load a version and let it answer its own examples; by ``other`` where it has no ONNX form.

    Raises
    ------
    NeedsTensorFlow
        It has no ONNX form.
    ModelRefused
        It cannot be loaded, or its answers are not those that it gave when it was published.
    """
    own = (folder / MODEL).is_file()
    if not own and (other is None or not (folder / "saved_model").is_dir()):
        reason = manifest.missing.get(MODEL, "none was exported")
        raise NeedsTensorFlow(
            f"{manifest} has no {MODEL} ({reason}), and without it a model needs TensorFlow: "
            "install the extra 'serving'"
        )
    try:
        engine = InProcess(folder / MODEL) if own or other is None else other(folder, manifest)
        _check(engine, folder / EXAMPLES, manifest)
    except (ModelRefused, NeedsTensorFlow, Unavailable):
        raise
    except Exception as error:  # the runtime raises its own tree, which is not ours to list
        raise ModelRefused(f"{manifest} cannot be loaded: {error}") from error
    return engine


def _check(engine: Engine, examples: Path, manifest: Manifest) -> None:
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
