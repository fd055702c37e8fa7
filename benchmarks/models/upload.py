"""A model that reads what was uploaded."""

_PIECE_BYTES = 1 << 20


def get_predict_args():
    """Return a file."""
    from webargs import fields  # noqa: PLC0415 - the peers call `count` where there is no webargs

    return {"data": fields.Field(required=True, metadata={"type": "file", "location": "form"})}


def predict(data):
    """Read the file, piece by piece: to hold 50 MB would take longer than to receive them."""
    size = 0
    with open(data.filename, "rb") as file:  # noqa: PTH123 - as models do
        while piece := file.read(_PIECE_BYTES):
            size += len(piece)
    return {"bytes": size}


def count(content):
    """Return how much was uploaded."""
    return {"bytes": len(content)}
