"""A small residual net on digits that are distorted anew each time they are seen (99.5 %)."""

import keras
from helpers import distort
from keras import layers

EPOCHS = 6
BATCH_SIZE = 128
LABELS = list("0123456789")
INPUT = {"kind": "image", "preprocessing": "mnist"}


def augment(images):
    return distort(images)


def block(x, filters, strides=1):
    """Two convolutions, and past them what came in (He et al. 2016, "Identity Mappings in Deep Residual Networks")."""
    h = layers.ReLU()(layers.BatchNormalization()(x))
    past = x if x.shape[-1] == filters else layers.Conv2D(filters, 1, strides=strides, use_bias=False)(h)
    h = layers.Conv2D(filters, 3, strides=strides, padding="same", use_bias=False)(h)
    h = layers.ReLU()(layers.BatchNormalization()(h))
    return layers.Add()([past, layers.Conv2D(filters, 3, padding="same", use_bias=False)(h)])


def build_model():
    image = keras.Input((28, 28, 1))
    h = layers.Conv2D(16, 5, strides=2, padding="same", use_bias=False)(layers.Rescaling(1 / 255)(image))
    h = block(h, 32)
    h = block(h, 64, strides=2)
    h = layers.GlobalAveragePooling2D()(layers.ReLU()(layers.BatchNormalization()(h)))
    model = keras.Model(image, layers.Dense(10, activation="softmax")(h))
    steps = EPOCHS * 54_000 // BATCH_SIZE
    rate = keras.optimizers.schedules.CosineDecay(
        1e-3, steps * 3 // 4, warmup_target=1e-2, warmup_steps=steps // 4
    )
    model.compile(
        keras.optimizers.AdamW(rate, weight_decay=1e-3),
        "sparse_categorical_crossentropy",
        metrics=["accuracy"],
    )
    return model
