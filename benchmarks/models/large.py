"""A model whose result is 50 MB that it has in memory."""

import io

from webargs import fields, validate

MEDIA_TYPE = "application/octet-stream"
_content = bytes(50_000_000)


def get_predict_args():
    """Return the one media type that there is."""
    return {"accept": fields.Str(load_default=MEDIA_TYPE, validate=validate.OneOf([MEDIA_TYPE]))}


def predict(accept):  # noqa: ARG001 - there is but one
    """Return all of it."""
    return io.BytesIO(_content)
