"""A model that reads what was uploaded."""

from pathlib import Path


def get_predict_args():
    """Return a file."""
    from webargs import fields  # noqa: PLC0415 - the peers call `count` where there is no webargs

    return {"data": fields.Field(required=True, metadata={"type": "file", "location": "form"})}


def predict(data):
    """Read the file."""
    return count(Path(data.filename).read_bytes())


def count(content):
    """Return how much was uploaded."""
    return {"bytes": len(content)}
