"""Train Keras models on a cluster, serve them, and draw digits at them."""

__version__ = "0.2.0"
