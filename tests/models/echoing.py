"""A model that returns its arguments or its upload."""

from webargs import fields, validate


def get_predict_args():
    return {
        "data": fields.Field(metadata={"type": "file", "location": "form"}),
        "text": fields.Str(validate=validate.Length(max=20)),
        "number": fields.Float(allow_none=True, validate=validate.Range(min=0)),
        "flag": fields.Bool(),
        "numbers": fields.List(fields.Int()),
        "delimited": fields.DelimitedList(fields.Int()),
        "table": fields.Dict(),
        "X-Word": fields.Str(metadata={"location": "headers"}),
        "accept": fields.Str(
            load_default="application/json",
            validate=validate.OneOf(["application/json", "text/plain", "application/octet-stream"]),
        ),
    }


def predict(accept, data=None, **others):
    if accept == "application/json":
        return others | ({"file": data.original_filename} if data else {})
    return open(data.filename, "rb")
