"""Trainings: their accuracy, and the effect of each hyperparameter."""

from dataclasses import replace

import numpy as np
import pytest

from digits import samples
from digits.fitting import Epoch, Fit, fit
from digits.hyperparameters import Hyperparameters

QUICK = Hyperparameters(hidden=8, epochs=2, augment=0, printed=0)


def test_default_accuracy_on_held_out_digits(default_fit: Fit) -> None:
    _, held_out = samples.split(Hyperparameters.test_share)
    guesses = default_fit.network.probabilities(held_out.grids).argmax(axis=1)
    assert (guesses == held_out.labels).mean() >= 0.97
    assert default_fit.accuracy == pytest.approx((guesses == held_out.labels).mean())


def test_each_epoch_is_reported() -> None:
    epochs: list[Epoch] = []
    fitted = fit(replace(QUICK, epochs=4), epochs.append)
    assert [epoch.number for epoch in epochs] == [1, 2, 3, 4]
    assert epochs[-1].loss < epochs[0].loss
    assert epochs[-1].accuracy == fitted.accuracy


def test_same_seed_same_network() -> None:
    first, second, other = (fit(replace(QUICK, seed=seed), lambda epoch: None) for seed in (5, 5, 6))
    assert np.array_equal(first.network.hidden_weights, second.network.hidden_weights)
    assert not np.array_equal(first.network.hidden_weights, other.network.hidden_weights)


@pytest.mark.parametrize(
    "change", [{"learning_rate": 0.01}, {"activation": "tanh"}, {"augment": 1}, {"printed": 5}]
)
def test_each_hyperparameter_counts(change: dict[str, float]) -> None:
    plain, changed = (fit(chosen, lambda epoch: None) for chosen in (QUICK, replace(QUICK, **change)))  # type: ignore[arg-type]  # values of several types
    assert not np.array_equal(plain.network.hidden_weights, changed.network.hidden_weights)


def test_sizes_are_the_chosen_ones() -> None:
    fitted = fit(replace(QUICK, hidden=12, test_share=0.5), lambda epoch: None)
    assert fitted.network.hidden_bias.shape == (12,)
    assert (fitted.learnt_from, fitted.held_out) == (898, 899)


def test_network_equals_scikit_learns() -> None:
    """The NumPy forward pass returns the same values as scikit-learn's."""
    from sklearn.neural_network import MLPClassifier  # type: ignore[import-untyped]  # noqa: PLC0415  # no stubs

    from digits.fitting import _network_of  # noqa: PLC0415

    learn, held_out = samples.split(0.2)
    for activation in ("relu", "tanh"):
        classifier = MLPClassifier((16,), activation=activation, random_state=0)
        classifier.partial_fit(learn.grids, learn.labels, classes=np.arange(10))
        ours = _network_of(classifier).probabilities(held_out.grids)
        assert ours == pytest.approx(classifier.predict_proba(held_out.grids), abs=1e-5)
