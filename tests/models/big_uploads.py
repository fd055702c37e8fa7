"""A model that only reads the size of its upload."""

import os

from webargs import fields


def get_predict_args():
    return {"data": fields.Raw(required=True, metadata={"type": "file", "location": "form"})}


def predict(data):
    return {"path": data.filename, "size": os.path.getsize(data.filename)}
