"""Arguments with a data_key."""

from marshmallow import fields


def get_predict_args():
    file = {"type": "file", "location": "form"}
    return {
        "size": fields.Int(required=True, data_key="image-size"),
        "image": fields.Field(data_key="the-image", metadata=file),
    }


def predict(**arguments):
    return {name: str(value) for name, value in arguments.items()}
