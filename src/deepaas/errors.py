"""All exceptions of the package, each with its HTTP status."""

# ruff: noqa: N818 - the names describe the problem; all of them are errors.

from collections.abc import Mapping
from typing import Any


class DeepaasError(Exception):
    """Base class of all expected errors; `str()` returns a message for users."""

    status: int = 500

    @property
    def message(self) -> str:
        """The problem, and how to solve it."""
        return str(self)


class SettingsError(DeepaasError):
    """An option or a config file has an invalid value."""


class BadRequest(DeepaasError):
    """The request cannot be parsed."""

    status = 400


class InvalidJson(BadRequest):
    """The request's body is declared as JSON but is not valid JSON."""


class Unauthorized(DeepaasError):
    """The request has no token, or one that this server does not accept."""

    status = 401


class Forbidden(DeepaasError):
    """The token lacks the required scope, or the request's `Host` or `Origin` is not allowed."""

    status = 403


class RequestTimeout(DeepaasError):
    """The client sent the request's body too slowly."""

    status = 408


class EndpointDisabled(DeepaasError):
    """The endpoint is disabled on this server."""

    status = 402


class ModelNotFound(DeepaasError):
    """No model with that name is installed or served."""

    status = 404


class TrainingNotFound(DeepaasError):
    """The model has no training with that id."""

    status = 404


class ArtifactNotFound(DeepaasError):
    """The training has no artifact with that name."""

    status = 404


class NotAcceptable(DeepaasError):
    """The model offers none of the media types that the request accepts."""

    status = 406


class PayloadTooLarge(DeepaasError):
    """The request's body exceeds the server's size limit."""

    status = 413


class UnsupportedEncoding(DeepaasError):
    """The server does not support the compression of the request's body."""

    status = 415


class HeadersTooLarge(DeepaasError):
    """The request's headers exceed the server's size limit."""

    status = 431


class InvalidArguments(DeepaasError):
    """The arguments are invalid; `messages` maps arguments to their errors, nested like the fields."""

    status = 422

    def __init__(self, messages: Mapping[str, Any]) -> None:
        texts = (f"{name}: {format_messages(errors)}" for name, errors in messages.items())
        super().__init__(f"Invalid arguments: {'; '.join(texts)}")
        self.messages = dict(messages)


class ModelLoadError(DeepaasError):
    """The model cannot be imported, or its declarations are invalid; `detail` is the traceback as text."""

    def __init__(self, message: str, detail: str = "") -> None:
        super().__init__(message)
        self.detail = detail


class PredictionFailed(DeepaasError):
    """The model's function raised an error.

    `status` is the HTTP status that the model author chose, else 500; `detail` is the traceback as text.
    """

    def __init__(self, message: str, *, status: int = 500, detail: str = "") -> None:
        super().__init__(message)
        self.status = status
        self.detail = detail


class InvalidResponse(DeepaasError):
    """The model's result does not match its schema or the requested media type, or has no JSON form."""


class WorkerDied(DeepaasError):
    """The worker process exited before it finished the call."""


class FunctionNotImplemented(DeepaasError):
    """The model does not implement the function behind this route."""

    status = 501


class PredictionTimeout(DeepaasError):
    """The prediction exceeded the time limit, and its worker was killed."""

    status = 504


class ModelUnavailable(DeepaasError):
    """The model cannot accept calls now; a retry after `retry_after_s` seconds may succeed.

    `detail` is the traceback as text, if the model raised an error that is not logged yet.
    """

    status = 503

    def __init__(self, message: str, *, retry_after_s: float | None = None, detail: str = "") -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s
        self.detail = detail


class WorkerKilledDuringStart(ModelUnavailable):
    """A worker was killed before it started to load the model, so the model is not the cause."""


class StoreUnavailable(DeepaasError):
    """The database of trainings is temporarily unreachable, locked or full."""

    status = 503
    retry_after_s = 2.0


class StoreError(DeepaasError):
    """The database of trainings cannot be opened, is damaged, or was written by a newer version.

    With `is_unreachable`, the database could not be reached, which may be temporary.
    """

    def __init__(self, message: str, *, is_unreachable: bool = False) -> None:
        super().__init__(message)
        self.is_unreachable = is_unreachable


class ServerUnreachable(DeepaasError):
    """The client received no response, or an incomplete one."""

    status = 503


class UnexpectedResponse(DeepaasError):
    """The client received a response it does not expect, such as a proxy's error page.

    `status` is the HTTP status of the response.
    """

    status = 502

    def __init__(self, message: str, status: int = status) -> None:
        super().__init__(message)
        self.status = status


class TrainingFailed(DeepaasError):
    """The training that the client waited for did not succeed; `record` is its record."""

    def __init__(self, message: str, record: Mapping[str, Any]) -> None:
        super().__init__(message)
        self.record = dict(record)


def format_messages(messages: Any) -> str:
    """Return the errors of a marshmallow field, which may be nested, as one line."""
    if isinstance(messages, Mapping):
        return ", ".join(f"{key}: {format_messages(item)}" for key, item in messages.items())
    return " ".join(map(str, messages)) if isinstance(messages, list) else str(messages)
