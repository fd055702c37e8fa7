"""The trained network: its weights, and the probabilities that it computes for a picture.

It uses only NumPy: serving needs no scikit-learn, which saves memory in every worker. And unlike a pickled
classifier, a file of weights works with any version of scikit-learn.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from digits.hyperparameters import ACTIVATIONS
from digits.picture import GRID_CELLS, Ink

LABELS = 10
INPUTS = GRID_CELLS**2

Weights = NDArray[np.float64]


@dataclass(frozen=True)
class Network:
    """A perceptron with one hidden layer of n units.

    Shapes: ``hidden_weights`` (64, n), ``hidden_bias`` (n,), ``output_weights`` (n, 10), ``output_bias``
    (10,). ``activation`` is one of ``ACTIVATIONS``. Raises ``ValueError`` if anything else is put in.
    """

    hidden_weights: Weights
    hidden_bias: Weights
    output_weights: Weights
    output_bias: Weights
    activation: str

    def __post_init__(self) -> None:
        units = self.hidden_bias.size
        expected = ((INPUTS, units), (units,), (units, LABELS), (LABELS,))
        shapes = tuple(array.shape for array in self.arrays())
        if shapes != expected:
            raise ValueError(f"A network with {units} hidden units has the shapes {expected}, not {shapes}.")
        if self.activation not in ACTIVATIONS:
            raise ValueError(f"Activation is one of {', '.join(ACTIVATIONS)}, not {self.activation}.")
        if not all(np.isfinite(array).all() for array in self.arrays()):
            raise ValueError("A weight is not a finite number.")

    def arrays(self) -> tuple[Weights, Weights, Weights, Weights]:
        """Return the weights in the order of the layers."""
        return self.hidden_weights, self.hidden_bias, self.output_weights, self.output_bias

    def probabilities(self, grids: Ink) -> Weights:
        """Return the probability of each digit, shape (n, 10), for pictures of shape (n, 8, 8) or (n, 64)."""
        hidden = grids.reshape(-1, INPUTS) @ self.hidden_weights + self.hidden_bias
        active = np.maximum(hidden, 0) if self.activation == "relu" else np.tanh(hidden)
        scores = active @ self.output_weights + self.output_bias
        # Subtract the maximum, or the exponential could overflow.
        powers = np.exp(scores - scores.max(axis=1, keepdims=True))
        likelihood: Weights = powers / powers.sum(axis=1, keepdims=True)
        return likelihood
