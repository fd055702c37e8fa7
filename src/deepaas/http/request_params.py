"""What a request names: a model, a training, an option of the query."""

from aiohttp import web

from deepaas.errors import BadRequest, EndpointDisabled
from deepaas.http.context import SERVICE, SETTINGS
from deepaas.service import ServedModel

_TRUE_WORDS = ("true", "1", "yes", "on", "")
_FALSE_WORDS = ("false", "0", "no", "off")


def get_model(request: web.Request) -> ServedModel:
    """Return the model that the path names. Raise `ModelNotFound`."""
    return request.app[SERVICE].get_model(request.match_info["model"])


def get_model_for_prediction(request: web.Request) -> ServedModel:
    """Return the model that the path names. Raise `EndpointDisabled` when predictions are switched off."""
    if not request.app[SETTINGS].predict_endpoint:
        raise EndpointDisabled("This server makes no predictions: it was started with --nopredict-endpoint.")
    return get_model(request)


def get_model_for_training(request: web.Request) -> ServedModel:
    """Return the model that the path names. Raise `EndpointDisabled` when trainings are switched off."""
    if not request.app[SETTINGS].train_endpoint:
        raise EndpointDisabled("This server trains no models: it was started with --notrain-endpoint.")
    return get_model(request)


def get_training_id(request: web.Request) -> str:
    """Return the training's id that the path names."""
    return request.match_info["uuid"]


def get_bool_query(request: web.Request, name: str) -> bool:
    """Return whether the query asks for `name`. Raise `BadRequest` for what is neither yes nor no."""
    word = request.query.get(name, "false").lower()
    if word not in _TRUE_WORDS + _FALSE_WORDS:
        raise BadRequest(f"'{name}' is {word!r}; make it true or false.")
    return word in _TRUE_WORDS


def get_int_query(request: web.Request, name: str) -> int | None:
    """Return the whole number that the query gives for `name`. Raise `BadRequest` for anything else."""
    text = request.query.get(name)
    if text is not None and not text.isdecimal():
        raise BadRequest(f"'{name}' is {text!r}; make it a whole number.")
    return None if text is None else int(text)
