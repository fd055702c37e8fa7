"""Training records, their states, and their JSON in the V2 API."""

import dataclasses
import datetime as dt
import enum
from collections.abc import Mapping
from typing import Any

from deepaas.model import rendering
from deepaas.model.failures import strip_folders
from deepaas.model.v2.wrapper import UploadedFile


def display_arguments(arguments: Mapping[str, Any]) -> dict[str, Any]:
    """Return validated arguments as JSON values; an uploaded file becomes [name, media type, filename]."""
    return {
        name: rendering.to_jsonable_or_repr(_to_display_value(value)) for name, value in arguments.items()
    }


def _to_display_value(value: Any) -> Any:
    if isinstance(value, UploadedFile):
        return [value.name, value.content_type, value.original_filename]
    return [_to_display_value(item) for item in value] if isinstance(value, list) else value


class TrainingState(enum.StrEnum):
    """States of a training, in order. The last four are final."""

    QUEUED = "queued"
    STARTING = "starting"
    RUNNING = "running"
    CANCELLING = "cancelling"
    DONE = "done"
    ERROR = "error"
    CANCELLED = "cancelled"
    LOST = "lost"

    @property
    def is_final(self) -> bool:
        """Whether a training in this state never changes again."""
        return self in _FINAL_STATUS

    @property
    def status(self) -> str:
        """The state as a V2 API status: running, done, error or cancelled."""
        return _FINAL_STATUS.get(self, "running")


_DETAIL_FIELDS = (
    "progress",
    "eta_s",
    "metrics",
    "queue_position",
    "exit",
    "peak_memory_mb",
    "traceback",
    "artifacts",
    "model_version",
)

_FINAL_STATUS = {
    TrainingState.DONE: "done",
    TrainingState.ERROR: "error",
    TrainingState.CANCELLED: "cancelled",
    TrainingState.LOST: "error",
}


@dataclasses.dataclass(frozen=True, kw_only=True)
class TrainingRecord:
    """The record of one training. Times are seconds since the epoch; `progress` is from 0 to 1.

    `server` is the `ProcessId` of the owning server. `pid` and `process_start` identify the training's
    process; records of older versions have `pid_started`, a time, instead of `process_start`. `arguments` and
    `output` are the input and result of `train` as JSON values, or `RawJson` when read from the store.
    `uploads` has SHA-256 sums by argument name; `environment` is the key of the set of packages.
    `queue_position` is not stored but computed on reading.
    """

    uuid: str
    model: str
    created: float
    arguments: Any
    server: str = ""
    host: str = ""
    state: TrainingState = TrainingState.QUEUED
    pid: int | None = None
    pid_started: float | None = None
    process_start: str | None = None
    started: float | None = None
    finished: float | None = None
    output: Any = None
    message: str | None = None
    traceback: str | None = None
    exit: str | None = None
    progress: float | None = None
    eta_s: float | None = None
    metrics: dict[str, Any] | None = None
    peak_memory_mb: float | None = None
    artifacts: list[dict[str, Any]] | None = None
    model_version: str | None = None
    uploads: dict[str, Any] | None = None
    environment: str | None = None
    queue_position: int | None = None

    def to_v2_json(self) -> dict[str, Any]:
        """Return the record as JSON of the V2 API, with a detailed `state` in addition to `status`."""
        shown: dict[str, Any] = {
            "uuid": self.uuid,
            "date": _format_date(self.created),
            "args": self.arguments,
            "status": self.state.status,
            "state": self.state.value,
        }
        if self.state is TrainingState.DONE:
            shown["result"] = self.to_result_json()
        if self.message is not None:
            shown["message"] = strip_folders(self.message)
        return shown | self._details_to_json()

    def to_result_json(self) -> dict[str, Any]:
        """Return output, finish date and duration of a finished training."""
        assert self.finished is not None
        return {
            "output": self.output,
            "finish_date": _format_date(self.finished),
            "duration": _format_duration(self.finished - (self.started or self.created)),
        }

    def _details_to_json(self) -> dict[str, Any]:
        details = {name: getattr(self, name) for name in _DETAIL_FIELDS}
        details["eta_s"] = None if self.state.is_final else self.eta_s
        for name in ("exit", "traceback"):
            if details[name] is not None:
                details[name] = strip_folders(details[name])
        return {name: value for name, value in details.items() if value is not None}


def _format_date(seconds: float) -> str:
    return dt.datetime.fromtimestamp(seconds).isoformat(" ", "microseconds")  # noqa: DTZ006 - local time, as in 2.6


def _format_duration(seconds: float) -> str:
    """Return ``H:MM:SS.ffffff``."""
    minutes, rest = divmod(max(0.0, seconds), 60)
    hours, minutes = divmod(int(minutes), 60)
    return f"{hours}:{minutes:02}:{rest:09.6f}"
