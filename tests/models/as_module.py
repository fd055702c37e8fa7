"""A module with plain functions."""

from marshmallow import fields


def get_metadata():
    return {"version": "7", "author": "Ada", "license": "MIT"}


def get_predict_args():
    return {"data": fields.Str(required=True)}


def predict(**arguments):
    return f"module {arguments['data']}"
