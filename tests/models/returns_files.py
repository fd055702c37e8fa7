"""A model that returns files in all supported ways."""

import io
import pathlib
import tempfile

from marshmallow import fields, validate
from PIL import Image

from deepaas.model.v2.wrapper import ReturnedFile

TYPES = [
    "application/json",
    "image/png",
    "image/jpeg",
    "application/octet-stream",
    "text/plain",
    "application/zip",
]
LARGE = bytes(range(256)) * 20_000


def get_predict_args():
    return {
        "what": fields.Str(required=True),
        "accept": fields.Str(load_default=TYPES[0], validate=validate.OneOf(TYPES)),
        "data": fields.Field(metadata={"type": "file", "location": "form"}),
    }


def temporary(content, suffix=""):
    with tempfile.NamedTemporaryFile(suffix=suffix, dir=pathlib.Path.cwd(), delete=False) as file:
        file.write(content)
    return file.name


def at_the_second_byte():
    file = io.BytesIO(b"*bytes")
    file.seek(1)
    return file


class Vanishing(io.BytesIO):
    """A large file that deletes the copies in its folder once it has been read."""

    def __init__(self, folder):
        super().__init__(LARGE)
        self._folder = folder

    def read(self, size=-1):
        content = super().read(size)
        if not content:
            for copy in self._folder.glob("result-*"):
                copy.unlink()
        return content


WITH_UPLOAD = {
    "path_of_upload": lambda upload: upload.filename,
    "vanishing": lambda upload: Vanishing(pathlib.Path(upload.filename).parent),
}
RESULTS = {
    "bytes": lambda: b"bytes",
    "bytearray": lambda: bytearray(b"bytes"),
    "text": lambda: "bytes",
    "open": lambda: open(temporary(b"bytes"), "rb"),
    "open_text": lambda: open(temporary(b"bytes")),
    "bytesio": lambda: io.BytesIO(b"bytes"),
    "seeked": at_the_second_byte,
    "path": lambda: pathlib.Path(temporary(b"bytes")),
    "path_text": lambda: temporary(b"bytes"),
    "returned": lambda: ReturnedFile("name", temporary(b"bytes"), None, None),
    "named": lambda: ReturnedFile(
        filename=temporary(b"bytes"), content_type="text/csv", original_filename="tä ble.csv"
    ),
    "odd_type": lambda: ReturnedFile(filename=temporary(b"bytes"), content_type="text/csv\r\nX-Evil: 1"),
    "odd_name": lambda: ReturnedFile(filename=temporary(b"bytes"), original_filename="a\r\nX-Evil: 1"),
    "no_text_name": lambda: ReturnedFile(filename=temporary(b"bytes"), original_filename=pathlib.Path("a")),
    "undecodable_name": lambda: ReturnedFile(filename=temporary(b"bytes"), original_filename="a\udcff"),
    "picture": lambda: Image.new("RGB", (3, 2), "red"),
    "large": lambda: LARGE,
    "large_text": lambda: "x" * 500_000,
    "large_open": lambda: open(temporary(LARGE), "rb"),
    "large_path": lambda: pathlib.Path(temporary(LARGE)),
    "missing": lambda: pathlib.Path("/nowhere/at/all"),
    "number": lambda: 5,
    "unnamed": lambda: ReturnedFile(),
}


def predict(what, accept, data=None):
    return WITH_UPLOAD[what](data) if what in WITH_UPLOAD else RESULTS[what]()
