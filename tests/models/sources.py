"""Arguments that every part of a request can contain."""

from webargs import fields


def get_predict_args():
    return {
        "word": fields.Str(),
        "words": fields.List(fields.Str()),
        "split": fields.DelimitedList(fields.Int()),
        "table": fields.Dict(),
        "X-Token": fields.Str(metadata={"location": "headers"}),
    }


def predict(**arguments):
    return arguments
