"""The functions and arguments that DEEPaaS serves: the module that the entry point names.

The network, its weights and its labels come from the package `magika`.
"""

import functools
from importlib.metadata import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any

from deepaas.model.v2.wrapper import UploadedFile
from marshmallow import fields, validate

if TYPE_CHECKING:
    from magika import Magika, MagikaResult

schema = {
    "label": fields.Str(required=True, metadata={"description": "The kind of file in one word."}),
    "description": fields.Str(required=True, metadata={"description": "The kind of file in words."}),
    "media_type": fields.Str(required=True, metadata={"description": "Its media type."}),
    "group": fields.Str(required=True, metadata={"description": "The group of the kind, such as code."}),
    "is_text": fields.Bool(required=True, metadata={"description": "Whether the file is a text."}),
    "score": fields.Float(
        required=True,
        validate=validate.Range(min=0, max=1),
        metadata={"description": "Confidence of the network, 0 to 1."},
    ),
}


def get_metadata() -> dict[str, str]:
    """Return the metadata of the installed distribution, and the version of its network."""
    about = metadata("filetype-model")
    return {
        "name": about["Name"],
        "version": about["Version"],
        "description": about["Summary"],
        "author": about["Author"],
        "license": about["License-Expression"],
        "network": f"magika {metadata('magika')['Version']}",
    }


@functools.cache
def network() -> "Magika":
    """Return the network, loaded once in each process."""
    from magika import Magika

    return Magika()


def warm() -> None:
    """Load the network, so that the first prediction is as fast as the others."""
    network()


def get_predict_args() -> dict[str, fields.Field]:
    """Return the arguments of ``predict``."""
    return {
        "file": fields.Raw(
            required=True,
            metadata={
                "type": "file",
                "location": "form",
                "description": "Any file. Its name is ignored.",
            },
        ),
    }


def predict(file: UploadedFile) -> dict[str, Any]:
    """Return the type of ``file``, as ``schema`` describes it."""
    [prediction] = predict_batch([{"file": file}])
    return prediction


def predict_batch(calls: list[dict[str, UploadedFile]]) -> list[dict[str, Any]]:
    """Return the result of ``predict`` for each call; the network evaluates all files together."""
    paths = [Path(str(call["file"].filename)) for call in calls]
    return [_to_prediction(result) for result in network().identify_paths(paths)]


def _to_prediction(result: "MagikaResult") -> dict[str, Any]:
    kind = result.output
    return {
        "label": str(kind.label),
        "description": kind.description,
        "media_type": kind.mime_type,
        "group": kind.group,
        "is_text": kind.is_text,
        "score": result.score,
    }
