"""What is said of a picture and a model to ``/serve``, where the model does not say it itself."""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Self


@dataclass(frozen=True)
class How:
    """Each a text as the route takes it; empty where nothing is said."""

    image_size: str = ""
    """``WIDTHxHEIGHTxCHANNELS``, what the model takes."""
    layout: str = ""
    """Which axis of its input is which, ``NHWC`` or ``NCHW``."""
    signature: str = ""
    """Of a SavedModel, which may have several."""
    output: str = ""
    """The one that is meant, of several."""
    input_range: str = ""
    """What black and white are for it, ``0,1``."""
    inputs: str = ""
    """One example by the model's names, as JSON; a picture beside it is for the only input that takes one."""

    def as_form(self) -> dict[str, str]:
        """The fields of the route that are said.

        >>> How(layout="NCHW", input_range="0,1").as_form()
        {'layout': 'NCHW', 'inputRange': '0,1'}
        """
        names = {"image_size": "imageSize", "input_range": "inputRange"}
        return {names.get(name, name): text for name, text in vars(self).items() if text}

    @classmethod
    def from_json(cls, said: Mapping[str, object]) -> Self:
        """Read what :func:`vars` gave."""
        return cls(**{field.name: str(said.get(field.name) or "") for field in fields(cls)})


SAYS_NOTHING = How()
"""The model says all of it."""
