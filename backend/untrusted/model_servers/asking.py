"""A running model server: what it takes, and what it answers, by gRPC where that can be had, else by REST."""

import logging
from pathlib import Path

from backend.tfserving import client
from backend.tfserving.channel import Channel
from backend.tfserving.client import Rest
from backend.tfserving.rest_format import Arrays, Signature
from backend.untrusted.confined import LOG, SOCKET
from backend.untrusted.model_files import ModelFile
from workbench.errors import BadInput, ModelRefused, Unavailable
from workbench.manifest import OutputKind
from workbench.system.endings import last_line

log = logging.getLogger("backend")


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
            if reason := reason_of(self.file.folder):
                raise ModelRefused(f"the model's server was ended: {reason}") from error
            raise Unavailable("the model's server has ended; ask again") from error
        except BadInput as error:
            raise ModelRefused(f"the model failed: {error}") from error

    def stop(self) -> None:
        """End it; whoever watches it sees its socket gone."""
        (self.file.folder / SOCKET).unlink(missing_ok=True)


def reason_of(folder: Path) -> str:
    """The last words of a server, where it had some."""
    return last_line(folder / LOG, after="refused: ")
