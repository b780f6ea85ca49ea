"""Start a model server when a model is asked for, once for all workers of gunicorn, and remember what was refused."""

import importlib.util
import json
import logging
import shutil
import subprocess
import sys
import threading
import time
from dataclasses import asdict
from pathlib import Path

import backend
from backend.untrusted.confined import LOG, NO_FAULT, PROTECTION, SOCKET, Spec
from backend.untrusted.model_files import ModelFile, ModelFiles
from backend.untrusted.model_servers.asking import ModelServer, reason_of
from backend.untrusted.model_servers.command import fill
from workbench.errors import ModelRefused, NeedsTensorFlow, Unavailable
from workbench.system.endings import last_line
from workbench.system.locks import locked
from workbench.system.sandbox.linux import MODEL_UIDS
from workbench.system.waiting import comes_true

log = logging.getLogger("backend")

RUNNING = 2
"""Model servers at once; TensorFlow takes some 500 MB each."""
REMEMBERED_S = 600.0
"""Time for which a model that was refused is refused without another try."""


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
                json.dumps(asdict(fill(self._spec, file, server.name, self._binary, self._uids))),
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
            reason = reason_of(file.folder) or "its server ended at once"
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


def _is_no_fault(folder: Path) -> bool:
    """Tell whether a server ended before it came to its model, which is then not remembered against the model."""
    said = last_line(folder / LOG)
    return said.startswith(f"refused: {NO_FAULT}") or (
        not said.startswith("refused: ")
        and any(word in said for word in ("PermissionError", "ModuleNotFoundError"))
    )
