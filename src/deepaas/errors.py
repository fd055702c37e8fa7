"""Owns every exception the package raises: each class has its HTTP status and its title."""

# ruff: noqa: N818 - the names say what happened; all of them are errors.

from collections.abc import Mapping
from typing import Any


class DeepaasError(Exception):
    """Something went wrong in a way that this package foresaw; `str` of it is for people."""

    status: int = 500
    title: str = "Internal error"

    @property
    def message(self) -> str:
        """What happened and what to do next, in one text."""
        return str(self)


class SettingsError(DeepaasError):
    """An option or a config file says something that cannot be used."""

    title = "Bad settings"


class BadRequest(DeepaasError):
    """The request cannot be read at all."""

    status = 400
    title = "Bad request"


class InvalidJson(BadRequest):
    """A body that says it is JSON and is not."""


class Unauthorized(DeepaasError):
    """The request bears no token, or none that this server knows."""

    status = 401
    title = "Not authenticated"


class Forbidden(DeepaasError):
    """The token lacks the scope that this takes, or the `Host` or `Origin` is not one that may do it."""

    status = 403
    title = "Not allowed"


class RequestTimeout(DeepaasError):
    """The request's body came too slowly."""

    status = 408
    title = "Sender too slow"


class EndpointDisabled(DeepaasError):
    """The endpoint exists and whoever runs this server switched it off."""

    status = 402
    title = "Endpoint switched off"


class ModelNotFound(DeepaasError):
    """No model of that name is installed or served."""

    status = 404
    title = "Model not found"


class TrainingNotFound(DeepaasError):
    """The model has no training with that identifier."""

    status = 404
    title = "Training not found"


class ArtifactNotFound(DeepaasError):
    """The training left no file of that name."""

    status = 404
    title = "Artifact not found"


class NotAcceptable(DeepaasError):
    """The model offers none of the media types that the request accepts."""

    status = 406
    title = "Not acceptable"


class PayloadTooLarge(DeepaasError):
    """The request's body is larger than this server reads."""

    status = 413
    title = "Body too large"


class UnsupportedEncoding(DeepaasError):
    """The request's body is compressed in a way that this server does not read."""

    status = 415
    title = "Unsupported encoding"


class HeadersTooLarge(DeepaasError):
    """The request's headers are larger than this server reads."""

    status = 431
    title = "Headers too large"


class InvalidArguments(DeepaasError):
    """The arguments do not fit the model's fields; `messages` says which and why, nested like the fields."""

    status = 422
    title = "Invalid arguments"

    def __init__(self, messages: Mapping[str, Any]) -> None:
        super().__init__(f"Invalid arguments: {'; '.join(map(_format_argument_error, messages.items()))}")
        self.messages = dict(messages)


class ModelLoadError(DeepaasError):
    """The model's code failed on import or while describing itself; `detail` is the traceback's text."""

    title = "Model broken"

    def __init__(self, message: str, detail: str = "") -> None:
        super().__init__(message)
        self.detail = detail


class PredictionFailed(DeepaasError):
    """The model's own function raised; `status` is what its author meant, `detail` the traceback's text."""

    title = "Prediction failed"

    def __init__(self, message: str, *, status: int = 500, title: str = title, detail: str = "") -> None:
        super().__init__(message)
        self.status = status
        self.title = title
        self.detail = detail


class InvalidResponse(DeepaasError):
    """What the model returned fits neither its schema nor the media type asked for, or has no JSON form."""

    title = "Unfit response"


class WorkerDied(DeepaasError):
    """The worker that ran the call died before it answered."""

    title = "Worker lost"


class FunctionNotImplemented(DeepaasError):
    """The model does not have the function behind this route."""

    status = 501
    title = "Not implemented by the model"


class PredictionTimeout(DeepaasError):
    """The prediction took longer than it may; its worker was killed."""

    status = 504
    title = "Prediction timed out"


class ModelUnavailable(DeepaasError):
    """The model exists and cannot take a call now; trying again after `retry_after_s` seconds may work."""

    status = 503
    title = "Model unavailable"

    def __init__(self, message: str, *, retry_after_s: float | None = None) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s


class WorkerKilledDuringStart(ModelUnavailable):
    """A worker was killed before it came to the model's code, which says nothing of the model."""


class StoreUnavailable(DeepaasError):
    """The store of trainings cannot be read or written now: its database is away, locked or full."""

    status = 503
    title = "Store unavailable"
    retry_after_s = 2.0


class StoreError(DeepaasError):
    """The store of trainings cannot be opened, is damaged, or was written by a newer version.

    `is_unreachable` says that its database could not be reached, which may pass.
    """

    title = "Store unusable"

    def __init__(self, message: str, *, is_unreachable: bool = False) -> None:
        super().__init__(message)
        self.is_unreachable = is_unreachable


class ServerUnreachable(DeepaasError):
    """A client got no answer, or only a part of one."""

    status = 503
    title = "Server unreachable"


class UnexpectedResponse(DeepaasError):
    """A client got an answer that it has no other error for, such as a proxy's; `status` is the answer's."""

    status = 502
    title = "Unexpected answer"

    def __init__(self, message: str, status: int = status) -> None:
        super().__init__(message)
        self.status = status


class TrainingFailed(DeepaasError):
    """A training that a client waited for ended without being done; `record` is its record."""

    title = "Training failed"

    def __init__(self, message: str, record: Mapping[str, Any]) -> None:
        super().__init__(message)
        self.record = dict(record)


def _format_argument_error(argument: tuple[str, Any]) -> str:
    name, said = argument
    is_flat = isinstance(said, list) and all(isinstance(text, str) for text in said)
    return f"{name}: {' '.join(said) if is_flat else said}"
