"""One drawing from a request's picture to its answer, whichever way the request came in."""

import time
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from backend.comparisons.store import Comparisons
from backend.deployments.canary import choose
from backend.deployments.engines import InProcess
from backend.deployments.store import Deployments
from backend.deployments.values import Deployment
from backend.http.bodies import json_bytes
from backend.http.metrics import Metrics
from backend.predict.doubt import find_doubt
from workbench.errors import NoModel, NotFound
from workbench.pictures import ink
from workbench.pictures.inputs import prepare, read_ink
from workbench.scores import label_of

TEXT, JSON = "text/plain; charset=utf-8", "application/json"


@dataclass(frozen=True)
class Drawing:
    """The request of a caller of ``/predict``."""

    picture: bytes
    """An encoded picture."""
    model: str | None
    """The model that is asked for; ``None`` leaves the choice to the back end."""
    as_text: bool
    """Whether the answer is the bare digit."""


class Drawings:
    """Answers drawings by what is deployed, and counts them."""

    def __init__(self, deployments: Deployments, comparisons: Comparisons, metrics: Metrics) -> None:
        self._deployments, self._comparisons, self._metrics = deployments, comparisons, metrics

    def answer(self, drawing: Drawing, begun: float) -> tuple[bytes, str]:
        """Give the answer's body and its Content-Type; ``begun`` is when work on the request began, by ``perf_counter``.

        Raises
        ------
        NotFound, NoModel, NoPictureModel
            No such model, or none yet, or one that takes no pictures.
        PictureError
            The picture cannot be read.
        """
        metrics = self._metrics
        active = self.choose(drawing.model)
        deployment = choose(active, drawing.picture)
        x, seen = prepare(drawing.picture, deployment.manifest)
        fitted = time.perf_counter()
        scores = None if x is None else deployment.classify(x)[0]
        answered = time.perf_counter()
        answer = _write(deployment, scores, seen, drawing, begun)
        name, version = deployment.name, str(deployment.version)
        metrics.observe("workbench_predict_stage_seconds", fitted - begun, (("stage", "picture"),))
        metrics.observe("workbench_predict_stage_seconds", answered - fitted, (("stage", "model"),))
        said = "nothing drawn" if scores is None else str(scores.argmax())
        metrics.add("workbench_predictions_total", (("model", name), ("version", version), ("class", said)))
        if deployment is not active and scores is not None and seen is not None:
            self._compare(active, deployment, drawing.picture, scores, seen)
        return answer

    def are_quick(self) -> bool:
        """Tell whether a drawing is answered by one version that this process has in memory."""
        serving = self._deployments.settled()
        active = serving and serving.default
        return bool(active and active.canary is None and active.engine.name == InProcess.name)

    def choose(self, name: str | None) -> Deployment:
        """Find the model of a name, or the one that answers drawings where none is named.

        Raises
        ------
        NotFound, NoModel, NoPictureModel
        """
        serving = self._deployments.now()
        deployment = serving.default if name is None else serving.deployments.get(name)
        if deployment is None and name is not None and serving.deployments:
            raise NotFound(f"no model {name[:64]!r} serves here; GET /models lists those that do")
        if deployment is None:
            raise NoModel(self._deployments.under_way().message)
        deployment.check_recognises()
        return deployment

    def _compare(
        self,
        active: Deployment,
        canary: Deployment,
        picture: bytes,
        scores: NDArray[np.float32],
        seen: NDArray[np.uint8],
    ) -> None:
        """Keep what the active version would have said."""
        x, _ = prepare(picture, active.manifest)
        kept = x is None or self._comparisons.keep(active, canary, active.classify(x)[0], scores, seen)
        if not kept:
            self._metrics.add("workbench_comparisons_lost_total")


def _write(
    deployment: Deployment,
    scores: NDArray[np.float32] | None,
    seen: NDArray[np.uint8] | None,
    drawing: Drawing,
    begun: float,
) -> tuple[bytes, str]:
    digit = label = None
    if scores is not None:
        digit = int(scores.argmax())
        label = label_of(digit, deployment.manifest.labels, len(scores))
    if drawing.as_text:
        return (label or "nothing drawn").encode(), TEXT
    answer: dict[str, object] = {
        "digit": digit,
        "label": label,
        "probabilities": None if scores is None else [round(p, 6) for p in scores.tolist()],
        "model": deployment.name,
        "version": deployment.version,
        "seen": None if seen is None else ink.to_data_url(seen),
    }
    answer["doubt"] = None
    if digit is None:
        answer["reason"] = "nothing drawn"
    elif seen is not None and (found := find_doubt(seen, deployment, lambda: read_ink(drawing.picture))):
        answer.update(found.as_json())
    answer["latency_ms"] = round((time.perf_counter() - begun) * 1e3, 2)
    return json_bytes(answer), JSON
