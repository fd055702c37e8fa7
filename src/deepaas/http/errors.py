"""The one place where errors become JSON."""

import math
import random
import traceback
from collections.abc import Awaitable, Callable
from typing import Any

from aiohttp import web

from deepaas.errors import (
    DeepaasError,
    InvalidArguments,
    InvalidJson,
    ModelUnavailable,
    NotAuthenticated,
    StoreUnavailable,
)
from deepaas.log import get_logger, with_trace
from deepaas.model.failure import describe, without_folders
from deepaas.model.jsonable import dumps_plain
from deepaas.model.output import record

_SERVER_ERROR = 500
_NOT_IMPLEMENTED = 501
REQUEST_ID = "X-Request-ID"
STREAMING = "streaming"
_log = get_logger("deepaas.http")

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


def new_identity() -> str:
    """Return an id for a request that brought none."""
    return f"{random.getrandbits(64):016x}"


def json_response(content: Any, status: int = 200) -> web.Response:
    """Return `content`, which is plain JSON values, as a JSON response."""
    return web.Response(body=dumps_plain(content), status=status, content_type="application/json")


def error_response(error: Exception) -> web.Response:
    """Return the answer to `error`; what is the server's or the model's fault goes to the log."""
    match error:
        case InvalidArguments():
            return json_response(record(error.messages), error.status)
        case InvalidJson():
            return json_response({"json": [error.message]}, error.status)
        case NotAuthenticated():
            response = _message(error.message, error.status)
            response.headers["WWW-Authenticate"] = "Bearer"
            return response
        case ModelUnavailable(retry_after_s=float(seconds)) | StoreUnavailable(retry_after_s=seconds):
            if error.__cause__:
                _log.error("%d %s: %s", error.status, error.message, error.__cause__)
            response = _message(error.message, error.status)
            response.headers["Retry-After"] = str(math.ceil(seconds))
            return response
        case DeepaasError():
            is_logged = _note(error.status, error.message, getattr(error, "detail", ""))
            return _message(error.message, error.status, is_logged=is_logged)
        case web.HTTPException():
            return _http_error(error)
    # What else is raised is a fault of the server, or of what it runs on: no matter of clients.
    _note(_SERVER_ERROR, describe(error), "".join(traceback.format_exception(error)))
    message = (
        f"The server failed with {type(error).__name__}. Its log says more, under the id of this request."
    )
    return json_response({"message": message}, _SERVER_ERROR)


def _message(message: str | None, status: int, *, is_logged: bool = False) -> web.Response:
    """Answer with a message without folders of this machine; the log has them, under the request's id."""
    public = message and without_folders(message)
    if public != message and not is_logged:
        _log.info("%d %s", status, message)
    return json_response({"message": public}, status)


def _http_error(error: web.HTTPException) -> web.Response:
    """Answer with the status and headers of an error, or of a redirection, that aiohttp raised."""
    response = _message(_said_of(error), error.status)
    for name in ("Allow", "Location"):
        if name in error.headers:
            response.headers[name] = error.headers[name]
    return response


def _said_of(error: web.HTTPException) -> str | None:
    match error:
        case web.HTTPRequestEntityTooLarge():
            return error.text
        case web.HTTPMethodNotAllowed() if error.allowed_methods:
            return f"This takes {' or '.join(sorted(error.allowed_methods))}."
        case _:
            return error.reason


def _note(status: int, message: str, detail: str) -> bool:
    """Log what is the server's or the model's fault; return whether it was."""
    if status < _SERVER_ERROR or status == _NOT_IMPLEMENTED:
        _log.debug("%d %s", status, message)
        return False
    _log.error("%d %s", status, message, extra=with_trace(detail))
    return True
