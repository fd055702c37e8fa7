"""Fits a network, epoch by epoch. Only this module uses scikit-learn's networks."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from digits import samples
from digits.hyperparameters import Hyperparameters
from digits.network import LABELS, Network

BATCH = 64


@dataclass(frozen=True)
class Epoch:
    """The result of one pass over the pictures; ``accuracy`` is measured on the held-out pictures."""

    number: int
    loss: float
    accuracy: float


@dataclass(frozen=True)
class Fit:
    """A fitted network, its accuracy on the held-out pictures, and the numbers of pictures."""

    network: Network
    accuracy: float
    learnt_from: int
    held_out: int


def fit(hyperparameters: Hyperparameters, report: Callable[[Epoch], None]) -> Fit:
    """Fit a network to the bundled digits; call ``report`` after each epoch."""
    from sklearn.neural_network import MLPClassifier  # type: ignore[import-untyped]  # scikit-learn has no stubs
    from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]  # it has no stubs

    random = np.random.default_rng(hyperparameters.seed)
    known, held_out = samples.split(hyperparameters.test_share)
    learn = samples.enlarge(known, hyperparameters.augment, hyperparameters.printed, random)
    classifier = MLPClassifier(
        (hyperparameters.hidden,),
        activation=hyperparameters.activation,
        batch_size=min(BATCH, len(learn.labels)),
        learning_rate_init=hyperparameters.learning_rate,
        random_state=hyperparameters.seed,
    )
    # These matrices are small: more threads would only wait for each other and for other workers.
    with threadpool_limits(1):
        for number in range(1, hyperparameters.epochs + 1):
            classifier.partial_fit(learn.grids, learn.labels, classes=np.arange(LABELS))
            accuracy = float(classifier.score(held_out.grids, held_out.labels))
            report(Epoch(number, float(classifier.loss_), accuracy))
    return Fit(_network_of(classifier), accuracy, len(learn.labels), len(held_out.labels))


def _network_of(classifier: Any) -> Network:
    """Extract the weights of a scikit-learn ``MLPClassifier`` with one hidden layer."""
    hidden_weights, output_weights = (np.array(weights, dtype=np.float64) for weights in classifier.coefs_)
    hidden_bias, output_bias = (np.array(bias, dtype=np.float64) for bias in classifier.intercepts_)
    return Network(hidden_weights, hidden_bias, output_weights, output_bias, classifier.activation)
