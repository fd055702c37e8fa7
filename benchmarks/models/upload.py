"""A model that reads its upload."""

_PIECE_BYTES = 1 << 20


def get_predict_args():
    from webargs import fields  # noqa: PLC0415 - the peers call `count` where there is no webargs

    return {"data": fields.Field(required=True, metadata={"type": "file", "location": "form"})}


def predict(data):
    """Read the file in chunks: allocating 50 MB would take longer than receiving them."""
    size = 0
    with open(data.filename, "rb") as file:  # noqa: PTH123 - as models do
        while piece := file.read(_PIECE_BYTES):
            size += len(piece)
    return {"bytes": size}


def count(content):
    return {"bytes": len(content)}
