"""Ask any model about any picture: one that is deployed here, or an untrusted one by URL or as a file."""

import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from backend.deployments.store import Deployments
from backend.deployments.uploads import MAX_VERSION
from backend.deployments.values import Deployment
from backend.untrusted import brought_by_name, by_name, probing
from backend.untrusted.fitting import Fitted, How, fit, other_size
from backend.untrusted.meaning import OutputVerdict, read_verdict
from backend.untrusted.model_files import ModelFile, ModelFiles
from backend.untrusted.model_servers import ModelServer, ModelServers
from backend.untrusted.remembered import Remembered
from workbench.errors import AllTaken, BadInput, NotFound, TokenNeeded, Unavailable
from workbench.fetching import Fetcher
from workbench.manifest import Manifest, OutputKind
from workbench.pictures import ink
from workbench.pictures.decoders import MAX_BYTES as MAX_PICTURE
from workbench.pictures.inputs import prepare
from workbench.scores import measure as scores_kind
from workbench.scores import probabilities

MAX_MODEL = MAX_VERSION
IMAGE_S, MODEL_S = 15.0, 120.0
OUTPUT = "output"
"""The only one of a version of ours, as in TensorFlow Serving's API."""
AT_ONCE = 2
"""Requests for untrusted models in one worker; its other threads go on answering drawings."""
LABELS = {
    "Mnist": [str(digit) for digit in range(10)],
    "Cifar10": ["airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck"],
    "FashionMnist": [
        "T-shirt/top",
        "Trouser",
        "Pullover",
        "Dress",
        "Coat",
        "Sandal",
        "Shirt",
        "Sneaker",
        "Bag",
        "Ankle boot",
    ],
}
"""The label sets that ``modelName`` may name beside a URL or file, and in which order the data sets count."""


@dataclass(frozen=True)
class ServeRequest:
    """The request's fields."""

    image: bytes | None
    image_url: str
    model_name: str
    model_url: str
    how: How = field(default_factory=How)
    own: tuple[str, int] | None = None
    """Name and version, where the model's URL is an open link of this back end: read in place, not fetched from ourselves."""
    inputs: by_name.Inputs | None = None
    """One example by the model's names."""


@dataclass(frozen=True)
class ServeAnswer:
    """A model's answer."""

    verdict: OutputVerdict | None
    """``None`` where nothing was drawn."""
    labels: Sequence[str]
    model: str
    seen: NDArray[np.uint8] | None = None
    """The picture that the model was given, ``(h, w)`` or ``(h, w, c)``; ``None`` where it takes no pixels."""
    outputs: Mapping[str, OutputVerdict] = field(default_factory=dict)
    """What each output says, where there are several."""
    output_labels: Mapping[str, Sequence[str]] = field(default_factory=dict)
    """What the classes of each output are called, as far as that is known."""


class Upload(Protocol):
    """A file that comes with a request."""

    def save(self, dst: Path) -> None:
        """Write it to a file."""


class Serve:
    """Answers of deployed and of untrusted models."""

    def __init__(
        self,
        folder: Path,
        deployments: Deployments,
        fetcher: Fetcher,
        files: ModelFiles,
        servers: ModelServers,
    ) -> None:
        self._deployments, self._fetcher = deployments, fetcher
        self._files = files
        self._remembered = Remembered(folder / "strangers" / ".urls.json")
        self._servers = servers
        self._room = threading.BoundedSemaphore(AT_ONCE)

    def answer(
        self, asked: ServeRequest, uploaded: Upload | None, *, trusted: bool, note: Callable[[str], None]
    ) -> ServeAnswer:
        """Ask the model that is named about the picture that is sent.

        Parameters
        ----------
        trusted
            Whether the caller brings the deploy token, without which only deployed models are asked.
        note
            Told which model is asked, before it is.

        Raises
        ------
        TokenNeeded, NotFound, BadInput, NoPictureModel, ModelRefused, NotFetched, Unavailable
            See there.
        """
        if uploaded is None and not asked.model_url:
            if not asked.model_name:
                raise BadInput("say which model: modelName, modelUrl, or the file 'model'")
            return self._ask_deployed(self._named(asked.model_name), asked, note)
        if uploaded is None and asked.own is not None:
            return self._ask_deployed(self._deployments.version(*asked.own), asked, note)
        if not trusted:
            raise TokenNeeded(
                "a model that is not published here needs the deploy token: Authorization: Bearer …"
            )
        labels = _labels(asked.model_name)
        with self._one_of_few():
            is_pictured = asked.inputs is None or asked.image is not None or asked.image_url
            picture = self._picture(asked) if is_pictured else None
            file = self._receive(uploaded) if uploaded is not None else self._fetch_model(asked.model_url)
            note(f"sha256:{file.sha256[:12]}")
            return self._ask_untrusted(file, picture, asked, labels)

    # ── our own ──────────────────────────────────────────────────────────────────────────────────

    def _named(self, name: str) -> Deployment:
        name, _, version = name.partition(":")
        deployment = self._deployments.now().deployments.get(name)
        if deployment is None:
            there = ", ".join(self._deployments.now().deployments) or "none yet"
            raise NotFound(f"no model {name[:64]!r} serves here; there are: {there}")
        if not version:
            return deployment
        found = {str(v): d for v, d in deployment.numbered().items()}.get(version)
        if found is None:
            raise NotFound(f"version {version[:20]!r} of {name} does not serve here")
        return found

    def _ask_deployed(
        self, deployment: Deployment, asked: ServeRequest, note: Callable[[str], None]
    ) -> ServeAnswer:
        takes = deployment.manifest.feeds
        if asked.inputs is not None or (len(takes) > 1 and any(map(by_name.is_picture, takes.values()))):
            return self._ask_by_name(deployment, asked, note)
        deployment.check_takes_pictures()
        height, width, channels = deployment.manifest.takes.sizes
        if asked.how.size not in (None, (width, height, channels)):
            raise other_size(asked.how.size, (width, height, channels))
        note(f"{deployment.name}:{deployment.version}")
        with self._one_of_few() if asked.image_url else nullcontext():
            picture = self._picture(asked)
        x, seen = prepare(picture, deployment.manifest)
        labels, verdict = deployment.manifest.labels, None
        if x is not None and len(deployment.manifest.fetches) > 1:
            (name,) = takes
            return _told(deployment, by_name.answer(deployment, {name: x}), asked.how.output, seen)
        if x is not None:
            if asked.how.output not in ("", OUTPUT):
                raise BadInput(f"the model has no output {asked.how.output[:60]!r}; it has: {OUTPUT}")
            verdict = OutputVerdict.of_ours(deployment.classify(x), deployment.gives, OUTPUT)
        return ServeAnswer(verdict, labels, f"{deployment.name}:{deployment.version}", seen)

    def _ask_by_name(
        self, deployment: Deployment, asked: ServeRequest, note: Callable[[str], None]
    ) -> ServeAnswer:
        note(f"{deployment.name}:{deployment.version}")
        picture = None
        if asked.image is not None or asked.image_url:
            with self._one_of_few() if asked.image_url else nullcontext():
                picture = self._picture(asked)
        return _told(deployment, by_name.ask(deployment, asked.inputs, picture), asked.how.output)

    # ── untrusted ────────────────────────────────────────────────────────────────────────────────

    def _ask_untrusted(
        self, file: ModelFile, picture: bytes | None, asked: ServeRequest, labels: Sequence[str]
    ) -> ServeAnswer:
        labels = labels or (file.manifest.labels if file.manifest else file.labels)
        server = self._servers.open(file)
        try:
            return _ask_brought(server, picture, asked, labels)
        except Unavailable:  # it ended between two requests, as an idle one does
            server.stop()
            return _ask_brought(self._servers.open(file), picture, asked, labels)

    def _receive(self, uploaded: Upload) -> ModelFile:
        with self._files.receiving() as path:
            uploaded.save(path)
            return self._files.keep(path)

    def _fetch_model(self, url: str) -> ModelFile:
        known = self._remembered.get(url)
        file = self._files.find(known[0]) if known else None
        if known and file and known[2]:
            return file
        with self._files.receiving() as path:
            before = known[1] if known and file else None
            fetched = self._fetcher.fetch(url, path, max_bytes=MAX_MODEL, timeout_s=MODEL_S, known=before)
            if not fetched.changed and file is not None:
                self._remembered.keep(fetched, file.sha256)
                return file
            file = self._files.keep(path)
        self._remembered.keep(fetched, file.sha256)
        return file

    def _picture(self, asked: ServeRequest) -> bytes:
        if asked.image is not None:
            return asked.image
        if not asked.image_url:
            raise BadInput("send a picture: imageUrl, or the file 'image'")
        if asked.image_url[:5].lower() == "data:":
            return ink.from_data_url(asked.image_url)
        with self._files.receiving() as path:
            self._fetcher.fetch(asked.image_url, path, max_bytes=MAX_PICTURE, timeout_s=IMAGE_S)
            return path.read_bytes()

    @contextmanager
    def _one_of_few(self) -> Iterator[None]:
        if not self._room.acquire(timeout=1.0):
            raise AllTaken("other models are being asked just now; try again")
        try:
            yield
        finally:
            self._room.release()


def _told(
    deployment: Deployment,
    outputs: Mapping[str, OutputVerdict],
    wanted: str,
    seen: NDArray[np.uint8] | None = None,
) -> ServeAnswer:
    """The answer of a version, by the output that is wanted, else by the one that it is judged by."""
    main = deployment.manifest.output
    wanted = wanted or (main.name if main is not None and main.name in outputs else next(iter(outputs)))
    if wanted not in outputs:
        raise BadInput(f"the model has no output {wanted[:60]!r}; it has: {', '.join(outputs)}")
    labels = {name: one.labels for name, one in deployment.manifest.fetches.items()}
    if main is None or wanted == main.name:
        labels[wanted] = labels.get(wanted) or deployment.manifest.labels
    called = f"{deployment.name}:{deployment.version}"
    told = outputs if len(outputs) > 1 else {}
    return ServeAnswer(outputs[wanted], labels.get(wanted, ()), called, seen, told, labels)


def _labels(name: str) -> list[str]:
    if name and name not in LABELS:
        raise BadInput(
            f"beside a model's URL or file modelName is one of {', '.join(LABELS)}. Received: {name[:60]!r}"
        )
    return LABELS.get(name, [])


def _ask_brought(
    server: ModelServer, picture: bytes | None, asked: ServeRequest, labels: Sequence[str]
) -> ServeAnswer:
    file = server.file
    called = f"sha256:{file.sha256}"  # a manifest could claim any name
    if asked.inputs is not None:
        outputs = brought_by_name.ask(server, asked.inputs, picture, file.manifest, asked.how)
        verdict = brought_by_name.choose(outputs, asked.how.output)
        fit_them = {name: labels for name, one in outputs.items() if len(one.scores) == len(labels)}
        told = outputs if len(outputs) > 1 else {}
        return ServeAnswer(
            verdict, fit_them.get(verdict.output, ()), called, outputs=told, output_labels=fit_them
        )
    assert picture is not None
    fitted = fit(picture, server.signatures, file.manifest, asked.how)
    verdict = _ask(server, fitted, asked.how, labels, file.manifest)
    return ServeAnswer(verdict, labels, called, fitted.seen)


def _ask(
    server: ModelServer, fitted: Fitted, how: How, labels: Sequence[str], manifest: Manifest | None
) -> OutputVerdict:
    outputs = server.predict(fitted.inputs, fitted.signature)
    declared = tuple(server.signatures[fitted.signature].outputs)
    own = manifest.output if manifest is not None and len(outputs) == 1 else None
    if own is not None and how.output in ("", *outputs):
        (output,) = outputs
        answers = np.asarray(outputs[output], np.float32)
        if answers.ndim == 2 and np.isfinite(answers).all():
            return OutputVerdict.of_ours(probabilities(answers, own.kind), own.kind, output)

    def measure(output: str, said: NDArray[Any]) -> OutputKind:
        key = fitted.signature, output
        if key not in server.gives:
            ask = partial(server.predict, signature_name=fitted.signature)
            server.gives[key] = probing.measure(ask, fitted.inputs, output, said)
        return "logits" if scores_kind(said[None]) == "logits" else server.gives[key]

    return read_verdict(outputs, declared, fitted.batch, how.output, labels, measure)
