"""Transfer learning: a net that was trained on other pictures, whose weights are given, with a new end for these."""

from collections.abc import Mapping
from dataclasses import dataclass

from workbench.datasets.kept.values import DatasetManifest
from workbench.datasets.templates import plain
from workbench.errors import BadInput

OWN = "backbone.keras"
WEIGHTS = "backbone.weights.h5"
"""Files beside the recipe, which travel with it."""
LEAST_SIDE = 32
"""Pixels that Keras' nets need."""

STEPS = 400
"""That a new end needs, however few pictures there are; within 10 to 40 epochs."""


@dataclass(frozen=True)
class Known:
    """A net of ``keras.applications``, and how it wants a pixel of 0 to 255."""

    name: str
    scale: str


_SCALE = "    h = layers.Rescaling(1 / 127.5, offset=-1)(given)\n"
_TORCH = (
    "    h = layers.Rescaling(1 / 255)(given)\n"
    "    h = layers.Normalization(mean=[0.485, 0.456, 0.406], variance=[0.0524, 0.0502, 0.0506])(h)\n"
)
KNOWN = {
    "mobilenetv2": Known("MobileNetV2", _SCALE),
    "efficientnetb0": Known("EfficientNetB0", "    h = given\n"),
    "densenet121": Known("DenseNet121", _TORCH),
}
"""Those that are small enough to travel beside a recipe."""

_TRAINING = '''"""A net that was trained on other pictures, with a new end that learns these; LEARN lets it learn more."""

from pathlib import Path

import keras
from keras import layers
from workbench import datasets

EPOCHS = {epochs}
BATCH_SIZE = 32
PATIENCE = 3  # end after so many epochs without getting better, and keep the best
RATE = 3e-3  # a tenth of it where LEARN is above 0
LEARN = 0  # layers at the end of the given net that learn, too
LABELS = {labels}
INPUT = {input}


def build_model():
{backbone}
    for layer in backbone.layers[: len(backbone.layers) - LEARN]:
        layer.trainable = False
    given = keras.Input({shape})
{scale}    h = backbone(h, training=False)  # what it knows of other pictures' averages stays
    h = layers.GlobalAveragePooling2D()(h)
    h = layers.Dropout(0.3)(h)
    model = keras.Model(given, {output})
    model.compile(keras.optimizers.Adam(RATE), {loss!r}, metrics=[{metric!r}])
    return model
'''

_KNOWN = """    weights = Path(__file__).with_name("{file}")
    backbone = keras.applications.{name}(input_shape={shape}, include_top=False, weights=str(weights))"""

_OWN = """    whole = keras.saving.load_model(Path(__file__).with_name("{file}"), compile=False)
    # All of it up to the last layer that gives maps: behind that it tells its own classes.
    last = [layer for layer in whole.layers if len(getattr(layer.output, "shape", ())) == 4][-1]
    backbone = keras.Model(whole.inputs, last.output)"""


def make(manifest: DatasetManifest, backbone: str) -> Mapping[str, str]:
    """The recipe's files but for the weights, which are to lie beside them.

    Parameters
    ----------
    backbone
        One of :data:`KNOWN`, whose weights are ``backbone.weights.h5``; anything else means ``backbone.keras``.

    Raises
    ------
    BadInput
        The data set has no pictures, or none that this net takes.
    """
    if manifest.kind != "pictures":
        raise BadInput(f"{manifest} is {manifest.kind}: a backbone is for pictures")
    files = plain.make(manifest)
    shape = manifest.inputs[0].shape
    known = KNOWN.get(backbone)
    if known is not None and (shape[2] != 3 or min(shape[:2]) < LEAST_SIDE):
        raise BadInput(
            f"{known.name} takes colours and at least {LEAST_SIDE}×{LEAST_SIDE} pixels; {manifest} has "
            f"{shape[1]}×{shape[0]}×{shape[2]}: add it again with the size 96x96"
        )
    if known is not None:
        begin, scale = _KNOWN.format(file=WEIGHTS, name=known.name, shape=shape), known.scale
    else:
        begin = _OWN.format(file=OWN)
        scale = "    h = layers.Resizing(*whole.input_shape[1:3])(given)\n"
    batches = max(1, manifest.train.examples // 32)
    training = _TRAINING.format(
        epochs=min(40, max(10, STEPS // batches)),
        labels=f'datasets.labels("{manifest.name}")' if manifest.labels else "[]",
        input='{"kind": "image", "preprocessing": "resize"}',
        backbone=begin,
        shape=shape,
        scale=scale,
        **{k: v for k, v in plain.end(manifest).items() if k != "rate"},
    )
    if not manifest.labels:
        training = training.replace("from workbench import datasets\n", "")
    training = training.replace("Adam(RATE)", "Adam(RATE / 10 if LEARN else RATE)")
    return {"preprocessing.py": files["preprocessing.py"], "training.py": training}
