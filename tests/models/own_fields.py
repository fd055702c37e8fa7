"""Custom field classes, made in all ways that marshmallow allows."""

import os

from marshmallow import ValidationError, fields, missing


class Reversed(fields.Field):
    def _deserialize(self, value, attr, data, **kwargs):
        return str(value)[::-1]


class Checked(fields.Str):
    def _validate(self, value):
        if value not in os.listdir("."):
            raise ValidationError(f"There is no {value}.")


class Everything(fields.Field):
    def deserialize(self, value, attr=None, data=None, **kwargs):
        return "nothing" if value is None or value is missing else f"everything {value}"


class Documented(fields.Str):
    def __init__(self, **kwargs):
        self.metadata = {"description": "Set before the constructor of marshmallow."}
        super().__init__(**kwargs)


def get_predict_args():
    return {
        "reversed": Reversed(),
        "checked": Checked(),
        "everything": Everything(),
        "documented": Documented(),
    }


def predict(**arguments):
    return arguments
