"""The digits example with trainings that finish immediately, since fuzzing starts a hundred of them."""

import os

from digits.hyperparameters import Hyperparameters
from digits.model import get_metadata, get_predict_args, get_train_args, predict, schema

__all__ = ["get_metadata", "get_predict_args", "get_train_args", "predict", "schema"]


def warm():
    # A training process calls warm() too; fitting there would take most of its time.
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
