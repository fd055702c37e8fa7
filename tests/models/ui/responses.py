"""A model that returns media of every kind and JSON of every form."""

import base64
import io
import wave

from PIL import Image
from webargs import fields, validate

SVG = b'<svg xmlns="http://www.w3.org/2000/svg" width="40" height="40"><circle cx="20" cy="20" r="15"/></svg>'
CSV = 'name,size\n"a, b",1\n<i>c</i>,2\n'
PDF = b"""%PDF-1.4
1 0 obj<</Type/Catalog/Pages 2 0 R>>endobj
2 0 obj<</Type/Pages/Kids[3 0 R]/Count 1>>endobj
3 0 obj<</Type/Page/Parent 2 0 R/MediaBox[0 0 200 100]>>endobj
trailer<</Root 1 0 R>>
"""


def picture():
    file = io.BytesIO()
    Image.new("RGB", (30, 20), "teal").save(file, "PNG")
    return file.getvalue()


def sound():
    file = io.BytesIO()
    with wave.open(file, "wb") as writer:
        writer.setnchannels(1)
        writer.setsampwidth(1)
        writer.setframerate(8000)
        writer.writeframes(bytes(800))
    return file.getvalue()


def in_base64(content):
    return base64.b64encode(content).decode()


FILES = {
    "image/png": picture,
    "image/svg+xml": lambda: SVG,
    "audio/wav": sound,
    "video/mp4": lambda: b"\0\0\0\x18ftypisom" + bytes(64),
    "application/pdf": lambda: PDF,
    "text/csv": CSV.encode,
    "text/plain": lambda: b"plain <b>text</b>",
    "text/html": lambda: b"<h1>not a heading</h1>",
    "application/zip": lambda: b"PK\5\6" + bytes(18),
}
VALUES = {
    "labels": lambda: {"labels": ["cat", "dog"], "probabilities": [0.75, 0.25], "note": "seen twice"},
    "objects": lambda: [{"name": "a", "size": 1}, {"name": "b", "colour": "red"}],
    "matrix": lambda: [[1, 2], [3, 4]],
    "numbers": lambda: {"signal": [0.5, 1.5, -2]},
    "words": lambda: ["one", "two"],
    "nested": lambda: {"outer": {"inner": {"deep": 42}}, "nothing": None, "none": [], "yes": True},
    "media": lambda: {"mask": in_base64(picture()), "voice": in_base64(sound())},
    "data_url": lambda: "data:image/png;base64," + in_base64(picture()),
    "text": lambda: "just a sentence",
    "nan": lambda: float("nan"),
}


def get_predict_args():
    return {
        "form": fields.Str(load_default="text", validate=validate.OneOf(list(VALUES))),
        "accept": fields.Str(
            load_default="application/json", validate=validate.OneOf(["application/json", *FILES])
        ),
    }


def predict(form, accept):
    return VALUES[form]() if accept == "application/json" else FILES[accept]()
