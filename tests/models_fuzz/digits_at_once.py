"""The example, but for its trainings: they end at once, since fuzzing starts a hundred."""

import os

from digits.hyperparameters import Hyperparameters
from digits.model import get_metadata, get_predict_args, get_train_args, predict, schema

__all__ = ["get_metadata", "get_predict_args", "get_train_args", "predict", "schema"]


def warm():
    # A training is warmed, too, which would take longer than all else that this one does.
    if "DEEPAAS_TRAINING" in os.environ:
        return
    from digits import fitting, storage

    if not storage.model_path().exists():
        storage.save(
            fitting.fit(Hyperparameters(epochs=1, augment=0, printed=0), print), storage.model_path()
        )
    storage.current()


def train(**hyperparameters):
    return hyperparameters
