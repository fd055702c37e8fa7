"""LightGBM boosting that prints the losses of two data sets."""

import time

import lightgbm
import numpy as np

x = np.random.default_rng(0).random((200, 4))
data = lightgbm.Dataset(x, x.sum(1))
lightgbm.train(
    {"objective": "l2"},
    data,
    20,
    valid_sets=[data, lightgbm.Dataset(x, x.prod(1), reference=data)],
    valid_names=["training", "test"],
    callbacks=[lightgbm.log_evaluation(1), lambda _: time.sleep(0.1)],
)
