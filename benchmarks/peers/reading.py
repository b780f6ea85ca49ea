"""What every serving peer does with a drawing: simple, right, and without a line of our back end's.

The picture is decoded by OpenCV as grey, its ink cropped, brought into 20×20 by area and laid into 28×28 with its centre
of mass at pixel 14, as MNIST was made. It knows white ink on black alone, which is what the 2020 page draws.
"""

import base64
from collections.abc import Callable

import cv2
import numpy as np
import onnxruntime

cv2.setNumThreads(1)  # requests are what runs in parallel


def read(data_url: str | bytes) -> np.ndarray:
    """A drawing's picture for the model: float32 ``(1, 28, 28, 1)``, 0 to 255.

    Raises
    ------
    ValueError
        There is no picture in it, or nothing is drawn.
    """
    encoded = data_url.encode() if isinstance(data_url, str) else data_url
    png = base64.b64decode(encoded.partition(b",")[2])
    ink = cv2.imdecode(np.frombuffer(png, np.uint8), cv2.IMREAD_GRAYSCALE)
    if ink is None or not ink.any():
        raise ValueError(f"no drawing in {encoded[:60]!r}")
    x, y, width, height = cv2.boundingRect(ink)
    scale = 20 / max(width, height)
    size = max(1, round(width * scale)), max(1, round(height * scale))
    small = cv2.resize(ink[y : y + height, x : x + width], size, interpolation=cv2.INTER_AREA)
    mass = cv2.moments(small)
    left = min(max(0, round(14 - mass["m10"] / mass["m00"])), 28 - size[0])
    top = min(max(0, round(14 - mass["m01"] / mass["m00"])), 28 - size[1])
    picture = np.zeros((1, 28, 28, 1), np.float32)
    picture[0, top : top + size[1], left : left + size[0], 0] = small
    return picture


def open_model(path: str) -> Callable[[np.ndarray], str]:
    """A function from pictures to digits: ONNX Runtime on one thread, as in our back end."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    [name] = [given.name for given in session.get_inputs()]

    def answer(picture: np.ndarray) -> str:
        return str(int(session.run(None, {name: picture})[0].argmax()))

    return answer
