"""Compute a model version's answers in this process: ONNX Runtime, imported here and nowhere else.

An engine has a ``name`` and answers ``predict``; the other kind is :class:`backend.untrusted.model_servers.Remote`.
"""

import os
import time
from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path
from threading import Lock
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from backend.deployments import probes
from backend.deployments.limits import DeafRuns, RunWatch, allowed_s
from workbench import arrays
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
        """Answers ``(n, …)`` for inputs ``(n, …)``, as the manifest describes them: of a model with one input; of several
        outputs those of the one that it is judged by."""

    def answer(self, inputs: Mapping[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
        """Every output by name, for every input by name, as the manifest calls them."""


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

    def __init__(self, model: Path, deaf: DeafRuns | None = None, manifest: Manifest | None = None) -> None:
        session = open_session(model)
        inputs, outputs = session.get_inputs(), session.get_outputs()
        feeds, fetches = _names(manifest)
        dtypes = {node.name: DTYPES.get(node.type) for node in inputs}
        names = {node.name for node in outputs}
        if (
            None in dtypes.values()
            or (set(dtypes) != set(feeds) if len(feeds) > 1 else len(inputs) != 1)
            or (names != set(fetches) if len(fetches) > 1 else len(outputs) != 1)
        ):
            got = ", ".join(f"{i.name}: {i.type}" for i in inputs)
            wanted = "one input of numbers and one output"
            if len(feeds) > 1 or len(fetches) > 1:
                wanted = f"the inputs {', '.join(feeds)} of numbers and the outputs {', '.join(fetches)}"
            raise ModelRefused(
                f"{MODEL} must have {wanted}. Received: {got}; out: {', '.join(sorted(names))}"
            )
        import onnxruntime

        self._dtypes = dtypes
        self._own = (
            dict(zip(feeds, dtypes, strict=True)) if len(feeds) == 1 else {name: name for name in feeds}
        )
        self._fetches = fetches if len(fetches) > 1 else [outputs[0].name]
        self._called = fetches
        main = manifest.output.name if manifest and manifest.output and len(fetches) > 1 else ""
        self._run, self._main = session.run, [main or self._fetches[0]]
        self._input, self._dtype = next(iter(dtypes.items()))
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
        if x.dtype != self._dtype:
            x = x.astype(self._dtype)
        return self._ask(self._main, {self._input: x}, len(x))[0]

    def answer(self, inputs: Mapping[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
        """Every output by name, for every input by name; raises as :meth:`predict`."""
        given = {self._own[name]: one.astype(self._dtypes[self._own[name]]) for name, one in inputs.items()}
        answers = self._ask(self._fetches, given, len(next(iter(inputs.values()))))
        return dict(zip(self._called, answers, strict=True))

    def _ask(
        self, names: list[str], given: Mapping[str, NDArray[Any]], count: int
    ) -> list[NDArray[np.float32]]:
        if self._late >= OFTEN and time.monotonic() < self._again_at:
            raise Unanswered("the model took too long again and again; deploy another version or roll back")
        options, limit_s = self._options(), allowed_s(count)
        self._watch.begin(options, limit_s, self._deaf)
        try:
            answers: list[NDArray[Any]] = self._run(names, given, options)
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
        return [one if one.dtype == np.float32 else one.astype(np.float32) for one in answers]


def _names(manifest: Manifest | None) -> tuple[list[str], list[str]]:
    """What the manifest calls the inputs and outputs; an only one is whatever the model calls it."""
    feeds = [one.name for one in manifest.inputs] if manifest else []
    fetches = [one.name for one in manifest.outputs] if manifest else []
    return feeds or ["input"], fetches or ["output"]


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
        engine = (
            InProcess(folder / MODEL, deaf, manifest) if own or other is None else other(folder, manifest)
        )
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
        told = (arrays.unpack(archive.files, archive.__getitem__, what) for what in ("x", "y"))
        x, expected = (_named(given, names) for given, names in zip(told, _names(manifest), strict=True))
    count = {len(one) for one in x.values()}
    if count in ({0}, set()) or len(count) > 1 or not _fit(x, manifest):
        wanted = ", ".join(one.show_shape() for one in manifest.feeds.values())
        raise ModelRefused(
            f"{EXAMPLES} must hold inputs of {wanted}. Received: {', '.join(str(one.shape) for one in x.values())}"
        )
    answers = engine.answer(x)
    for name, truth in expected.items():
        _compare(answers[name], truth.astype(np.float32), manifest)
    if thorough:
        shapes = {name: one.shape[1:] for name, one in expected.items()}
        for probe in probes.like(x, manifest):
            count = {len(one) for one in probe.values()}
            if {name: one.shape for name, one in engine.answer(probe).items()} != {
                name: (*count, *shape) for name, shape in shapes.items()
            }:
                raise ModelRefused(f"{manifest} answers some inputs in another shape than its own examples")


def _named(given: Any, names: list[str]) -> dict[str, NDArray[Any]]:
    found = dict(given) if isinstance(given, Mapping) else {names[0]: given}
    if set(found) != set(names):
        raise ModelRefused(f"{EXAMPLES} must hold {', '.join(names)}. Received: {', '.join(found)}")
    return {name: found[name] for name in names}


def _fit(x: Mapping[str, NDArray[Any]], manifest: Manifest) -> bool:
    feeds = manifest.feeds
    return all(feeds[name].fits(one.shape[1:]) for name, one in x.items())


def _compare(answers: NDArray[Any], expected: NDArray[np.float32], manifest: Manifest) -> None:
    if answers.shape != expected.shape:
        raise ModelRefused(f"{manifest} answers {answers.shape} to its own examples, not {expected.shape}")
    largest = max(1.0, float(np.abs(expected).max(initial=0)))
    difference = float(np.abs(answers - expected).max(initial=0)) / largest
    if not difference <= TOLERANCE:  # also where it is not a number
        raise ModelRefused(
            f"{manifest} does not give the answers that it gave when it was published: "
            f"they differ by {difference:.3g}, more than {TOLERANCE}"
        )
