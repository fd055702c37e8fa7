"""A model that says how much it was given."""

from webargs import fields


def get_predict_args():
    return {
        "numbers": fields.List(fields.Int(), load_default=[]),
        "text": fields.Str(load_default=""),
        "files": fields.List(fields.Field(), load_default=[], metadata={"type": "file", "location": "form"}),
    }


def predict(**arguments):
    return {name: len(value) for name, value in arguments.items()}
