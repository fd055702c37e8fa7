"""Converts exceptions to JSON responses."""

import math
import traceback
from collections.abc import Awaitable, Callable
from typing import Any

from aiohttp import web

from deepaas.errors import (
    DeepaasError,
    InvalidArguments,
    InvalidJson,
    ModelUnavailable,
    StoreUnavailable,
    Unauthorized,
)
from deepaas.log import get_logger, traceback_extra
from deepaas.model.failures import describe_exception, strip_folders
from deepaas.model.json_encoding import dumps_jsonable
from deepaas.model.rendering import to_jsonable_or_repr

_SERVER_ERROR = 500
_NOT_IMPLEMENTED = 501
RESPONSE_STARTED = "response_started"
_log = get_logger("deepaas.http")

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


def json_response(content: Any, status: int = 200) -> web.Response:
    """Return a JSON response; `content` consists of plain JSON values."""
    return web.Response(body=dumps_jsonable(content), status=status, content_type="application/json")


def error_response(error: Exception) -> web.Response:
    """Return the response for `error`, and log it if the server or the model is at fault."""
    match error:
        case InvalidArguments():
            return json_response(to_jsonable_or_repr(error.messages), error.status)
        case InvalidJson():
            return json_response({"json": [error.message]}, error.status)
        case Unauthorized():
            response = _message_response(error.message, error.status)
            response.headers["WWW-Authenticate"] = "Bearer"
            return response
        case ModelUnavailable(retry_after_s=float(seconds)) | StoreUnavailable(retry_after_s=seconds):
            if error.__cause__:
                _log.error("%d %s: %s", error.status, error.message, error.__cause__)
            response = _message_response(error.message, error.status)
            response.headers["Retry-After"] = str(math.ceil(seconds))
            return response
        case DeepaasError():
            is_logged = _log_error(error.status, error.message, getattr(error, "detail", ""))
            return _message_response(error.message, error.status, is_logged=is_logged)
        case web.HTTPException():
            return _http_exception_response(error)
    # Any other exception is a fault of the server or its machine; clients get no details.
    _log_error(_SERVER_ERROR, describe_exception(error), "".join(traceback.format_exception(error)))
    message = (
        f"Internal server error: {type(error).__name__}. See the server's log, by the id of this request."
    )
    return json_response({"message": message}, _SERVER_ERROR)


def _message_response(message: str | None, status: int, *, is_logged: bool = False) -> web.Response:
    """Remove folders of this machine from the message; log the full message under the request's id."""
    public = message and strip_folders(message)
    if public != message and not is_logged:
        _log.info("%d %s", status, message)
    return json_response({"message": public}, status)


def _http_exception_response(error: web.HTTPException) -> web.Response:
    """Convert an aiohttp error or redirect, keeping its status, `Allow` and `Location`."""
    response = _message_response(_format_http_exception(error), error.status)
    for name in ("Allow", "Location"):
        if name in error.headers:
            response.headers[name] = error.headers[name]
    return response


def _format_http_exception(error: web.HTTPException) -> str | None:
    match error:
        case web.HTTPRequestEntityTooLarge():
            return error.text
        case web.HTTPMethodNotAllowed() if error.allowed_methods:
            return f"Method not allowed. Use {' or '.join(sorted(error.allowed_methods))}."
        case _:
            return error.reason


def _log_error(status: int, message: str, detail: str) -> bool:
    """Log at error level, and return true, if the server or the model is at fault; else at debug level."""
    if status < _SERVER_ERROR or status == _NOT_IMPLEMENTED:
        _log.debug("%d %s", status, message)
        return False
    _log.error("%d %s", status, message, extra=traceback_extra(detail))
    return True
