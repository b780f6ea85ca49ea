"""Model servers, started when a model is asked for, stopped when it no longer is; one for all workers of gunicorn.

A SavedModel is given to a real ``tensorflow_model_server`` where there is one, everything else and everywhere else to
the embedded one; both are put in a sandbox by :mod:`backend.untrusted.confined` and speak TensorFlow Serving's REST and gRPC APIs through
a Unix socket in the model's folder (:mod:`backend.tfserving.client`), so that what is here does not know which of them answers.
"""

import importlib.util
import json
import logging
import os
import shutil
import subprocess
import sys
import threading
import time
import zlib
from collections.abc import Callable, Mapping
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

import backend
from backend.tfserving import client, rest_format
from backend.tfserving.channel import NAME, Channel
from backend.tfserving.client import Rest
from backend.tfserving.rest_format import Arrays, Signature, Tensor
from backend.untrusted.confined import LOG, NO_FAULT, PROTECTION, SOCKET, Spec
from backend.untrusted.model_files import ModelFile, ModelFiles
from workbench.errors import BadInput, ModelRefused, NeedsTensorFlow, Unavailable
from workbench.manifest import Manifest, OutputKind
from workbench.system.endings import last_line
from workbench.system.locks import locked
from workbench.system.sandbox.linux import MODEL_UIDS
from workbench.system.waiting import comes_true

log = logging.getLogger("backend")

RUNNING = 2
"""Model servers at once; TensorFlow takes some 500 MB each."""
REMEMBERED_S = 600.0
"""Time for which a model that was refused is refused without another try."""


class ModelServer:
    """A running server of one model; ``predict`` may be called from many threads at once."""

    def __init__(self, file: ModelFile, name: str, timeout_s: float) -> None:
        self.file, self.name, self._timeout_s = file, name, timeout_s
        self.signatures: dict[str, Signature] = {}
        self.gives: dict[tuple[str, str], OutputKind] = {}
        """What an output of a signature is, once it was measured."""
        self.rest = Rest(file.folder / SOCKET)
        self.fast: Channel | None = None
        """Asked first; ``None`` where nothing faster than REST can be had.

        gRPC's answers took 1.3 times less than REST's for one value (2.0 ms against 2.8, medians with the embedded
        server on a busy machine), 2.5 times less for a picture of 784 and 14 times less for 16,384, since REST writes
        each value as text; also the first on a new connection was not slower (3.6 ms against 4.5 for 784 values).
        """

    def is_available(self) -> bool:
        """Tell whether it answers that the model is loaded; learns from it what it takes, and how it is spoken to."""
        if self.rest.status() != "AVAILABLE":
            return False
        if not self.signatures:
            try:
                self.signatures = self.rest.signatures()
            except (OSError, BadInput):
                return False
            self.fast = client.open_grpc(self.file.folder / SOCKET)
        return True

    def predict(self, inputs: Arrays, signature_name: str = "serving_default") -> Arrays:
        """The outputs for inputs, each with its first axis the examples.

        Raises
        ------
        ModelRefused
            The model failed, or took longer than it may, and was stopped.
        Unavailable
            Its server has just ended.
        """
        asked = inputs, signature_name, self.signatures[signature_name], self._timeout_s
        try:
            if (fast := self.fast) is not None:
                try:
                    return fast.predict(*asked)
                except ConnectionError as error:
                    if self.rest.status() != "AVAILABLE":
                        raise
                    log.warning(
                        "a model server is spoken to by REST from now on: %s fails: %s", fast.name, error
                    )
                    self.fast = None
            return self.rest.predict(*asked)
        except TimeoutError as error:
            self.stop()
            raise ModelRefused(
                f"the model did not answer within {self._timeout_s:g} s and was stopped"
            ) from error
        except OSError as error:
            if reason := _reason(self.file.folder):
                raise ModelRefused(f"the model's server was ended: {reason}") from error
            raise Unavailable("the model's server has ended; ask again") from error
        except BadInput as error:
            raise ModelRefused(f"the model failed: {error}") from error

    def stop(self) -> None:
        """End it; whoever watches it sees its socket gone."""
        (self.file.folder / SOCKET).unlink(missing_ok=True)


class ModelServers:
    """Starts and finds them."""

    def __init__(
        self,
        files: ModelFiles,
        *,
        tf_model_server: str | None = None,
        start_s: float = 90.0,
        predict_s: float = 10.0,
        idle_s: float = 600.0,
        memory_mb: int = 2048,
        uids: range = MODEL_UIDS,
    ) -> None:
        self._files = files
        self._binary = tf_model_server or shutil.which("tensorflow_model_server")
        self._start_s, self._predict_s, self._uids = start_s, predict_s, uids
        self._spec = Spec([], {}, "", [], memory_mb, 3600, idle_s, 0)
        self._known: dict[str, ModelServer] = {}
        self._watchers: list[subprocess.Popen[bytes]] = []
        self._lock = threading.Lock()

    def open(self, file: ModelFile) -> ModelServer:
        """The model's server, started first where there is none.

        Raises
        ------
        NeedsTensorFlow
            The model needs TensorFlow and neither it nor a ``tensorflow_model_server`` is installed.
        ModelRefused
            It cannot be loaded, or not within the limits.
        Unavailable
            Another request has been starting it for too long.
        """
        known = self._known.get(file.sha256)
        if known is not None and (file.folder / SOCKET).exists():
            return known
        name = self._kind(file)
        server = ModelServer(file, name, self._predict_s)
        try:
            with locked(file.folder / ".lock", self._start_s):
                if not ((file.folder / SOCKET).exists() and server.is_available()):
                    self._refuse_again(file)
                    self._start(file, server)
        except TimeoutError as error:
            raise Unavailable("the model is being started by another request; ask again") from error
        with self._lock:
            self._known = {k: v for k, v in self._known.items() if v.file.folder.exists()}
            self._known[file.sha256] = server
        return server

    def close(self) -> None:
        """End the servers that this process started; doing so twice is fine."""
        with self._lock:
            watchers, self._watchers, self._known = self._watchers, [], {}
        for watcher in watchers:
            watcher.terminate()
        for watcher in watchers:
            watcher.wait()

    def running(self) -> int:
        """Count the model servers that run, whoever started them."""
        return sum(1 for _ in self._files.folder.glob(f"*/{SOCKET}"))

    def protection(self, file: ModelFile) -> dict[str, bool]:
        """Tell which things a running server has of its own, so that it has none of ours: ``files``, ``network`` and ``user``."""
        try:
            return dict(json.loads((file.folder / PROTECTION).read_text()))
        except (OSError, ValueError):
            return {}

    def _kind(self, file: ModelFile) -> str:
        if file.form == "saved_model" and self._binary:
            return "tensorflow_model_server"
        if file.form != "onnx" and importlib.util.find_spec("tensorflow") is None:
            raise NeedsTensorFlow(
                f"a model of the form {file.form} needs TensorFlow, which is not installed here: "
                "install the extra 'serving', or send an ONNX file"
            )
        return "embedded"

    def _refuse_again(self, file: ModelFile) -> None:
        try:
            refused = file.folder / "refused"
            if time.time() - refused.stat().st_mtime < REMEMBERED_S:
                raise ModelRefused(refused.read_text())
        except FileNotFoundError:
            pass

    def _start(self, file: ModelFile, server: ModelServer) -> None:
        for folder in self._files.by_use()[RUNNING:]:
            (folder / SOCKET).unlink(missing_ok=True)
        (file.folder / LOG).unlink(missing_ok=True)
        watcher = subprocess.Popen(
            [
                sys.executable,
                "-m",
                "backend.untrusted.confined",
                json.dumps(asdict(self._fill(file, server.name))),
            ],
            cwd=Path(backend.__file__).parent.parent,
            env={"PATH": "/usr/bin:/bin", "PYTHONDONTWRITEBYTECODE": "1"},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        with self._lock:
            self._watchers = [w for w in self._watchers if w.poll() is None] + [watcher]
        came = comes_true(lambda: server.is_available() or watcher.poll() is not None, self._start_s, 0.05)
        if (
            came and watcher.poll() is None
        ):  # not asked twice: a busy computer may let one question wait too long
            if missing := [what for what, kept in self.protection(file).items() if not kept]:
                log.warning(
                    "this system allows no namespaces: a model runs with limits, but has no own %s",
                    " and ".join(missing),
                )
            return
        if watcher.poll() is not None:
            reason = _reason(file.folder) or "its server ended at once"
        else:
            server.stop()
            reason = f"it was not loaded within {self._start_s:g} s"
        watcher.wait()
        if _is_no_fault(file.folder):
            raise Unavailable(
                f"a model's server cannot be started on this computer: {reason}; root's models run as a user without a "
                "name, who must be able to read Python and the workbench's code"
            )
        message = f"the model cannot be served: {reason}"
        (file.folder / "refused").write_text(message)
        raise ModelRefused(message)

    def _fill(self, file: ModelFile, name: str) -> Spec:
        code = Path(backend.__file__).parent
        project = code.parent
        path = [
            entry
            for entry in map(os.path.realpath, sys.path)
            if Path(entry).is_dir() and Path(entry).name in ("site-packages", "dist-packages")
        ]
        python = os.path.realpath(sys.executable)
        shown = [os.path.realpath(sys.base_prefix), *path, str(code), str(project / "workbench")]
        if name == "embedded":
            command = [python, "-m", "backend.tfserving.server", "--form", file.form, "--name", NAME]
            command += ["--model", f"{{model}}/{file.path}", "--fd", "{fd}"]
            if client.has_grpc():
                command += ["--grpc-port", "{grpc_port}"]
        else:
            binary = os.path.realpath(str(self._binary))
            shown.append(binary)
            command = [binary, "--port={grpc_port}", "--rest_api_port={port}", f"--model_name={NAME}"]
            command += ["--model_base_path={model}/served", "--file_system_poll_wait_seconds=0"]
        environment = {
            "PATH": "/usr/bin:/bin",
            "HOME": "/tmp",  # noqa: S108 - its own, or nothing is written there
            "TMPDIR": "/tmp",  # noqa: S108
            "LANG": "C.UTF-8",
            "PYTHONPATH": os.pathsep.join([str(project), *path]),
            "PYTHONDONTWRITEBYTECODE": "1",
            "TF_CPP_MIN_LOG_LEVEL": "3",
            "GRPC_VERBOSITY": "NONE",  # the log's last line is the reason why a server ended
            "OMP_NUM_THREADS": "1",
            "OPENBLAS_NUM_THREADS": "1",
            "CUDA_VISIBLE_DEVICES": "-1",
        }
        return replace(
            self._spec,
            command=command,
            environment=environment,
            folder=str(file.folder),
            shown=shown,
            uid=self._uids[zlib.crc32(file.sha256.encode()) % len(self._uids)],
        )


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


def _reason(folder: Path) -> str:
    """The last words of a server, where it had some."""
    return last_line(folder / LOG, after="refused: ")


def _is_no_fault(folder: Path) -> bool:
    """Tell whether a server ended before it came to its model, which is then not remembered against the model."""
    said = last_line(folder / LOG)
    return said.startswith(f"refused: {NO_FAULT}") or (
        not said.startswith("refused: ")
        and any(word in said for word in ("PermissionError", "ModuleNotFoundError"))
    )
