"""A model that streams items, waits for a gate, and may fail in between."""

import socket

from webargs import fields


def get_predict_args():
    return {"port": fields.Int(), "fails": fields.Bool(load_default=False)}


def predict(fails, port=None):
    yield {"word": "first", "letters": 5}
    yield {"word": "second", "letters": 6}
    if port:
        with socket.create_connection(("127.0.0.1", port)) as gate:
            gate.recv(1)
    if fails:
        raise ValueError("no more words")
    yield {"word": "last", "letters": 4}
