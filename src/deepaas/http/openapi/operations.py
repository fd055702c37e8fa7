"""The table of what is published: every operation with its parameters and answers."""

from collections.abc import Iterable, Iterator, Mapping
from typing import NamedTuple

from deepaas.http.openapi.schemas import TEXT, UUID, Schema
from deepaas.model.arguments import Arguments
from deepaas.model.model import Model
from deepaas.model.stream_encoding import EVENT_STREAM, JSON_LINES, get_stream_media_type

JSON = "application/json"
TEXT_PLAIN = "text/plain"
BINARY = "*/*"
PREDICTION = "ModelPredictionResponse"


class ParameterSpec(NamedTuple):
    """A parameter that is the server's own; `location` is path, query or header."""

    name: str
    location: str
    schema: Schema
    description: str


class ResponseSpec(NamedTuple):
    """A response: its `content` is a published schema's name, a schema, or None where there is no body.

    With `is_list`, the body is a list of such.
    `headers` are descriptions by name; those in `required_headers` are never left out.
    """

    description: str
    content: str | Schema | None = None
    media_types: tuple[str, ...] = (JSON,)
    headers: Mapping[str, str] = {}
    required_headers: tuple[str, ...] = ()
    is_list: bool = False


class OperationSpec(NamedTuple):
    """A method on a path; `responses` holds a response, or the name of a shared one, by status.

    `action` is a verb, often with a noun, such as `listTrainings`; `model` is the name of the model that it
    is for, and empty for the server itself. No action begins with the action of a model: with
    `getTrainingLog` beside `getTraining`, the models `digits` and `log_digits` would share an identifier.
    `arguments` are the model's. An open operation never wants a token. `unavailable_reason` says why the
    operation is always refused, if it is: a page then need not offer it.
    """

    method: str
    path: str
    action: str
    model: str
    summary: str
    responses: Mapping[int, ResponseSpec | str]
    parameters: tuple[ParameterSpec, ...] = ()
    arguments: Arguments | None = None
    is_public: bool = False
    unavailable_reason: str = ""

    @property
    def tag(self) -> str:
        """Return the group of operations that it is shown in: its model, or what is general."""
        return self.model or "general"

    def build_operation_id(self, identifiers: Mapping[str, str]) -> str:
        """Return the `operationId`; `identifiers` are identifiers by the models' names."""
        return f"{self.action}_{identifiers[self.model]}" if self.model else self.action


ERROR = "Error"
NOT_AUTHENTICATED = "NotAuthenticated"
NOT_ALLOWED = "NotAllowed"
METHOD_NOT_ALLOWED = "MethodNotAllowed"
SHARED_RESPONSES: Mapping[str, ResponseSpec] = {
    ERROR: ResponseSpec("What is wrong", "Error"),
    "Unreadable": ResponseSpec("The request cannot be read", "Unreadable"),
    NOT_AUTHENTICATED: ResponseSpec(
        "No token, or none that is known",
        "Error",
        headers={"WWW-Authenticate": "How to send a token"},
        required_headers=("WWW-Authenticate",),
    ),
    NOT_ALLOWED: ResponseSpec("The token does not have the scope that this takes", "Error"),
    "NotFound": ResponseSpec("There is nothing of that name", "Error"),
    METHOD_NOT_ALLOWED: ResponseSpec(
        "The path has other methods",
        "Error",
        headers={"Allow": "The methods that it has"},
        required_headers=("Allow",),
    ),
    "NotAcceptable": ResponseSpec("The model answers with none of the accepted media types", "Error"),
    "TooSlow": ResponseSpec("The body came too slowly", "Error"),
    "TooLarge": ResponseSpec("The body is larger than the server reads", "Error"),
    "InvalidArguments": ResponseSpec("Arguments do not fit", "InvalidArguments"),
    "NotImplemented": ResponseSpec("The model does not have this function", "Error"),
    "Unavailable": ResponseSpec(
        "Not now", "Error", headers={"Retry-After": "Seconds to wait, where they can be told"}
    ),
    "TimedOut": ResponseSpec("The prediction took longer than it may", "Error"),
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
    """Yield what there is whichever models are served; `debug_enabled`: what they print can be read."""
    yield _create_get_operation("/", "getRoot", "The versions of the API", "Versions", is_public=True)
    yield _create_get_operation("/v2/", "getVersion", "This version of the API", "Version", is_public=True)
    yield _create_get_operation("/v2/models/", "listModels", "The metadata of all models", "Models")
    for path, suffix in (("/health", ""), ("/v2/health", "V2")):
        yield _create_get_operation(
            f"{path}/live", f"getLive{suffix}", "Whether the server lives", "Live", is_public=True
        )
        yield _create_readiness_operation(f"{path}/ready", f"getReady{suffix}", "every model")
    figures = ResponseSpec("Figures for Prometheus", TEXT, (TEXT_PLAIN,))
    yield OperationSpec("get", "/metrics", "getMetrics", "", "The server's figures", {200: figures})
    printed = {200: ResponseSpec("The recent output", TEXT, (TEXT_PLAIN,))}
    nothing = {204: ResponseSpec("The endpoint is switched off", None, ())}
    answers = printed if debug_enabled else nothing
    yield OperationSpec("get", "/v2/debug/", "getDebug", "", "What models printed and logged", answers)


def iterate_model_operations(
    model: Model, prediction: str | Schema, disabled_functions: tuple[str, ...]
) -> Iterator[OperationSpec]:
    """Yield what there is for one model; `prediction` is the schema of its predictions, or names it.

    `disabled_functions` are the functions that the server was started without.
    """
    name, root = model.name, f"/v2/models/{model.name}"
    yield _create_get_operation(f"{root}/", "getMetadata", "The model's metadata", "Metadata", model=name)
    yield _create_readiness_operation(f"{root}/ready", "getReadiness", "the model", model=name)
    predict = _create_predict_operation(model, f"{root}/predict/", prediction)
    yield predict._replace(unavailable_reason=_get_unavailable_reason(model, "predict", disabled_functions))
    reloaded: dict[int, ResponseSpec | str] = {200: ResponseSpec("New workers have taken over", "Reloaded")}
    reloaded[503] = "Unavailable"
    yield OperationSpec("post", f"{root}/reload", "reload", name, "Replace the workers", reloaded)
    trainings = {200: ResponseSpec("All trainings, the oldest first", "Training", is_list=True)}
    yield OperationSpec("get", f"{root}/train/", "listTrainings", name, "All trainings", trainings)
    yield _create_train_operation(model, f"{root}/train/")._replace(
        unavailable_reason=_get_unavailable_reason(model, "train", disabled_functions)
    )
    for operation in _iterate_training_operations(f"{root}/train/{{uuid}}"):
        yield operation._replace(model=name)


def _iterate_training_operations(root: str) -> Iterator[OperationSpec]:
    training = ResponseSpec("The training's record", "Training")
    artifacts = ResponseSpec("The files that it left", "Artifact", is_list=True)
    artifact = ResponseSpec(
        "The file",
        TEXT | {"format": "binary"},
        (BINARY,),
        {"Content-Disposition": "That it is a file to save"},
        ("Content-Disposition",),
    )
    log = ResponseSpec("What the training printed", TEXT, (TEXT_PLAIN,))
    events = ResponseSpec("What happens, as it happens", "Event", (EVENT_STREAM,), is_list=True)
    metrics = ResponseSpec("The history of its metrics, the oldest first", "Metrics", is_list=True)
    tail = ParameterSpec(
        "tail", "query", {"type": "integer", "minimum": 0}, "Only so many of the last lines."
    )
    follow = _create_flag_parameter("follow", "Send what comes, too, until the training ends.")
    purge = _create_flag_parameter("purge", "Forget the training, its log and its files, afterwards.")
    last = ParameterSpec("Last-Event-ID", "header", TEXT, "The id of the last event that was received.")
    path = ParameterSpec("path", "path", TEXT, "The artifact's path, as the list has it.")
    end = ResponseSpec("The training has ended and all of it was received")
    yield _create_training_operation("get", root, "getTraining", "One training", {200: training})
    yield _create_training_operation(
        "delete", root, "cancelTraining", "Cancel a training", {200: training}, purge
    )
    yield _create_training_operation(
        "get", f"{root}/log", "getLog", "A training's log", {200: log}, tail, follow
    )
    yield _create_training_operation(
        "get", f"{root}/metrics", "listMetrics", "A training's metrics", {200: metrics}
    )
    yield _create_training_operation(
        "get", f"{root}/events", "getEvents", "A training's events", {200: events, 204: end}, last, tail
    )
    yield _create_training_operation(
        "get", f"{root}/artifacts/", "listArtifacts", "What a training left", {200: artifacts}
    )
    yield _create_training_operation(
        "get",
        f"{root}/artifacts/{{path}}",
        "getArtifact",
        "A file a training left",
        {200: artifact},
        path,
    )
    provenance = ResponseSpec("Arguments, files, packages and machine", "Provenance")
    yield _create_training_operation(
        "get", f"{root}/provenance", "getProvenance", "How it came to be", {200: provenance}
    )


def _create_get_operation(
    path: str, action: str, summary: str, content: str, *, model: str = "", is_public: bool = False
) -> OperationSpec:
    return OperationSpec(
        "get", path, action, model, summary, {200: ResponseSpec(summary, content)}, is_public=is_public
    )


def _create_readiness_operation(path: str, action: str, subject: str, model: str = "") -> OperationSpec:
    answers = {
        200: ResponseSpec("A prediction could be made now", "Ready"),
        503: ResponseSpec("Why it could not", "Ready"),
    }
    summary = f"Whether {subject} can answer now"
    return OperationSpec("get", path, action, model, summary, answers, is_public=True)


def _create_predict_operation(model: Model, path: str, prediction: str | Schema) -> OperationSpec:
    description = "The prediction, item by item" if model.predict_is_generator else "The prediction"
    answer = ResponseSpec(description, prediction, tuple(_list_media_types(model)) or (JSON,))
    answers = {200: answer} | _BODY_ERRORS | {406: "NotAcceptable", 503: "Unavailable", 504: "TimedOut"}
    return OperationSpec(
        "post",
        path,
        "predict",
        model.name,
        "Make a prediction",
        answers,
        (),
        model.predict_arguments,
    )


def _get_unavailable_reason(model: Model, function: str, disabled_functions: tuple[str, ...]) -> str:
    if function in disabled_functions:
        return f"This server was started with --no{function}-endpoint."
    return "" if model.implements(function) else f"The model '{model.name}' has no function '{function}'."


def _list_media_types(model: Model) -> Iterable[str]:
    """Return what a prediction may be sent as."""
    accept = model.predict_arguments.accept
    if model.predict_is_generator:
        return (
            dict.fromkeys(map(get_stream_media_type, accept.choices))
            if accept
            else (JSON_LINES, EVENT_STREAM)
        )
    return accept.choices if accept else (JSON,)


def _create_train_operation(model: Model, path: str) -> OperationSpec:
    answers = {200: ResponseSpec("The record of the new training", "Training")} | _BODY_ERRORS
    return OperationSpec(
        "post",
        path,
        "train",
        model.name,
        "Start a training",
        answers,
        (),
        model.train_arguments,
    )


def _create_training_operation(
    method: str,
    path: str,
    action: str,
    summary: str,
    responses: Mapping[int, ResponseSpec | str],
    *extra_parameters: ParameterSpec,
) -> OperationSpec:
    """Return an operation on one training, without its model."""
    found = dict(responses) | (_PARAMETER_ERRORS if extra_parameters else _NOT_FOUND_ERRORS)
    uuid = ParameterSpec("uuid", "path", UUID, "The training's id.")
    return OperationSpec(method, path, action, "", summary, found, (uuid, *extra_parameters))


def _create_flag_parameter(name: str, description: str) -> ParameterSpec:
    return ParameterSpec(name, "query", {"type": "boolean", "default": False}, description)
