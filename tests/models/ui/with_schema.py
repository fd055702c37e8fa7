"""A model whose schema describes the media in its texts."""

from webargs import fields

from models.ui.responses import in_base64, picture

schema = {
    "mask": fields.Str(metadata={"description": "The image with what was found, in base64."}),
    "film": fields.Str(metadata={"description": "A video, in base64."}),
    "labels": fields.List(fields.Str()),
}


def predict():
    return {"mask": in_base64(picture()), "film": in_base64(bytes(64)), "labels": ["x"]}
