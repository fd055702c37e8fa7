"""Models that stream predictions, and that can block, fail or die in the middle."""

import logging
import os
import pathlib
import signal
import socket
import time

from webargs import fields, validate

ITEMS = {"bytes": [b"a", b"", bytearray(b"b")], "numbers": [1, 2], "none": [], "odd": [b"a", 1]}
TYPES = ["application/json", "text/event-stream", "text/csv", "audio/wav"]


def get_predict_args():
    return {
        "count": fields.Int(load_default=3),
        "size": fields.Int(load_default=1),
        "at": fields.Int(load_default=1),
        "port": fields.Int(),
        "end": fields.Str(),
        "note": fields.Str(),
    }


def happen(port, end):
    if port:
        with socket.create_connection(("127.0.0.1", port)) as gate:
            gate.recv(1)
    if end == "raise":
        raise ValueError("no more")
    if end == "teapot":
        error = RuntimeError("I am a teapot")
        error.status = 418
        raise error
    if end and end != "nan":
        os.kill(os.getpid(), signal.Signals[end])
        time.sleep(60)  # until the signal arrives


def predict(count, size, at, port=None, end=None, note=None):
    try:
        for number in range(count):
            if number == at:
                happen(port, end)
            yield {"number": float("nan") if end == "nan" and number == at else number, "text": "x" * size}
    finally:
        if note:
            logging.getLogger(__name__).warning("closing %s", note)
            with pathlib.Path("notes").open("a") as notes:
                notes.write(f"{note}\n")


class Chosen:
    """Offers several media types. Its predict() is a function that returns an iterator."""

    def get_predict_args(self):
        return get_predict_args() | {"accept": fields.Str(validate=validate.OneOf(TYPES))}

    def predict(self, accept, size, **options):
        if accept == "audio/wav":
            return (b"x" * size for _ in predict(size=1, **options))
        if accept == "text/csv":
            return (f"{item['number']},{'x' * size}\n" for item in predict(size=1, **options))
        return predict(size=size, **options)


class Checked:
    """Has a schema; if `odd` is true, item 1 does not match it."""

    schema = {"number": fields.Int(required=True)}

    def get_predict_args(self):
        return {"odd": fields.Bool(load_default=False), "note": fields.Str()}

    def predict(self, odd, note=None):
        try:
            yield {"number": 0}
            yield {"number": "one" if odd else 1}
            yield {"number": 2}
        finally:
            if note:
                pathlib.Path(note).touch()


class Asynchronous:
    """An asynchronous generator."""

    def get_predict_args(self):
        return get_predict_args()

    async def predict(self, **options):
        for item in predict(**options):
            yield item


class Anything:
    """Lets the first item decide the media type."""

    def get_predict_args(self):
        return {
            "accept": fields.Str(validate=validate.OneOf(["*/*"]), load_default="*/*"),
            "items": fields.Str(validate=validate.OneOf(list(ITEMS))),
        }

    def predict(self, accept, items):
        return iter(ITEMS[items])


class OddChoices:
    """Offers a media type that is not a valid header value."""

    def get_predict_args(self):
        return {"accept": fields.Str(load_default="text/a\r\nb")}

    def predict(self, accept):
        return iter(["a"])
