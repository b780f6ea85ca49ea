"""What both other parts of the recipe may use."""

import math

import tensorflow as tf


def distort(images, turn=0.2, stretch=0.1, shift=2.0):
    """Turn, stretch and move each picture of a batch ``(n, 28, 28, 1)`` by a little of its own.

    ``turn`` is in radians, ``shift`` in pixels; each is the most that is done either way.
    """
    count, (height, width) = tf.shape(images)[0], images.shape[1:3]

    def around(middle, spread):
        return tf.random.uniform([count], middle - spread, middle + spread)

    angle, size = around(0, turn), around(1, stretch)
    a, b = tf.cos(angle) * size, tf.sin(angle) * size
    x, y = (width - 1) / 2, (height - 1) / 2
    right, down = x - a * x + b * y + around(0, shift), y - b * x - a * y + around(0, shift)
    nothing = tf.zeros([count])
    return tf.raw_ops.ImageProjectiveTransformV3(
        images=images,
        transforms=tf.stack([a, -b, right, b, a, down, nothing, nothing], 1),
        output_shape=[height, width],
        fill_value=0.0,
        interpolation="BILINEAR",
        fill_mode="CONSTANT",
    )


def one_cycle(step, steps, peak):
    """A learning rate that rises for the first quarter and falls to nothing as half a cosine wave."""
    step = tf.cast(step, tf.float32)
    rising = step / (0.25 * steps)
    falling = (1 + tf.cos(math.pi * (step - 0.25 * steps) / (0.75 * steps))) / 2
    return peak * tf.where(step < 0.25 * steps, rising, falling)
