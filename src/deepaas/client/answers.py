"""What a server's answer means: a value of Python's own types, or an error of ours."""

import json
from typing import Any, NamedTuple

import httpx

from deepaas.errors import (
    BadRequest,
    DeepaasError,
    EndpointDisabled,
    Forbidden,
    FunctionNotImplemented,
    InvalidArguments,
    ModelNotFound,
    ModelUnavailable,
    NotAcceptable,
    PayloadTooLarge,
    PredictionFailed,
    PredictionTimeout,
    RequestTimeout,
    ServerUnreachable,
    Unauthorized,
    UnexpectedResponse,
)

_JSON = "application/json"
_NO_CONTENT = 204
_MIN_ERROR_STATUS = 300
_NOT_FOUND = 404
_UNPROCESSABLE = 422
UNAVAILABLE = 503
_MAX_TEXT_LENGTH = 200
_ERRORS_BY_STATUS: dict[int, type[DeepaasError]] = {
    error.status: error
    for error in (
        BadRequest,
        Unauthorized,
        EndpointDisabled,
        Forbidden,
        NotAcceptable,
        RequestTimeout,
        PayloadTooLarge,
        FunctionNotImplemented,
        PredictionTimeout,
    )
}


class ErrorContext(NamedTuple):
    """What an error means to a request: what is missing at 404, and whether the model's code was run."""

    not_found_error: type[DeepaasError] | None = ModelNotFound
    runs_model: bool = False


def is_error(response: httpx.Response) -> bool:
    """Say whether the response is anything else than what was asked for."""
    return response.status_code >= _MIN_ERROR_STATUS


def decode_body(response: httpx.Response) -> Any:
    """Return what the response holds: JSON's values, a text, or bytes; `None` when it is empty."""
    if response.status_code == _NO_CONTENT:
        return None
    media_type = get_media_type(response)
    if media_type == _JSON:
        return decode_json(response)
    return response.text if media_type.startswith("text/") else response.content


def decode_json(response: httpx.Response) -> Any:
    """Return the JSON that the response holds. Raise `UnexpectedResponse` where it holds none."""
    try:
        return json.loads(response.content)
    except ValueError as error:
        message = f"{response.request.url} answered {response.status_code} with what is no JSON: {error}"
        raise UnexpectedResponse(message, response.status_code) from error


def get_media_type(response: httpx.Response) -> str:
    """Return the response's media type, without its parameters."""
    return str(response.headers.get("Content-Type", "")).partition(";")[0].strip().lower()


def error_from_response(response: httpx.Response, context: ErrorContext) -> DeepaasError:
    """Return the error that the response, which has been read, says."""
    status = response.status_code
    if status == _UNPROCESSABLE and get_media_type(response) == _JSON:
        return InvalidArguments(decode_json(response))
    message = _extract_message(response)
    if status == UNAVAILABLE:
        return ModelUnavailable(message, retry_after_s=_parse_retry_after_s(response))
    if status == _NOT_FOUND and context.not_found_error:
        return context.not_found_error(message)
    if status in _ERRORS_BY_STATUS:
        return _ERRORS_BY_STATUS[status](message)
    if context.runs_model and is_server_error(response):
        return PredictionFailed(message, status=status)
    return UnexpectedResponse(_add_address(response, message), status)


def connection_error(error: httpx.RequestError) -> ServerUnreachable:
    """Return the error to raise for what kept an answer from coming."""
    said = str(error) or type(error).__name__
    return ServerUnreachable(f"No answer came from {error.request.url}: {said}.")


def is_server_error(response: httpx.Response) -> bool:
    """Say whether an error comes from the server itself, which says all in JSON, and not from a proxy."""
    return get_media_type(response) == _JSON


def _extract_message(response: httpx.Response) -> str:
    said = decode_json(response) if is_server_error(response) else None
    if isinstance(said, dict) and isinstance(said.get("message"), str):
        return str(said["message"])
    text = response.text.strip()[:_MAX_TEXT_LENGTH]
    where = response.headers.get("Location")
    more = f"; it leads to {where}" if where else f": {text}" if text else ""
    return f"{_format_status(response)} {response.reason_phrase}{more}"


def _add_address(response: httpx.Response, message: str) -> str:
    """Return what an answer that nobody foresaw says, and who said it."""
    begin = _format_status(response)
    return message if message.startswith(begin) else f"{begin}: {message}"


def _format_status(response: httpx.Response) -> str:
    return f"{response.request.url} answered {response.status_code}"


def _parse_retry_after_s(response: httpx.Response) -> float | None:
    """Return the seconds to wait; a date, which this server never sends, is as good as nothing."""
    text = response.headers.get("Retry-After", "")
    return float(text) if text.isdecimal() else None
