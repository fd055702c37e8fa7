"""What a training can be told, and the defaults. Imports nothing heavy: the server reads them."""

from dataclasses import dataclass

ACTIVATIONS = ("relu", "tanh")


@dataclass(frozen=True)
class Hyperparameters:
    """One training's choices; ``digits.model.get_train_args`` describes each one and its limits."""

    hidden: int = 128
    epochs: int = 20
    learning_rate: float = 0.003
    activation: str = "relu"
    augment: int = 3
    printed: int = 40
    test_share: float = 0.2
    seed: int = 0
