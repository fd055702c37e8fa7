"""Reads parameters of a request's path and query."""

from aiohttp import web

from deepaas.errors import BadRequest, EndpointDisabled
from deepaas.http.context import SERVICE, SETTINGS
from deepaas.service import ServedModel

_TRUE_WORDS = ("true", "1", "yes", "on", "")
_FALSE_WORDS = ("false", "0", "no", "off")
_MAX_DIGITS = 18  # of a signed 64-bit number


def get_model(request: web.Request) -> ServedModel:
    """Return the model in the path. Raise `ModelNotFound`."""
    return request.app[SERVICE].get_model(request.match_info["model"])


def get_model_for_prediction(request: web.Request) -> ServedModel:
    """Return the model in the path. Raise `ModelNotFound`, `EndpointDisabled` if predictions are disabled."""
    if not request.app[SETTINGS].predict_endpoint:
        raise EndpointDisabled("Predictions are disabled on this server (--nopredict-endpoint).")
    return get_model(request)


def get_model_for_training(request: web.Request) -> ServedModel:
    """Return the model in the path. Raise `ModelNotFound`, `EndpointDisabled` if trainings are disabled."""
    if not request.app[SETTINGS].train_endpoint:
        raise EndpointDisabled("Trainings are disabled on this server (--notrain-endpoint).")
    return get_model(request)


def get_training_id(request: web.Request) -> str:
    """Return the id of the training in the path."""
    return request.match_info["uuid"]


def get_bool_query(request: web.Request, name: str) -> bool:
    """Return a flag of the query, false if missing. Raise `BadRequest` for an invalid value."""
    word = request.query.get(name, "false").lower()
    if word not in _TRUE_WORDS + _FALSE_WORDS:
        raise BadRequest(f"Invalid value for '{name}': {word!r}. Use true or false.")
    return word in _TRUE_WORDS


def get_int_query(request: web.Request, name: str) -> int | None:
    """Return a number of the query, or `None` if missing. Raise `BadRequest` unless it is 0 or more."""
    text = request.query.get(name)
    if text is not None and not (text.isdecimal() and len(text) <= _MAX_DIGITS):
        raise BadRequest(f"Invalid value for '{name}': {text!r}. Use a whole number, of at most 18 digits.")
    return None if text is None else int(text)
