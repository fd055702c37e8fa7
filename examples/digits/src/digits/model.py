"""The functions and arguments that DEEPaaS serves: the module that the entry point names.

Functions import the other modules when they run. The server imports this module only to read the arguments,
so its process needs no NumPy, Pillow or scikit-learn.
"""

import io
import json
import zipfile
from dataclasses import asdict
from importlib.metadata import metadata
from typing import TYPE_CHECKING, Any

from aiohttp import web
from deepaas.model.v2.wrapper import UploadedFile
from marshmallow import fields, validate

from digits.hyperparameters import ACTIVATIONS, Hyperparameters

if TYPE_CHECKING:
    from digits.fitting import Epoch
    from digits.network import Weights
    from digits.picture import Ink

JSON, PNG, ZIP = "application/json", "image/png", "application/zip"

schema = {
    "labels": fields.List(
        fields.Int(), required=True, metadata={"description": "Digits, the most probable one first."}
    ),
    "probabilities": fields.List(
        fields.Float(), required=True, metadata={"description": "Probability of each label, 0 to 1."}
    ),
    "version": fields.Str(
        required=True, metadata={"description": "The model file in use; each training writes another one."}
    ),
}


def get_metadata() -> dict[str, str]:
    """Return the metadata of the installed distribution."""
    about = metadata("digits")
    return {
        "name": about["Name"],
        "version": about["Version"],
        "description": about["Summary"],
        "author": about["Author"],
        "license": about["License-Expression"],
    }


def warm() -> None:
    """Load the model file; if there is none, fit a network and save it, which takes seconds."""
    from digits import storage

    storage.current()


def get_predict_args() -> dict[str, fields.Field]:
    """Return the arguments of ``predict``."""
    return {
        "image": fields.Raw(
            required=True,
            metadata={
                "type": "file",
                "location": "form",
                "description": "A picture of one digit, of any size and colours.",
            },
        ),
        "top": fields.Int(
            load_default=3,
            validate=validate.Range(min=1, max=10),
            metadata={"description": "How many labels to return."},
        ),
        "accept": fields.Str(
            load_default=JSON,
            validate=validate.OneOf([JSON, PNG, ZIP]),
            metadata={"description": "JSON: the labels. PNG: the picture as the model saw it. ZIP: both."},
        ),
    }


def predict(image: UploadedFile, top: int = 3, accept: str = JSON) -> dict[str, Any] | io.BytesIO:
    """Return the digits that ``image`` may show.

    Returns a dict that matches ``schema``, or an open PNG or ZIP file, depending on ``accept``. Responds with
    status 400 if the upload is not a picture, or is blank.
    """
    [result] = predict_batch([{"image": image, "top": top, "accept": accept}])
    if isinstance(result, Exception):
        raise result
    return result


def predict_batch(calls: list[dict[str, Any]]) -> list[dict[str, Any] | io.BytesIO | Exception]:
    """Return the result or exception of each call; the network evaluates all pictures together."""
    import numpy as np

    from digits import storage

    grids = [_grid(call["image"]) for call in calls]
    model = storage.current()
    usable = [grid for grid in grids if not isinstance(grid, Exception)]
    rows = iter(model.network.probabilities(np.stack(usable)) if usable else ())
    return [
        grid if isinstance(grid, Exception) else _result(call, grid, next(rows), model.version)
        for call, grid in zip(calls, grids, strict=True)
    ]


def _grid(image: UploadedFile) -> "Ink | Exception":
    """Return the picture as the network sees it, or the error."""
    from digits import picture

    try:
        return picture.read_grid(str(image.filename))
    except picture.UnusablePictureError as error:
        return web.HTTPBadRequest(reason=str(error))


def _result(
    call: dict[str, Any], grid: "Ink", probabilities: "Weights", version: str
) -> dict[str, Any] | io.BytesIO:
    """Return one prediction in the media type that its call requests."""
    from digits import drawing

    accept = call["accept"]
    labels = [int(label) for label in (-probabilities).argsort()[: call["top"]]]
    shares = [float(probabilities[label]) for label in labels]
    result = {"labels": labels, "probabilities": shares, "version": version}
    if accept == JSON:
        return result
    drawn = drawing.draw(grid, labels, shares)
    return io.BytesIO(drawn) if accept == PNG else _zipped(result, drawn)


def get_train_args() -> dict[str, fields.Field]:
    """Return the arguments of ``train``."""
    return {
        "hidden": fields.Int(
            load_default=Hyperparameters.hidden,
            validate=validate.Range(min=4, max=1024),
            metadata={"description": "Units in the hidden layer."},
        ),
        "epochs": fields.Int(
            load_default=Hyperparameters.epochs,
            validate=validate.Range(min=1, max=500),
            metadata={"description": "Passes over all pictures."},
        ),
        "learning_rate": fields.Float(
            load_default=Hyperparameters.learning_rate,
            validate=validate.Range(min=0.00001, max=0.1),
            metadata={"description": "Size of the first steps of the Adam optimiser."},
        ),
        "activation": fields.Str(
            load_default=Hyperparameters.activation,
            validate=validate.OneOf(ACTIVATIONS),
            metadata={"description": "Activation function of the hidden units."},
        ),
        "augment": fields.Int(
            load_default=Hyperparameters.augment,
            validate=validate.Range(min=0, max=20),
            metadata={"description": "Distorted copies to add of each picture."},
        ),
        "printed": fields.Int(
            load_default=Hyperparameters.printed,
            validate=validate.Range(min=0, max=500),
            metadata={
                "description": "Printed drawings to add of each digit: the data set has only handwriting."
            },
        ),
        "test_share": fields.Float(
            load_default=Hyperparameters.test_share,
            validate=validate.Range(min=0.05, max=0.5),
            metadata={"description": "Share of the data set held out to measure accuracy."},
        ),
        "seed": fields.Int(
            load_default=Hyperparameters.seed,
            validate=validate.Range(min=0, max=2**32 - 1),
            metadata={"description": "Random seed; the choice of held-out pictures does not depend on it."},
        ),
    }


def train(**hyperparameters: Any) -> dict[str, Any]:
    """Fit a network, print a line for each epoch, and save the model file.

    Takes the arguments of ``get_train_args``. Returns the accuracy on the held-out pictures, the numbers of
    pictures, the hyperparameters, and the path and version of the model file.
    """
    from digits import storage
    from digits.fitting import fit

    chosen = Hyperparameters(**hyperparameters)
    fitted = fit(chosen, lambda epoch: _print_epoch(epoch, chosen.epochs))
    path = storage.model_path()
    return {
        "accuracy": fitted.accuracy,
        "learnt_from": fitted.learnt_from,
        "held_out": fitted.held_out,
        "hyperparameters": asdict(chosen),
        "model_file": str(path),
        "version": storage.save(fitted, path),
    }


def _print_epoch(epoch: "Epoch", epochs: int) -> None:
    # Flush, so that clients that follow the training see the line at the end of the epoch.
    progress = f"epoch {epoch.number}/{epochs}"
    print(f"{progress} - loss: {epoch.loss:.4f} - accuracy: {epoch.accuracy:.4f}", flush=True)


def _zipped(result: dict[str, Any], drawn: bytes) -> io.BytesIO:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("result.json", json.dumps(result, indent=2))
        archive.writestr("result.png", drawn)
    content.seek(0)
    return content
