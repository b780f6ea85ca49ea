"""Kernels that are forks of one process which has imported TensorFlow: there at once, and sharing its memory."""
