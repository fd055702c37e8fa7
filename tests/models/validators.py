"""Single validators, lists of validators, and all kinds of choices."""

from webargs import fields, validate


def get_predict_args():
    return {
        "alone": fields.Int(validate=validate.Range(1, 3)),
        "listed": fields.Int(validate=[validate.Range(1, 3), validate.NoneOf([2])]),
        "function": fields.Int(validate=lambda value: value % 2 == 0),
        "of_list": fields.Str(validate=validate.OneOf(["a", "b"])),
        "of_tuple": fields.Str(validate=validate.OneOf(("a", "b"))),
        "of_dict": fields.Str(validate=validate.OneOf({"a": 1, "b": 2})),
        "needed": fields.Str(required=True),
    }


def predict(**arguments):
    return arguments
