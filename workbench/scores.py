"""Scores of classes: what a classifier's outputs are, measured once, and the probabilities that are made of them.

One output tells two classes apart; it is the probability of the second one, or its logit.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from workbench.manifest import OutputKind

SUM_WITHIN = 1e-3
"""How far the sum of probabilities may be from 1."""
_ROUNDING = 1e-6


def measure(outputs: NDArray[Any], *, says_logits: bool = False) -> OutputKind:
    """Tell what a classifier's outputs ``(n, k)`` are, of as many examples as there are.

    Parameters
    ----------
    says_logits
        Whether the model itself says that they are logits, as the loss that it was trained with does. Logits that all
        happen to lie between 0 and 1 are known by nothing else.

    >>> measure(np.array([[0.2, 0.8]])), measure(np.array([[0.9, 0.8]])), measure(np.array([[-3.0, 0.8]]))
    ('probabilities', 'independent', 'logits')
    >>> measure(np.array([[0.2], [0.9]])), measure(np.array([[0.2], [1.9]]))
    ('probabilities', 'logits')
    """
    if says_logits or not len(outputs) or outputs.min() < -_ROUNDING or outputs.max() > 1 + SUM_WITHIN:
        return "logits"
    if outputs.shape[1] == 1 or np.allclose(outputs.sum(1), 1, atol=SUM_WITHIN):
        return "probabilities"
    return "independent"


def probabilities(outputs: NDArray[Any], kind: OutputKind) -> NDArray[Any]:
    """Make probabilities ``(n, classes)`` of a classifier's outputs ``(n, k)``; of values, which are none, the same array.

    >>> probabilities(np.array([[0.25]]), "probabilities").tolist(), probabilities(np.array([[0.0]]), "logits").tolist()
    ([[0.75, 0.25]], [[0.5, 0.5]])
    >>> probabilities(np.array([[0.9, 0.3]]), "independent").tolist()
    [[0.75, 0.25]]
    """
    if kind == "values":
        return outputs
    if outputs.shape[1] == 1:
        if kind == "logits":
            outputs = np.concatenate([np.zeros_like(outputs), outputs], 1)  # sigmoid(z) is softmax(0, z)
        else:
            return np.concatenate([1 - outputs, outputs], 1)
    if kind == "logits":
        outputs = np.exp(outputs - outputs.max(1, keepdims=True))
    elif kind == "probabilities":
        return outputs
    sums = outputs.sum(1, keepdims=True)
    nothing = sums == 0  # no class is likely: all are alike
    shared: NDArray[Any] = (outputs + nothing) / (sums + nothing * outputs.shape[1])
    return shared


def label_of(index: int, labels: Sequence[str], classes: int) -> str:
    """Name a class: by its label where there is one a class, else by its number.

    >>> label_of(1, ("cat", "dog"), 2), label_of(1, ("cat",), 2), label_of(3, ("a", "b"), 10)
    ('dog', '1', '3')
    """
    return labels[index] if len(labels) == classes else str(index)
