"""The interface of the two ways to ask a model server, REST and gRPC, and the names that both need."""

from typing import Protocol

from backend.tfserving.rest_format import Arrays, Signature

NAME = "model"
"""Every model's name at its own server."""
MAX_ANSWER = 64 * 1024 * 1024


class Channel(Protocol):
    """One of the ways to ask; may be used by many threads at once."""

    @property
    def name(self) -> str:
        """``REST`` or ``gRPC``."""

    def predict(self, inputs: Arrays, signature_name: str, signature: Signature, timeout_s: float) -> Arrays:
        """Compute the outputs for inputs, each of the type that the signature says.

        Raises
        ------
        ModelRefused
            The model failed.
        TimeoutError
            It took longer.
        OSError
            Nobody answers, or in another language.
        """
