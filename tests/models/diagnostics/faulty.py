"""A model with many mistakes, none of which prevents its import."""

import threading
import time

from marshmallow import Schema, fields, validate

threading.Thread(target=time.sleep, args=[60], daemon=True).start()
schema = {"labels": fields.List(fields.Str())}


class Inner(Schema):
    x = fields.Int(required=True)


def get_metadata():
    return {"name": "Faulty", "license": object()}


def get_predict_args():
    file = {"metadata": {"type": "file", "location": "form"}}
    return {
        "number": fields.Int(load_default=11, validate=validate.Range(min=1, max=10)),
        "optional": fields.Str(metadata={"description": "Given or not."}),
        "unwanted": fields.Str(metadata={"description": "Nobody takes it."}),
        "files": fields.List(fields.Field(**file), required=True),
        "inner": fields.Nested(Inner, required=True),
        "accept": fields.Str(load_default="application/json"),
    }


def predict(number, optional, files, inner, accept, undeclared):
    return {}


def get_train_args():
    return {"data": fields.Field(metadata={"type": "file", "location": "form"})}
