"""A model that returns 50 MB from memory."""

import io

from webargs import fields, validate

MEDIA_TYPE = "application/octet-stream"
_content = bytes(50_000_000)


def get_predict_args():
    """Return the only media type."""
    return {"accept": fields.Str(load_default=MEDIA_TYPE, validate=validate.OneOf([MEDIA_TYPE]))}


def predict(accept):  # noqa: ARG001 - there is but one
    return io.BytesIO(_content)
