"""How a picture lies in a model's input: which axis is which, told by the sizes, asked for where they leave it open.

The axes are N, the pictures; H and W, height and width; C, the channels; P, all of a picture's numbers in a row.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from backend.tfserving.rest_format import show_shape
from workbench.errors import BadInput, ModelRefused

Size = tuple[int, int, int]
"""Width, height and channels."""
CHANNELS = (1, 3, 4)
"""Grey; red, green and blue; the same with opacity."""
MAX_BATCH = 64
LAYOUTS = {1: ("P",), 2: ("NP", "HW"), 3: ("NHW", "HWC", "CHW"), 4: ("NHWC", "NCHW")}
"""By the number of axes."""


@dataclass(frozen=True)
class ChannelOrder:
    """A model's input for one picture."""

    axes: str
    """One of :data:`LAYOUTS`."""
    size: Size
    batch: int
    """Pictures that it takes at once, 1 where any number will do."""

    @property
    def has_batch(self) -> bool:
        """Whether its answers have the pictures as their first axis."""
        return "N" in self.axes

    def lay(self, pixels: NDArray[Any]) -> NDArray[Any]:
        """Lay a picture ``(h, w, c)`` into the model's input; all pictures of a fixed batch are this one."""
        axes = self.axes.removeprefix("N")
        if axes == "P":
            pixels = pixels.reshape(-1)
        elif axes == "HW":
            pixels = pixels[:, :, 0]
        elif axes == "CHW":
            pixels = pixels.transpose(2, 0, 1)
        if self.has_batch:
            pixels = np.repeat(pixels[None], self.batch, axis=0)
        return np.ascontiguousarray(pixels)


def find_layout(shape: tuple[int, ...] | None, sent: Size | None, told: str) -> ChannelOrder:
    """Find how a picture of the size that was sent lies in an input of this shape.

    Parameters
    ----------
    shape
        With -1 where any size will do; ``None`` where even the number of axes is open.
    told
        The layout, where the request says it.

    Raises
    ------
    BadInput
        It can be read in several ways, or the size is another one.
    ModelRefused
        It is no picture.
    """
    shape = (-1, -1, -1, -1) if shape is None else shape
    known = LAYOUTS.get(len(shape), ())
    if told and told not in known:
        raise BadInput(
            f"the model's input {show_shape(shape)} cannot be laid out as {told[:12]!r}; "
            f"there {'is' if len(known) == 1 else 'are'} {', '.join(known) or 'none'}"
        )
    possible = [
        axes for axes in ((told,) if told else known) if _is_possible(axes, shape, is_told=bool(told))
    ]
    sure = [axes for axes in possible if "C" not in axes or shape[axes.index("C")] > 0]
    options = sure or possible
    if not options:
        raise _refusal(shape)
    fitting = [axes for axes in options if sent is None or _fits(axes, shape, sent)]
    if not fitting:
        takes = " or ".join(dict.fromkeys(_show(axes, shape) for axes in options))
        raise BadInput(f"imageSize is {'x'.join(map(str, sent or ()))}, but the model takes {takes}")
    if len(fitting) > 1:
        ways = ", ".join(f"layout={axes} (a picture of {_show(axes, shape)})" for axes in fitting)
        size = " or imageSize, as 28x28x1," if sent is None else ""
        raise BadInput(
            f"the model's input {show_shape(shape)} can be read in several ways; say{size} which: {ways}"
        )
    return _filled(fitting[0], shape, sent)


def _is_possible(axes: str, shape: Sequence[int], *, is_told: bool) -> bool:
    sides = dict(zip(axes, shape, strict=True))
    if "N" in sides:
        possible = sides["N"] == -1 or 1 <= sides["N"] <= MAX_BATCH
    else:  # an open first axis is the pictures'; one picture alone is the same with and without that axis
        is_one = len(shape) == 3 and axes == "CHW" and shape[0] == 1
        possible = is_told or (shape[0] != -1 and not is_one)
    return possible and sides.get("C", 1) in (-1, *CHANNELS)


def _fits(axes: str, shape: Sequence[int], sent: Size) -> bool:
    width, height, channels = sent
    wanted = {"W": width, "H": height, "C": channels, "P": width * height * channels}
    if "C" not in axes and "P" not in axes and channels != 1:
        return False
    return all(side in (-1, wanted.get(axis, side)) for axis, side in zip(axes, shape, strict=True))


def _filled(axes: str, shape: Sequence[int], sent: Size | None) -> ChannelOrder:
    sides = dict(zip(axes, shape, strict=True))
    if sent is None:
        if "P" in sides:
            raise BadInput(
                f"the model takes {'any' if sides['P'] < 0 else sides['P']} numbers; say of which picture: "
                "imageSize, as 28x28x1"
            )
        sent = sides["W"], sides["H"], sides.get("C", 1)
        if -1 in sent:
            raise BadInput("the model takes pictures of any size; say which: imageSize, as 28x28x1")
    return ChannelOrder(axes, sent, max(1, sides.get("N", 1)))


def _show(axes: str, shape: Sequence[int]) -> str:
    """The size of picture that an input takes, ``28x28x1``."""
    sides = {"C": 1, **dict(zip(axes, shape, strict=True))}
    if "P" in sides:
        return f"any picture of {'any number of' if sides['P'] < 0 else sides['P']} numbers"
    return "x".join("any" if sides[axis] < 0 else str(sides[axis]) for axis in "WHC")


def _refusal(shape: tuple[int, ...]) -> ModelRefused:
    if len(shape) in LAYOUTS and (shape[0] == -1 or 1 <= shape[0] <= MAX_BATCH):
        return ModelRefused(
            f"the model's input {show_shape(shape)} is no picture of 1, 3 or 4 channels, which may come first or last"
        )
    return ModelRefused(
        "the model's input is no picture: it must have the shape (n, height, width, channels), (n, channels, height, "
        f"width), (n, height, width) or (n, pixels), with n any or at most {MAX_BATCH}. It has: {show_shape(shape)}"
    )
