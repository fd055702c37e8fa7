"""What the server itself sends, as JSON Schemas that Swagger 2.0 and OpenAPI 3.1 both understand.

It must not know which operations send it.
"""

from collections.abc import Callable
from typing import Any

from deepaas.trainings.training import State

Schema = dict[str, Any]
Ref = Callable[[str], Schema]
"""From the name of a published schema to a reference to it, which each version writes in its own way."""

ANYTHING: Schema = {}
TEXT: Schema = {"type": "string"}
NUMBER: Schema = {"type": "number"}
SECONDS_SINCE_EPOCH: Schema = {"type": "number", "description": "Seconds since the epoch."}
UUID: Schema = {"type": "string", "pattern": "^[0-9a-f]{32}$"}
_SHA256: Schema = {"type": "string", "pattern": "^[0-9a-f]{64}$"}
_EVENTS = ["state", "progress", "metrics", "log", "unfinished", "end"]
_DATE: Schema = {
    "type": "string",
    "pattern": r"^\d{4}-\d{2}-\d{2} \d{2}:\d{2}:\d{2}\.\d{6}$",
    "description": "The server's local time, YYYY-MM-DD HH:MM:SS.ffffff.",
}
_DURATION: Schema = {
    "type": "string",
    "pattern": r"^\d+:\d{2}:\d{2}\.\d{6}$",
    "description": "H:MM:SS.ffffff",
}


def array(items: Schema, description: str = "") -> Schema:
    """Return the schema of a list."""
    return {"type": "array", "items": items} | ({"description": description} if description else {})


def record(required: dict[str, Schema], optional: dict[str, Schema] | None = None) -> Schema:
    """Return the schema of an object with these properties, and perhaps others."""
    return {"type": "object", "properties": required | (optional or {}), "required": list(required)}


def by_name(values: Schema, description: str = "") -> Schema:
    """Return the schema of an object whose properties have names of any kind."""
    described = {"description": description} if description else {}
    return {"type": "object", "additionalProperties": values} | described


def published(ref: Ref) -> dict[str, Schema]:
    """Return every schema that operations refer to, by its name."""
    return _errors() | _descriptions(ref) | _health() | _trainings(ref)


def _errors() -> dict[str, Schema]:
    return {
        "Error": record({"message": TEXT}),
        "Unreadable": {
            "type": "object",
            "properties": {"message": TEXT, "json": array(TEXT, "What is wrong with a JSON body.")},
        },
        "InvalidArguments": by_name(
            ANYTHING, "What is wrong with each argument: a list of texts, or the same for each of its parts."
        ),
    }


def _descriptions(ref: Ref) -> dict[str, Schema]:
    links = array(ref("Link"))
    return {
        "Link": record({"rel": TEXT, "href": TEXT}, {"type": TEXT}),
        "Version": record({"version": TEXT, "id": TEXT, "links": links}),
        "Versions": record({"versions": array(ref("Version")), "links": links}),
        "Metadata": record({"id": TEXT, "name": TEXT, "links": links})
        | {"description": "With all else that the model's author says of it."},
        "Models": record({"models": array(ref("Metadata"))}),
    }


def _health() -> dict[str, Schema]:
    problems = by_name(TEXT, "What keeps each model from answering.")
    return {
        "Live": record({"live": {"type": "boolean"}}),
        "Ready": record({"ready": {"type": "boolean"}}, {"problems": problems}),
        "Reloaded": record({"workers": {"type": "integer", "description": "How many were replaced."}}),
    }


def _trainings(ref: Ref) -> dict[str, Schema]:
    artifact = record({"path": TEXT, "size": {"type": "integer", "description": "In bytes."}})
    artifact["properties"]["sha256"] = _SHA256
    return {
        "Artifact": artifact,
        "Result": record({"output": ANYTHING, "finish_date": _DATE, "duration": _DURATION}),
        "Training": _training(ref),
        "Metrics": record(
            {"time": SECONDS_SINCE_EPOCH, "step": ANYTHING, "total": ANYTHING, "metrics": by_name(ANYTHING)},
            {"hint": {"type": "boolean", "description": "Whether it was only read off what was printed."}},
        ),
        "Event": record({"id": TEXT, "event": {"type": "string", "enum": _EVENTS}, "data": TEXT})
        | {"description": "One event of the stream; its data are JSON."},
        "Provenance": _provenance(ref),
    }


def _training(ref: Ref) -> Schema:
    statuses = sorted({state.status for state in State})
    required = {
        "uuid": UUID,
        "date": _DATE,
        "args": by_name(ANYTHING),
        "status": {"type": "string", "enum": statuses},
        "state": {"type": "string", "enum": [state.value for state in State]},
    }
    optional = {
        "result": ref("Result"),
        "message": {"type": "string", "description": "Why the training ended as it did."},
        "progress": {"type": "number", "minimum": 0, "maximum": 1},
        "eta_s": {"type": "number", "description": "Seconds until the end, as far as can be told."},
        "metrics": by_name(ANYTHING, "The latest value of each metric."),
        "queue_position": {"type": "integer", "minimum": 1},
        "exit": TEXT,
        "peak_memory_mb": NUMBER,
        "traceback": TEXT,
        "artifacts": array(ref("Artifact")),
        "model_version": TEXT,
    }
    return record(required, optional)


def _provenance(ref: Ref) -> Schema:
    return record(
        {
            "training": by_name(ANYTHING, "Those parts of the record that tell what was asked and came out."),
            "model": by_name(ANYTHING, "Its name and version."),
            "uploads": by_name(ANYTHING, "SHA-256 of each uploaded file, by argument."),
            "artifacts": array(ref("Artifact")),
            "environment": {
                "description": "Interpreter, platform and packages, once the training has begun."
            },
            "host": TEXT,
            "started": {"description": "Seconds since the epoch, or null."},
            "finished": {"description": "Seconds since the epoch, or null."},
        }
    )
