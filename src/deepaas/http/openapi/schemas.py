"""JSON Schemas of the server's own responses, valid in both Swagger 2.0 and OpenAPI 3.1."""

from collections.abc import Callable

from deepaas.describer.description import Schema
from deepaas.trainings.record import TrainingState

CreateRef = Callable[[str], Schema]
"""Returns a reference to the published schema of that name; the syntax depends on the version."""

ANY_VALUE: Schema = {}
TEXT: Schema = {"type": "string"}
NUMBER: Schema = {"type": "number"}
SECONDS_SINCE_EPOCH: Schema = {"type": "number", "description": "Seconds since the epoch."}
UUID: Schema = {"type": "string", "pattern": "^[0-9a-f]{32}$"}
_SHA256: Schema = {"type": "string", "pattern": "^[0-9a-f]{64}$"}
_EVENT_KINDS = ["state", "progress", "metrics", "log", "unfinished", "end"]
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


def create_array(items: Schema, description: str = "") -> Schema:
    """Return the schema of a list."""
    return {"type": "array", "items": items} | ({"description": description} if description else {})


def create_object(required: dict[str, Schema], optional: dict[str, Schema] | None = None) -> Schema:
    """Return the schema of an object with these properties; others are allowed."""
    return {"type": "object", "properties": required | (optional or {}), "required": list(required)}


def create_mapping(values: Schema, description: str = "") -> Schema:
    """Return the schema of an object with arbitrary names of properties."""
    described = {"description": description} if description else {}
    return {"type": "object", "additionalProperties": values} | described


def build_shared_schemas(create_ref: CreateRef) -> dict[str, Schema]:
    """Return all schemas that operations refer to, by name."""
    return (
        _build_error_schemas()
        | _build_description_schemas(create_ref)
        | _build_health_schemas()
        | _build_training_schemas(create_ref)
    )


def _build_error_schemas() -> dict[str, Schema]:
    return {
        "Error": create_object({"message": TEXT}),
        "Unreadable": {
            "type": "object",
            "properties": {"message": TEXT, "json": create_array(TEXT, "Errors in a JSON body.")},
        },
        "InvalidArguments": create_mapping(
            ANY_VALUE, "Errors by argument: a list of messages, or an object with errors of its parts."
        ),
    }


def _build_description_schemas(create_ref: CreateRef) -> dict[str, Schema]:
    links = create_array(create_ref("Link"))
    return {
        "Link": create_object({"rel": TEXT, "href": TEXT}, {"type": TEXT}),
        "Version": create_object({"version": TEXT, "id": TEXT, "links": links}),
        "Versions": create_object({"versions": create_array(create_ref("Version")), "links": links}),
        "Metadata": create_object({"id": TEXT, "name": TEXT, "links": links})
        | {"description": "Also has all other metadata of the model."},
        "Models": create_object({"models": create_array(create_ref("Metadata"))}),
    }


def _build_health_schemas() -> dict[str, Schema]:
    problems = create_mapping(TEXT, "Why each model is not ready.")
    return {
        "Live": create_object({"live": {"type": "boolean"}}),
        "Ready": create_object({"ready": {"type": "boolean"}}, {"problems": problems}),
        "Reloaded": create_object({"workers": {"type": "integer", "description": "Number of new workers."}}),
    }


def _build_training_schemas(create_ref: CreateRef) -> dict[str, Schema]:
    artifact = create_object({"path": TEXT, "size": {"type": "integer", "description": "In bytes."}})
    artifact["properties"]["sha256"] = _SHA256
    return {
        "Artifact": artifact,
        "Result": create_object({"output": ANY_VALUE, "finish_date": _DATE, "duration": _DURATION}),
        "Training": _build_training_record(create_ref),
        "Metrics": create_object(
            {
                "time": SECONDS_SINCE_EPOCH,
                "step": ANY_VALUE,
                "total": ANY_VALUE,
                "metrics": create_mapping(ANY_VALUE),
            },
            {
                "hint": {
                    "type": "boolean",
                    "description": "Whether the values were parsed from printed output.",
                }
            },
        ),
        "Event": create_object({"id": TEXT, "event": {"type": "string", "enum": _EVENT_KINDS}, "data": TEXT})
        | {"description": "One event of the stream; `data` is JSON."},
        "Provenance": _build_provenance(create_ref),
    }


def _build_training_record(create_ref: CreateRef) -> Schema:
    statuses = sorted({state.status for state in TrainingState})
    required = {
        "uuid": UUID,
        "date": _DATE,
        "args": create_mapping(ANY_VALUE),
        "status": {"type": "string", "enum": statuses},
        "state": {"type": "string", "enum": [state.value for state in TrainingState]},
    }
    optional = {
        "result": create_ref("Result"),
        "message": {"type": "string", "description": "Reason for the outcome of the training."},
        "progress": {"type": "number", "minimum": 0, "maximum": 1},
        "eta_s": {"type": "number", "description": "Estimated seconds until the training finishes."},
        "metrics": create_mapping(ANY_VALUE, "The latest value of each metric."),
        "queue_position": {"type": "integer", "minimum": 1},
        "exit": TEXT,
        "peak_memory_mb": NUMBER,
        "traceback": TEXT,
        "artifacts": create_array(create_ref("Artifact")),
        "model_version": TEXT,
    }
    return create_object(required, optional)


def _build_provenance(create_ref: CreateRef) -> Schema:
    return create_object(
        {
            "training": create_mapping(ANY_VALUE, "Arguments and outcome, as in the training's record."),
            "model": create_mapping(ANY_VALUE, "Name and version of the model."),
            "uploads": create_mapping(ANY_VALUE, "SHA-256 of each uploaded file, by argument."),
            "artifacts": create_array(create_ref("Artifact")),
            "environment": {
                "description": "Interpreter, platform and packages, once the training has started."
            },
            "host": TEXT,
            "started": {"description": "Seconds since the epoch, or null."},
            "finished": {"description": "Seconds since the epoch, or null."},
        }
    )
