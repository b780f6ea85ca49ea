"""A version made ready to be looked into, and one look: its layers' maps, what spoke for and against, what is alike."""

import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from backend.deployments.engines import MODEL, InProcess, Unanswered, open_session, run_options
from backend.deployments.limits import RunWatch, allowed_s
from backend.deployments.values import Deployment
from backend.inside import alike, keras_names, layers, occlusion, onnx_graph, shown
from backend.inside.layers import Layer
from workbench.errors import ModelRefused
from workbench.pictures import ink
from workbench.pictures.inputs import prepare

MOST_BYTES = 64 * 1024 * 1024
"""Of ``model.onnx``: a second one is in memory while somebody looks inside."""
MOST_NUMBERS = 1_000_000
"""Of one tensor; larger ones are told and not shown."""
KERNELS = 2
"""Convolutions whose numbers are told."""
TRIALS = 3
CHUNK = 50


class NotSeenInside(ModelRefused):
    """Nothing can be seen inside of a version; the message says why."""


@dataclass(frozen=True)
class _Sized:
    layer: Layer
    shape: tuple[int, ...]
    is_small: bool


class Inside:
    """One version: a session whose tensors are outputs, and what is the same for every drawing.

    Raises
    ------
    NotSeenInside
        It has no ONNX form, or one that cannot be taken apart.
    """

    _watch = RunWatch()

    def __init__(self, deployment: Deployment, folder: Path) -> None:
        self._deployment = deployment
        manifest = deployment.manifest
        path = folder / MODEL
        if deployment.engine.name != InProcess.name or not path.is_file():
            reason = manifest.missing.get(MODEL, "none was exported")
            raise NotSeenInside(
                f"{manifest} has no {MODEL} ({reason}), and nothing else of it can be seen into"
            )
        if path.stat().st_size > MOST_BYTES:
            size = path.stat().st_size / 1e6
            raise NotSeenInside(
                f"{manifest} is too large to be looked into: {size:.0f} MB, at most {MOST_BYTES / 1e6:.0f}"
            )
        model = path.read_bytes()
        graph = onnx_graph.read(model)
        found = layers.rename(layers.find(graph), keras_names.read(folder / "model.keras"))
        kernels = [layer for layer in found if layer.kernel][:KERNELS]
        wanted = [layer.tensor for layer in found]
        wanted += [layer.kernel.takes for layer in kernels if layer.kernel]
        wanted += [layer.source for layer in found[-1:] if layer.source]
        extra = [name for name in dict.fromkeys(wanted) if name not in (*graph.outputs, *graph.inputs)]
        try:
            session = open_session(onnx_graph.with_outputs(model, extra))
        except Exception as error:  # the runtime's own tree
            raise NotSeenInside(f"{manifest} cannot be taken apart: {str(error)[:200]}") from error
        self._run, self._input = session.run, session.get_inputs()[0].name
        self._answer = session.get_outputs()[0].name
        height, width, channels = manifest.takes.sizes
        self._low, self._high = manifest.takes.range
        blank = np.full((1, height, width, channels), self._low, np.float32)
        names = [self._answer, *extra]
        tried = dict(zip(names, self._ask(blank, names), strict=True))
        self._layers = [
            _Sized(
                layer, shown.shape_of(layer, tried[layer.tensor]), tried[layer.tensor].size <= MOST_NUMBERS
            )
            for layer in found
            if layer.tensor in tried
        ]
        self._kernels = self._bounded([layer for layer in kernels if layer.tensor in tried])
        self.missing: dict[str, str] = {}
        self._grid = self._choose_grid(blank)
        last = found[-1].source if found else None
        self._features = last if last in tried and tried[last].size <= MOST_NUMBERS else None
        self._rows = len(tried[self._features]) if self._features and tried[self._features].ndim else 0
        self._alike = self._learn(folder)

    def describe(self) -> dict[str, object]:
        """Name the layers, and give the numbers of the first convolutions."""
        told: list[dict[str, object]] = []
        for sized in self._layers:
            one = shown.describe(sized.layer, sized.shape)
            if sized.layer in self._kernels and sized.layer.kernel:
                one["kernel"] = shown.show_kernel(sized.layer.kernel)
            if not sized.is_small:
                one["missing"] = "it has too many numbers to be shown"
            told.append(one)
        return {**self._whose(), "layers": told, "missing": dict(self.missing)}

    def look(self, picture: bytes) -> dict[str, object]:
        """What the layers make of a drawing.

        Raises
        ------
        PictureError
            It cannot be read.
        Unanswered
            The model took too long.
        """
        begun = time.perf_counter()
        x, seen = prepare(picture, self._deployment.manifest)
        if x is None or seen is None:
            nothing: dict[str, object] = {
                "digit": None,
                "reason": "nothing drawn",
                "layers": [],
                "missing": dict(self.missing),
            }
            return {**self._whose(), **nothing}
        tensors = [self._answer, *(sized.layer.tensor for sized in self._layers if sized.is_small)]
        takes = [layer.kernel.takes for layer in self._kernels if layer.kernel]
        more = [*takes, *filter(None, [self._features])]
        names = [name for name in dict.fromkeys([*tensors, *more]) if name != self._input]
        values: Mapping[str, NDArray[Any]] = {
            self._input: x,
            **dict(zip(names, self._ask(x, names), strict=True)),
        }
        scores = values[self._answer][0].astype(np.float32)
        digit = int(scores.argmax())
        labels = self._deployment.manifest.labels
        missing = dict(self.missing)
        told: dict[str, object] = {
            **self._whose(),
            "digit": digit,
            "label": labels[digit] if digit < len(labels) else str(digit),
            "probabilities": [round(p, 6) for p in scores.tolist()],
            "seen": ink.to_data_url(seen),
            "layers": [self._show(sized, values) for sized in self._layers],
        }
        if self._grid is not None and scores.ndim == 1:
            explained = occlusion.explain(self._predict, x, seen, scores, self._grid, self._paper(x))
            told["for_and_against"] = explained
        if self._alike is not None and self._features is not None:
            told["alike"] = self._alike.nearest(values[self._features].reshape(-1).astype(np.float32), labels)
        told["missing"] = missing
        told["latency_ms"] = round((time.perf_counter() - begun) * 1e3, 2)
        return told

    def _show(self, sized: _Sized, values: Mapping[str, NDArray[Any]]) -> dict[str, object]:
        layer = sized.layer
        if not sized.is_small:
            return {
                **shown.describe(layer, sized.shape),
                "maps": [],
                "missing": "it has too many numbers to be shown",
            }
        told = shown.show(layer, values[layer.tensor])
        if layer in self._kernels[:1] and layer.kernel:
            given = values[layer.kernel.takes]
            if given.ndim == 4:
                looked_at = shown.pictures(given[0, : shown.MOST_MAPS])
                told["takes"] = {"maps": list(looked_at.pictures), "range": list(looked_at.range)}
        return told

    def _whose(self) -> dict[str, object]:
        return {"model": self._deployment.name, "version": self._deployment.version}

    def _paper(self, x: NDArray[np.float32]) -> float:
        """The input's value where nothing is drawn; of a photo its mean."""
        return self._low if self._deployment.manifest.preprocessing == "mnist" else float(x.mean())

    def _bounded(self, kernels: list[Layer]) -> list[Layer]:
        kept, numbers = [], 0
        for layer in kernels:
            numbers += layer.kernel.weights.size if layer.kernel else 0
            if numbers <= shown.MOST_WEIGHTS:
                kept.append(layer)
        return kept

    def _choose_grid(self, blank: NDArray[np.float32]) -> int | None:
        output = self._deployment.manifest.output
        if output is not None and output.kind != "probabilities":
            self.missing["for_and_against"] = "the model gives no probabilities"
            return None
        took = []
        for _ in range(TRIALS):
            begun = time.thread_time()
            self._predict(blank)
            took.append(time.thread_time() - begun)
        grid = occlusion.grid_for(min(took))
        if grid is None:
            self.missing["for_and_against"] = (
                f"an answer of this model takes {min(took) * 1e3:.1f} ms, too long to ask it about each part of a drawing"
            )
        return grid

    def _learn(self, folder: Path) -> alike.Alike | None:
        sample = alike.read_sample(folder, self._deployment.manifest)
        if sample is None:
            self.missing["alike"] = "no examples of its training travel with this version; publish it again"
            return None
        if self._features is None:
            self.missing["alike"] = "the model has no layer before its last one to compare drawings by"
            return None
        x, labels = sample
        features = []
        for i in range(0, len(x), CHUNK):
            some = x[i : i + CHUNK]
            (found,) = self._ask(alike.to_input(some, self._deployment.manifest), [self._features])
            if not self._rows or len(found) != self._rows * len(some):  # several rows: it looks several times
                self.missing["alike"] = "the model does not give the features of each example apart"
                return None
            features.append(found.reshape(len(some), -1).astype(np.float32))
        return alike.Alike(x, labels, np.concatenate(features))

    def _predict(self, x: NDArray[Any]) -> NDArray[np.float32]:
        return self._deployment.engine.predict(x).astype(np.float32)

    def _ask(self, x: NDArray[np.float32], names: list[str]) -> list[NDArray[Any]]:
        options, limit_s = run_options(), allowed_s(len(x))
        self._watch.begin(options, limit_s)
        try:
            found: list[NDArray[Any]] = self._run(names, {self._input: x}, options)
        except Exception as error:  # the runtime's own tree
            if options.terminate:
                raise Unanswered(f"the model did not answer within {limit_s:g} s; it was stopped") from error
            raise NotSeenInside(f"the model cannot be taken apart: {str(error)[:200]}") from error
        finally:
            self._watch.end(options)
        return found
