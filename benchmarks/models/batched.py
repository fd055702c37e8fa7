"""A network layer whose weights are read from memory once per batch."""

import numpy as np
from webargs import fields

_SIZE = 4096
_weights = np.full((_SIZE, _SIZE), 1 / _SIZE, dtype=np.float32)


def get_predict_args():
    return {"x": fields.Float(required=True)}


def predict(x):
    """Return the layer's output for one input."""
    return predict_batch([{"x": x}])[0]


def predict_batch(calls):
    """Return the layer's outputs for many inputs, in order."""
    inputs = np.repeat(np.array([[call["x"] for call in calls]], dtype=np.float32), _SIZE, axis=0)
    return [{"y": float(y)} for y in (_weights @ inputs)[0]]
