"""What a request names: a model, a training, an option of the query."""

from aiohttp import web

from deepaas.errors import BadRequest, NotServed
from deepaas.http.keys import SERVICE, SETTINGS
from deepaas.service import ServedModel

_TRUE = ("true", "1", "yes", "on", "")
_FALSE = ("false", "0", "no", "off")


def named(request: web.Request) -> ServedModel:
    """Return the model that the path names. Raise `ModelNotFound`."""
    return request.app[SERVICE].model(request.match_info["model"])


def predictable(request: web.Request) -> ServedModel:
    """Return the model that the path names. Raise `NotServed` when predictions are switched off."""
    if not request.app[SETTINGS].predict_endpoint:
        raise NotServed("This server makes no predictions: it was started with --nopredict-endpoint.")
    return named(request)


def trainable(request: web.Request) -> ServedModel:
    """Return the model that the path names. Raise `NotServed` when trainings are switched off."""
    if not request.app[SETTINGS].train_endpoint:
        raise NotServed("This server trains no models: it was started with --notrain-endpoint.")
    return named(request)


def uuid_of(request: web.Request) -> str:
    """Return the training's id that the path names."""
    return request.match_info["uuid"]


def flag(request: web.Request, name: str) -> bool:
    """Return whether the query asks for `name`. Raise `BadRequest` for what is neither yes nor no."""
    word = request.query.get(name, "false").lower()
    if word not in _TRUE + _FALSE:
        raise BadRequest(f"'{name}' is {word!r}; make it true or false.")
    return word in _TRUE


def count(request: web.Request, name: str) -> int | None:
    """Return the whole number that the query gives for `name`. Raise `BadRequest` for anything else."""
    text = request.query.get(name)
    if text is not None and not text.isdecimal():
        raise BadRequest(f"'{name}' is {text!r}; make it a whole number.")
    return None if text is None else int(text)
