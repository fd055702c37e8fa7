"""Arguments in the old marshmallow style: all metadata are keyword arguments."""

from pathlib import Path

from webargs import fields, validate


def get_predict_args():
    return {
        "count": fields.Int(missing=3, description="How many.", validate=validate.Range(1, 9)),
        "colour": fields.Str(missing="red", enum=["red", "green"], description="Documented, not enforced."),
        "picture": fields.Field(
            required=False, missing=None, type="file", location="form", description="A picture."
        ),
        "token": fields.Str(location="headers"),
    }


def predict(**arguments):
    picture = arguments.pop("picture")
    return arguments | {"picture": picture and Path(picture.filename).read_text()}
