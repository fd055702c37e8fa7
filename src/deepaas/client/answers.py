"""What a server's answer means: a value of Python's own types, or an error of ours.

It must not know what was asked, other than what it is told.
"""

import json
from typing import Any, NamedTuple

import httpx

from deepaas.errors import (
    BadRequest,
    BodyTooLarge,
    DeepaasError,
    InvalidArguments,
    ModelNotFound,
    ModelUnavailable,
    NotAcceptable,
    NotAllowed,
    NotAuthenticated,
    NotImplementedByModel,
    NotServed,
    PredictionFailed,
    PredictionTimedOut,
    SenderTooSlow,
    ServerUnreachable,
    UnexpectedAnswer,
)

_JSON = "application/json"
_NO_CONTENT = 204
_FIRST_ERROR = 300
_NOT_FOUND = 404
_INVALID = 422
UNAVAILABLE = 503
_LONGEST_TEXT = 200
_ERRORS: dict[int, type[DeepaasError]] = {
    error.status: error
    for error in (
        BadRequest,
        NotAuthenticated,
        NotServed,
        NotAllowed,
        NotAcceptable,
        SenderTooSlow,
        BodyTooLarge,
        NotImplementedByModel,
        PredictionTimedOut,
    )
}


class Asked(NamedTuple):
    """What an error means to a request: what is missing at 404, and whether the model's code was run."""

    missing: type[DeepaasError] | None = ModelNotFound
    runs_model: bool = False


def is_error(response: httpx.Response) -> bool:
    """Say whether the response is anything else than what was asked for."""
    return response.status_code >= _FIRST_ERROR


def value_of(response: httpx.Response) -> Any:
    """Return what the response holds: JSON's values, a text, or bytes; `None` when it is empty."""
    if response.status_code == _NO_CONTENT:
        return None
    media_type = media_type_of(response)
    if media_type == _JSON:
        return json_of(response)
    return response.text if media_type.startswith("text/") else response.content


def json_of(response: httpx.Response) -> Any:
    """Return the JSON that the response holds. Raise `UnexpectedAnswer` where it holds none."""
    try:
        return json.loads(response.content)
    except ValueError as error:
        message = f"{response.request.url} answered {response.status_code} with what is no JSON: {error}"
        raise UnexpectedAnswer(message, response.status_code) from error


def media_type_of(response: httpx.Response) -> str:
    """Return the response's media type, without its parameters."""
    return str(response.headers.get("Content-Type", "")).partition(";")[0].strip().lower()


def error_of(response: httpx.Response, asked: Asked) -> DeepaasError:
    """Return the error that the response, which has been read, says."""
    status = response.status_code
    if status == _INVALID and media_type_of(response) == _JSON:
        return InvalidArguments(json_of(response))
    message = _message(response)
    if status == UNAVAILABLE:
        return ModelUnavailable(message, retry_after_s=_retry_after_s(response))
    if status == _NOT_FOUND and asked.missing:
        return asked.missing(message)
    if status in _ERRORS:
        return _ERRORS[status](message)
    if asked.runs_model and is_said_by_server(response):
        return PredictionFailed(message, status=status)
    return UnexpectedAnswer(_with_address(response, message), status)


def unreachable(error: httpx.RequestError) -> ServerUnreachable:
    """Return the error to raise for what kept an answer from coming."""
    said = str(error) or type(error).__name__
    return ServerUnreachable(f"No answer came from {error.request.url}: {said}.")


def is_said_by_server(response: httpx.Response) -> bool:
    """Say whether an error comes from the server itself, which says all in JSON, and not from a proxy."""
    return media_type_of(response) == _JSON


def _message(response: httpx.Response) -> str:
    said = json_of(response) if is_said_by_server(response) else None
    if isinstance(said, dict) and isinstance(said.get("message"), str):
        return str(said["message"])
    text = response.text.strip()[:_LONGEST_TEXT]
    where = response.headers.get("Location")
    more = f"; it leads to {where}" if where else f": {text}" if text else ""
    return f"{_answered(response)} {response.reason_phrase}{more}"


def _with_address(response: httpx.Response, message: str) -> str:
    """Return what an answer that nobody foresaw says, and who said it."""
    begin = _answered(response)
    return message if message.startswith(begin) else f"{begin}: {message}"


def _answered(response: httpx.Response) -> str:
    return f"{response.request.url} answered {response.status_code}"


def _retry_after_s(response: httpx.Response) -> float | None:
    """Return the seconds to wait; a date, which this server never sends, is as good as nothing."""
    text = response.headers.get("Retry-After", "")
    return float(text) if text.isdecimal() else None
