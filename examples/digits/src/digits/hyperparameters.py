"""The hyperparameters of a training and their defaults. The server reads them, so imports are light."""

from dataclasses import dataclass

ACTIVATIONS = ("relu", "tanh")


@dataclass(frozen=True)
class Hyperparameters:
    """The hyperparameters of one training; ``digits.model.get_train_args`` documents them."""

    hidden: int = 128
    epochs: int = 20
    learning_rate: float = 0.003
    activation: str = "relu"
    augment: int = 3
    printed: int = 40
    test_share: float = 0.2
    seed: int = 0
