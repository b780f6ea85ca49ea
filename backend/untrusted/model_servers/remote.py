"""An engine for a version of ours that has no ONNX form: its SavedModel in a model server."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from backend.tfserving import rest_format
from backend.tfserving.rest_format import Signature, Tensor
from backend.untrusted.model_files import ModelFile, ModelFiles
from backend.untrusted.model_servers.starting import ModelServers
from workbench.errors import ModelRefused, Unavailable
from workbench.manifest import Manifest


class Remote:
    """An engine for a version of ours that has no ONNX form: its SavedModel in a model server."""

    def __init__(self, servers: ModelServers, files: ModelFiles, version: Path, manifest: Manifest) -> None:
        self._servers = servers
        self._keep: Callable[[], ModelFile] = lambda: files.keep_version(version, manifest)
        self._manifest = manifest
        self.name = servers.open(self._keep()).name

    def predict(self, x: NDArray[Any]) -> NDArray[Any]:
        """Answers ``(n, …)`` for inputs ``(n, …)``."""
        main = self._manifest.output.name if self._manifest.outputs and self._manifest.output else "output"
        return self.answer({"input": x})[main]

    def answer(self, inputs: Mapping[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
        """Every output by name, for every input by name."""
        for again in (True, False):
            server = self._servers.open(self._keep())
            feeds, fetches = self._names(server.signatures.get("serving_default"))
            given = {
                own: rest_format.as_dtype(inputs[name], tensor.dtype) for name, (own, tensor) in feeds.items()
            }
            try:
                answers = server.predict(given)
            except Unavailable:  # it ended between two requests, as an idle one does
                server.stop()
                if not again:
                    raise
            else:
                return {name: answers[own].astype(np.float32) for name, own in fetches.items()}
        raise AssertionError("unreachable")

    def _names(self, signature: Signature | None) -> tuple[dict[str, tuple[str, Tensor]], dict[str, str]]:
        """The SavedModel's own inputs and outputs, by the names that the manifest has for them."""
        feeds, fetches = [*self._manifest.feeds], [*self._manifest.fetches] or ["output"]
        if signature is not None:
            inputs, outputs = signature.inputs, signature.outputs
            if (len(feeds) == len(inputs) == 1 or set(feeds) == set(inputs)) and (
                len(fetches) == len(outputs) == 1 or set(fetches) == set(outputs)
            ):
                told = {
                    name: (own, inputs[own])
                    for name, own in zip(feeds, feeds if len(feeds) > 1 else inputs, strict=True)
                }
                return told, dict(zip(fetches, fetches if len(fetches) > 1 else outputs, strict=True))
        raise ModelRefused(
            f"the SavedModel must have a signature serving_default with the inputs {', '.join(feeds)} and the outputs "
            f"{', '.join(fetches)}"
        )
