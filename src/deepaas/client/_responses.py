"""Converts responses to Python values, or to the errors of `deepaas.errors`."""

import contextlib
import json
from collections.abc import Iterator
from typing import Any, NamedTuple

import httpx
from httpx_sse import SSEError

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
    TrainingFailed,
    Unauthorized,
    UnexpectedResponse,
)

_JSON = "application/json"
_NO_CONTENT = 204
_MIN_ERROR_STATUS = 300
_NOT_FOUND = 404
_UNPROCESSABLE = 422
_UNAVAILABLE = 503
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
    """How to convert error responses to a request.

    `not_found_error` stands for status 404. With `runs_model`, other errors in JSON are `PredictionFailed`.
    """

    not_found_error: type[DeepaasError] | None = ModelNotFound
    runs_model: bool = False


def is_error(response: httpx.Response) -> bool:
    """Return whether the response is an error or a redirect."""
    return response.status_code >= _MIN_ERROR_STATUS


def decode_body(response: httpx.Response) -> Any:
    """Return the body: decoded JSON, text, or bytes; `None` for status 204."""
    if response.status_code == _NO_CONTENT:
        return None
    media_type = get_media_type(response)
    if media_type == _JSON:
        return decode_json(response)
    return response.text if media_type.startswith("text/") else response.content


def decode_json(response: httpx.Response) -> Any:
    """Return the decoded JSON body. Raise `UnexpectedResponse` if it is not JSON."""
    try:
        return json.loads(response.content)
    except ValueError as error:
        message = f"{response.request.url} answered {response.status_code}, but the body is not JSON: {error}"
        raise UnexpectedResponse(message, response.status_code) from error


def get_media_type(response: httpx.Response) -> str:
    """Return the response's media type in lower case, without parameters."""
    return str(response.headers.get("Content-Type", "")).partition(";")[0].strip().lower()


def error_from_response(response: httpx.Response, context: ErrorContext) -> DeepaasError:
    """Return the exception for an error response, whose body has been read."""
    status = response.status_code
    if status == _UNPROCESSABLE and get_media_type(response) == _JSON:
        return InvalidArguments(decode_json(response))
    message = _extract_message(response)
    if status == _UNAVAILABLE:
        return ModelUnavailable(message, retry_after_s=_parse_retry_after_s(response))
    if status == _NOT_FOUND and context.not_found_error:
        return context.not_found_error(message)
    if status in _ERRORS_BY_STATUS:
        return _ERRORS_BY_STATUS[status](message)
    if context.runs_model and is_server_error(response):
        return PredictionFailed(message, status=status)
    return UnexpectedResponse(_add_address(response, message), status)


@contextlib.contextmanager
def translate_request_errors(url: httpx.URL) -> Iterator[None]:
    """Raise `ServerUnreachable` for a request that gets no response, or an incomplete one."""
    try:
        yield
    except SSEError as error:
        raise UnexpectedResponse(f"{url} sent no events: {error}.") from error
    except httpx.RequestError as error:
        raise ServerUnreachable(f"No response from {url}: {str(error) or type(error).__name__}.") from error


def require_done(record: dict[str, Any]) -> dict[str, Any]:
    """Return the record of a training that is done. Raise `TrainingFailed` for any other status."""
    if record["status"] != "done":
        reason = record.get("message") or f"it was {record['status']}"
        raise TrainingFailed(f"The training {record['uuid']} did not complete: {reason}", record)
    return record


def is_server_error(response: httpx.Response) -> bool:
    """Return whether an error comes from a DEEPaaS server, whose errors are JSON, and not from a proxy."""
    return get_media_type(response) == _JSON


def _extract_message(response: httpx.Response) -> str:
    content = decode_json(response) if is_server_error(response) else None
    if isinstance(content, dict) and isinstance(content.get("message"), str):
        return str(content["message"])
    text = response.text.strip()[:_MAX_TEXT_LENGTH]
    location = response.headers.get("Location")
    more = f"; it redirects to {location}" if location else f": {text}" if text else ""
    return f"{_format_status(response)} {response.reason_phrase}{more}"


def _add_address(response: httpx.Response, message: str) -> str:
    """Prefix the message with the URL and the status, unless it starts with them."""
    prefix = _format_status(response)
    return message if message.startswith(prefix) else f"{prefix}: {message}"


def _format_status(response: httpx.Response) -> str:
    return f"{response.request.url} answered {response.status_code}"


def _parse_retry_after_s(response: httpx.Response) -> float | None:
    """Return the seconds of `Retry-After`; a date, which DEEPaaS never sends, is ignored."""
    text = response.headers.get("Retry-After", "")
    return float(text) if text.isdecimal() else None
