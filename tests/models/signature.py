"""A function with a plain signature."""

from webargs import fields, validate

JSON = "application/json"


def get_predict_args():
    accepts = validate.OneOf([JSON])
    return {
        "model_name": fields.Str(required=True),
        "more": fields.Int(),
        "accept": fields.Str(validate=accepts),
    }


def predict(model_name, accept="the default of the signature", **options):
    return {"model_name": model_name, "accept": accept, "options": options}
