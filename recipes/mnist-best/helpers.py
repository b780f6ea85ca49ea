"""Digits as other hands might have written them."""

import tensorflow as tf


def distort(images, turn=0.2, stretch=0.12, slant=0.15, shift=1.5, wave=0.6):
    """Bend each picture of a batch ``(n, 28, 28, 1)`` in a way of its own; what comes from outside is 0.

    Parameters
    ----------
    turn
        Radians, at most, either way; as are the next three.
    stretch, slant
        Of each axis' own length.
    shift
        Pixels.
    wave
        Pixels, the standard deviation of a smooth random shift that differs from place to place: what makes lines
        wobble (Simard et al. 2003, "Best Practices for Convolutional Neural Networks").
    """
    count, (height, width) = tf.shape(images)[0], images.shape[1:3]

    def around(middle, spread):
        return tf.random.uniform([count, 1, 1], middle - spread, middle + spread)

    angle, lean = around(0.0, turn), around(0.0, slant)
    sines, cosines, tall, wide = tf.sin(angle), tf.cos(angle), around(1.0, stretch), around(1.0, stretch)
    down, right = tf.meshgrid(
        tf.linspace(-1.0, 1.0, height) * (height - 1) / 2,
        tf.linspace(-1.0, 1.0, width) * (width - 1) / 2,
        indexing="ij",
    )
    waves = tf.image.resize(tf.random.normal([count, 6, 6, 2], stddev=wave), [height, width], "bicubic")
    y = tall * (cosines * down + sines * right) + around((height - 1) / 2, shift) + waves[..., 0]
    x = wide * (cosines * right - sines * down + lean * down) + around((width - 1) / 2, shift) + waves[..., 1]
    return sample(images, y, x)


def sample(images, y, x):
    """The pictures ``(n, h, w, 1)`` at the places ``y`` and ``x``, each ``(n, h, w)``, between pixels by both axes."""
    height, width = images.shape[1:3]
    framed = tf.reshape(tf.pad(images, [[0, 0], [1, 1], [1, 1], [0, 0]]), [-1, (height + 2) * (width + 2)])
    y, x = tf.clip_by_value(y + 1, 0.0, height + 0.99), tf.clip_by_value(x + 1, 0.0, width + 0.99)
    top, left = tf.floor(y), tf.floor(x)
    low, near = y - top, x - left
    corner = tf.cast(top, tf.int32) * (width + 2) + tf.cast(left, tf.int32)

    def at(step):
        return tf.gather(framed, corner + step, batch_dims=1)

    upper = at(0) * (1 - near) + at(1) * near
    lower = at(width + 2) * (1 - near) + at(width + 3) * near
    return (upper * (1 - low) + lower * low)[..., None]
