"""Keras 3, with validation after each epoch and an evaluation at the end."""

import os
import time

os.environ["KERAS_BACKEND"] = "torch"

import keras
import numpy as np


class Slow(keras.callbacks.Callback):
    """Slows training down to the pace of a real model."""

    def on_train_batch_end(self, batch: int, logs: object = None) -> None:
        time.sleep(0.1)


x, y = np.random.default_rng(0).random((320, 4)), np.zeros(320)
model = keras.Sequential([keras.layers.Dense(1)])
model.compile("sgd", "mse", metrics=["mae"])
model.fit(x, y, epochs=4, batch_size=32, validation_split=0.1, callbacks=[Slow()])
model.evaluate(x, y)
