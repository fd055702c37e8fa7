"""xgboost boosting that prints the losses of two data sets."""

import time

import numpy as np
import xgboost


class Slow(xgboost.callback.TrainingCallback):
    """Slows training down to the pace of a real model."""

    def after_iteration(self, model: object, epoch: int, evals_log: object) -> bool:
        time.sleep(0.1)
        return False


x = np.random.default_rng(0).random((200, 4))
data = xgboost.DMatrix(x, x.sum(1))
xgboost.train({}, data, 20, evals=[(data, "train"), (data, "test")], callbacks=[Slow()])
