"""Networks with invalid weights: a model file may contain anything."""

import numpy as np
import pytest

from digits.network import Network


def test_probabilities_of_extreme_scores_are_probabilities() -> None:
    bias = np.array([1e6, *[0.0] * 9])
    network = Network(np.zeros((64, 3)), np.zeros(3), np.zeros((3, 10)), bias, "tanh")
    probabilities = network.probabilities(np.zeros((2, 8, 8)))
    assert probabilities.shape == (2, 10)
    assert probabilities[0].tolist() == [1.0, *[0.0] * 9]


@pytest.mark.parametrize(
    ("hidden", "output", "activation", "message"),
    [
        (np.zeros((63, 3)), np.zeros((3, 10)), "relu", "shapes"),
        (np.zeros((64, 3)), np.zeros((4, 10)), "relu", "shapes"),
        (np.zeros((64, 3)), np.zeros((3, 10)), "cube", "one of relu, tanh"),
        (np.full((64, 3), np.nan), np.zeros((3, 10)), "relu", "finite"),
    ],
)
def test_impossible_network_is_refused(
    hidden: np.ndarray, output: np.ndarray, activation: str, message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        Network(hidden, np.zeros(3), output, np.zeros(10), activation)
