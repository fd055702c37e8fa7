"""A response described by a dictionary of fields."""

import numpy as np
from webargs import fields

schema = {
    "labels": fields.List(fields.Str(), required=True),
    "scores": fields.List(fields.Float(), required=True),
    "picture": fields.Str(metadata={"description": "The image, base64."}),
}


def get_predict_args():
    return {"fits": fields.Bool(load_default=True)}


def predict(fits):
    return {"labels": ["a"], "scores": np.array([0.5])} if fits else {"labels": "a", "extra": 1}
