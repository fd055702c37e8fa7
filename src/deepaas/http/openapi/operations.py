"""Table of all published operations, with their parameters and responses."""

from collections.abc import Iterable, Iterator, Mapping
from typing import NamedTuple

from deepaas.describer.description import FunctionDescription, ModelDescription, Schema
from deepaas.http.openapi.schemas import TEXT, UUID
from deepaas.model.stream_encoding import EVENT_STREAM, JSON_LINES, get_stream_media_type

JSON = "application/json"
TEXT_PLAIN = "text/plain"
BINARY = "*/*"
PREDICTION = "ModelPredictionResponse"


class ParameterSpec(NamedTuple):
    """A parameter of the server, not of a model; `location` is path, query or header."""

    name: str
    location: str
    schema: Schema
    description: str


class ResponseSpec(NamedTuple):
    """A response; `content` is the name of a published schema, a schema, or None without a body.

    With `is_list`, the body is a list of `content`.
    `headers` maps names to descriptions; headers in `required_headers` are always sent.
    """

    description: str
    content: str | Schema | None = None
    media_types: tuple[str, ...] = (JSON,)
    headers: Mapping[str, str] = {}
    required_headers: tuple[str, ...] = ()
    is_list: bool = False


class OperationSpec(NamedTuple):
    """A method on a path; `responses` maps a status to a response or to the name of a shared one.

    `action` is a verb, often with a noun, such as `listTrainings`; `model` is the model's name, or empty for
    the server itself. No action may begin with the action of a model: with `getTrainingLog` beside
    `getTraining`, the models `digits` and `log_digits` would share an identifier. `arguments` belong to
    the model. A public operation requires no token. `unavailable_reason` is set if the server always rejects
    the operation, so that a UI need not offer it.
    """

    method: str
    path: str
    action: str
    model: str
    summary: str
    responses: Mapping[int, ResponseSpec | str]
    parameters: tuple[ParameterSpec, ...] = ()
    arguments: FunctionDescription | None = None
    is_public: bool = False
    unavailable_reason: str = ""

    @property
    def tag(self) -> str:
        """Return the group that a UI lists the operation in: the model's name, or `general`."""
        return self.model or "general"

    def build_operation_id(self, identifiers: Mapping[str, str]) -> str:
        """Return the `operationId`; `identifiers` maps names of models to identifiers."""
        return f"{self.action}_{identifiers[self.model]}" if self.model else self.action


ERROR = "Error"
NOT_AUTHENTICATED = "NotAuthenticated"
NOT_ALLOWED = "NotAllowed"
METHOD_NOT_ALLOWED = "MethodNotAllowed"
SHARED_RESPONSES: Mapping[str, ResponseSpec] = {
    ERROR: ResponseSpec("Error", "Error"),
    "Unreadable": ResponseSpec("Malformed request", "Unreadable"),
    NOT_AUTHENTICATED: ResponseSpec(
        "Missing or unknown token",
        "Error",
        headers={"WWW-Authenticate": "Authentication scheme"},
        required_headers=("WWW-Authenticate",),
    ),
    NOT_ALLOWED: ResponseSpec("The token lacks the required scope", "Error"),
    "NotFound": ResponseSpec("Not found", "Error"),
    METHOD_NOT_ALLOWED: ResponseSpec(
        "Method not allowed", "Error", headers={"Allow": "Allowed methods"}, required_headers=("Allow",)
    ),
    "NotAcceptable": ResponseSpec("The model supports none of the accepted media types", "Error"),
    "TooSlow": ResponseSpec("The body arrived too slowly", "Error"),
    "TooLarge": ResponseSpec("The body is too large", "Error"),
    "InvalidArguments": ResponseSpec("Invalid arguments", "InvalidArguments"),
    "NotImplemented": ResponseSpec("The model does not implement this function", "Error"),
    "Unavailable": ResponseSpec(
        "Temporarily unavailable", "Error", headers={"Retry-After": "Seconds to wait, if known"}
    ),
    "TimedOut": ResponseSpec("The prediction exceeded its time limit", "Error"),
}
_BODY_ERRORS = {
    400: "Unreadable",
    408: "TooSlow",
    413: "TooLarge",
    422: "InvalidArguments",
    501: "NotImplemented",
}
_NOT_FOUND_ERRORS = {404: "NotFound"}
_PARAMETER_ERRORS = {400: "Unreadable", 404: "NotFound"}


def iterate_server_operations(*, debug_enabled: bool) -> Iterator[OperationSpec]:
    """Yield the operations of the server itself; with `debug_enabled`, recent output can be read."""
    yield _create_get_operation("/", "getRoot", "API versions", "Versions", is_public=True)
    yield _create_get_operation("/v2/", "getVersion", "This API version", "Version", is_public=True)
    yield _create_get_operation("/v2/models/", "listModels", "Metadata of all models", "Models")
    for path, suffix in (("/health", ""), ("/v2/health", "V2")):
        yield _create_get_operation(
            f"{path}/live", f"getLive{suffix}", "Liveness of the server", "Live", is_public=True
        )
        yield _create_readiness_operation(f"{path}/ready", f"getReady{suffix}", "all models")
    metrics = ResponseSpec("Metrics in Prometheus format", TEXT, (TEXT_PLAIN,))
    yield OperationSpec("get", "/metrics", "getMetrics", "", "Metrics of the server", {200: metrics})
    output = {200: ResponseSpec("Recent output", TEXT, (TEXT_PLAIN,))}
    disabled = {204: ResponseSpec("The endpoint is disabled", None, ())}
    responses = output if debug_enabled else disabled
    yield OperationSpec("get", "/v2/debug/", "getDebug", "", "Recent output of models and server", responses)


def iterate_model_operations(
    model: ModelDescription, prediction: str | Schema, disabled_functions: tuple[str, ...]
) -> Iterator[OperationSpec]:
    """Yield the operations of one model; `prediction` is the schema of its predictions, or its name.

    `disabled_functions` are the functions whose endpoints are disabled on this server.
    """
    name, root = model.name, f"/v2/models/{model.name}"
    yield _create_get_operation(f"{root}/", "getMetadata", "Metadata of the model", "Metadata", model=name)
    yield _create_readiness_operation(f"{root}/ready", "getReadiness", "the model", model=name)
    predict = _create_predict_operation(model, f"{root}/predict/", prediction)
    yield predict._replace(unavailable_reason=_get_unavailable_reason(model, "predict", disabled_functions))
    reloaded: dict[int, ResponseSpec | str] = {200: ResponseSpec("New workers have taken over", "Reloaded")}
    reloaded[503] = "Unavailable"
    yield OperationSpec("post", f"{root}/reload", "reload", name, "Replace the workers", reloaded)
    trainings: dict[int, ResponseSpec | str] = {
        200: ResponseSpec("Trainings, oldest first", "Training", is_list=True),
        400: "Unreadable",
    }
    limit = ParameterSpec("limit", "query", {"type": "integer", "minimum": 0}, "Number of newest trainings.")
    yield OperationSpec("get", f"{root}/train/", "listTrainings", name, "Trainings", trainings, (limit,))
    yield _create_train_operation(model, f"{root}/train/")._replace(
        unavailable_reason=_get_unavailable_reason(model, "train", disabled_functions)
    )
    for operation in _iterate_training_operations(f"{root}/train/{{uuid}}"):
        yield operation._replace(model=name)


def _iterate_training_operations(root: str) -> Iterator[OperationSpec]:
    training = ResponseSpec("Record of the training", "Training")
    artifacts = ResponseSpec("Artifacts of the training", "Artifact", is_list=True)
    artifact = ResponseSpec(
        "The file",
        TEXT | {"format": "binary"},
        (BINARY,),
        {"Content-Disposition": "Marks the response as a download"},
        ("Content-Disposition",),
    )
    log = ResponseSpec("Output of the training", TEXT, (TEXT_PLAIN,))
    events = ResponseSpec("Events of the training, as they occur", "Event", (EVENT_STREAM,), is_list=True)
    metrics = ResponseSpec("All reported metrics, oldest first", "Metrics", is_list=True)
    tail = ParameterSpec("tail", "query", {"type": "integer", "minimum": 0}, "Number of last lines.")
    follow = _create_flag_parameter("follow", "Also send new output until the training finishes.")
    purge = _create_flag_parameter("purge", "Delete the training, its log and its files afterwards.")
    last = ParameterSpec("Last-Event-ID", "header", TEXT, "Id of the last event received.")
    path = ParameterSpec("path", "path", TEXT, "Path of the artifact, as listed.")
    end = ResponseSpec("The training has finished, and the client has received all events")
    yield _create_training_operation("get", root, "getTraining", "Record of a training", {200: training})
    yield _create_training_operation(
        "delete", root, "cancelTraining", "Cancel a training", {200: training}, purge
    )
    yield _create_training_operation(
        "get", f"{root}/log", "getLog", "Log of a training", {200: log}, tail, follow
    )
    yield _create_training_operation(
        "get", f"{root}/metrics", "listMetrics", "Metrics of a training", {200: metrics}
    )
    yield _create_training_operation(
        "get", f"{root}/events", "getEvents", "Events of a training", {200: events, 204: end}, last, tail
    )
    yield _create_training_operation(
        "get", f"{root}/artifacts/", "listArtifacts", "Artifacts of a training", {200: artifacts}
    )
    yield _create_training_operation(
        "get", f"{root}/artifacts/{{path}}", "getArtifact", "An artifact of a training", {200: artifact}, path
    )
    provenance = ResponseSpec("Arguments, files, packages and machine", "Provenance")
    yield _create_training_operation(
        "get", f"{root}/provenance", "getProvenance", "Provenance of a training", {200: provenance}
    )


def _create_get_operation(
    path: str, action: str, summary: str, content: str, *, model: str = "", is_public: bool = False
) -> OperationSpec:
    return OperationSpec(
        "get", path, action, model, summary, {200: ResponseSpec(summary, content)}, is_public=is_public
    )


def _create_readiness_operation(path: str, action: str, subject: str, model: str = "") -> OperationSpec:
    responses = {
        200: ResponseSpec("Ready for predictions", "Ready"),
        503: ResponseSpec("Not ready, with the reasons", "Ready"),
    }
    summary = f"Readiness of {subject}"
    return OperationSpec("get", path, action, model, summary, responses, is_public=True)


def _create_predict_operation(model: ModelDescription, path: str, prediction: str | Schema) -> OperationSpec:
    description = "The prediction, item by item" if model.predict_is_generator else "The prediction"
    success = ResponseSpec(description, prediction, tuple(_list_media_types(model)) or (JSON,))
    responses = {200: success} | _BODY_ERRORS | {406: "NotAcceptable", 503: "Unavailable", 504: "TimedOut"}
    return OperationSpec(
        "post", path, "predict", model.name, "Make a prediction", responses, arguments=model.predict
    )


def _get_unavailable_reason(
    model: ModelDescription, function: str, disabled_functions: tuple[str, ...]
) -> str:
    if function in disabled_functions:
        return f"This server was started with --no{function}-endpoint."
    return "" if function in model.functions else f"The model '{model.name}' has no function '{function}'."


def _list_media_types(model: ModelDescription) -> Iterable[str]:
    """Return the media types that a prediction may have."""
    accept = model.predict.accept
    if model.predict_is_generator:
        return (
            dict.fromkeys(map(get_stream_media_type, accept.choices))
            if accept
            else (JSON_LINES, EVENT_STREAM)
        )
    return accept.choices if accept else (JSON,)


def _create_train_operation(model: ModelDescription, path: str) -> OperationSpec:
    responses = {200: ResponseSpec("Record of the new training", "Training")} | _BODY_ERRORS
    return OperationSpec(
        "post", path, "train", model.name, "Start a training", responses, arguments=model.train
    )


def _create_training_operation(
    method: str,
    path: str,
    action: str,
    summary: str,
    responses: Mapping[int, ResponseSpec | str],
    *extra_parameters: ParameterSpec,
) -> OperationSpec:
    """Return an operation on one training; the caller sets the model."""
    all_responses = dict(responses) | (_PARAMETER_ERRORS if extra_parameters else _NOT_FOUND_ERRORS)
    uuid = ParameterSpec("uuid", "path", UUID, "Id of the training.")
    return OperationSpec(method, path, action, "", summary, all_responses, (uuid, *extra_parameters))


def _create_flag_parameter(name: str, description: str) -> ParameterSpec:
    return ParameterSpec(name, "query", {"type": "boolean", "default": False}, description)
