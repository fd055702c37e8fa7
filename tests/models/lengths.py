"""A model that returns the lengths of its arguments."""

from webargs import fields


def get_predict_args():
    return {
        "numbers": fields.List(fields.Int(), load_default=[]),
        "text": fields.Str(load_default=""),
        "files": fields.List(fields.Field(), load_default=[], metadata={"type": "file", "location": "form"}),
    }


def get_train_args():
    return {"numbers": fields.List(fields.Int(), load_default=[]), "texts": fields.Raw(load_default=[])}


def predict(**arguments):
    return {name: len(value) for name, value in arguments.items()}


train = predict
