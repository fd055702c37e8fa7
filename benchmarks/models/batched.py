"""A layer of a network: its weights are read from memory once for a call, or once for a whole batch."""

import numpy as np
from webargs import fields

_SIZE = 4096
_weights = np.full((_SIZE, _SIZE), 1 / _SIZE, dtype=np.float32)


def get_predict_args():
    """Return one small argument."""
    return {"x": fields.Float(required=True)}


def predict(x):
    """Return what the layer makes of one input."""
    return predict_batch([{"x": x}])[0]


def predict_batch(calls):
    """Return what the layer makes of many inputs, in their order."""
    inputs = np.repeat(np.array([[call["x"] for call in calls]], dtype=np.float32), _SIZE, axis=0)
    return [{"y": float(y)} for y in (_weights @ inputs)[0]]
