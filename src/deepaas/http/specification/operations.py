"""The table of what is published: every operation with its parameters and answers.

It must not know how a version of the specification writes them down, nor what a model's fields say.
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import NamedTuple

from deepaas.http.specification.schemas import TEXT, UUID, Schema
from deepaas.model.arguments import Arguments
from deepaas.model.model import Model
from deepaas.model.streaming import EVENTS, LINES, streamed_type

JSON = "application/json"
TEXT_PLAIN = "text/plain"
BINARY = "*/*"
PREDICTION = "ModelPredictionResponse"


class Parameter(NamedTuple):
    """A parameter that is the server's own; `place` is path, query or header."""

    name: str
    place: str
    schema: Schema
    description: str


class Answer(NamedTuple):
    """A response: its `content` is a published schema's name, a schema, or None where there is no body.

    With `many`, the body is a list of such.
    `headers` are descriptions by name; those in `always` are never left out.
    """

    description: str
    content: str | Schema | None = None
    media_types: tuple[str, ...] = (JSON,)
    headers: Mapping[str, str] = {}
    always: tuple[str, ...] = ()
    many: bool = False


class Operation(NamedTuple):
    """A method on a path; `answers` holds a response, or the name of a shared one, by status.

    `action` is a verb, often with a noun, such as `listTrainings`; `model` is the name of the model that it
    is for, and empty for the server itself. No action begins with the action of a model: with
    `getTrainingLog` beside `getTraining`, the models `digits` and `log_digits` would share an identifier.
    `arguments` are the model's. An open operation never wants a token. `unavailable` says why the operation
    is always refused, if it is: a page then need not offer it.
    """

    method: str
    path: str
    action: str
    model: str
    summary: str
    answers: Mapping[int, Answer | str]
    parameters: tuple[Parameter, ...] = ()
    arguments: Arguments | None = None
    is_open: bool = False
    unavailable: str = ""

    @property
    def tag(self) -> str:
        """Return the group of operations that it is shown in: its model, or what is general."""
        return self.model or "general"

    def identifier(self, words: Mapping[str, str]) -> str:
        """Return the `operationId`; `words` are identifiers by the models' names."""
        return f"{self.action}_{words[self.model]}" if self.model else self.action


ERROR = "Error"
NOT_AUTHENTICATED = "NotAuthenticated"
NOT_ALLOWED = "NotAllowed"
METHOD_NOT_ALLOWED = "MethodNotAllowed"
SHARED: Mapping[str, Answer] = {
    ERROR: Answer("What is wrong", "Error"),
    "Unreadable": Answer("The request cannot be read", "Unreadable"),
    NOT_AUTHENTICATED: Answer(
        "No token, or none that is known",
        "Error",
        headers={"WWW-Authenticate": "How to send a token"},
        always=("WWW-Authenticate",),
    ),
    NOT_ALLOWED: Answer("The token does not have the scope that this takes", "Error"),
    "NotFound": Answer("There is nothing of that name", "Error"),
    METHOD_NOT_ALLOWED: Answer(
        "The path has other methods", "Error", headers={"Allow": "The methods that it has"}, always=("Allow",)
    ),
    "NotAcceptable": Answer("The model answers with none of the accepted media types", "Error"),
    "TooSlow": Answer("The body came too slowly", "Error"),
    "TooLarge": Answer("The body is larger than the server reads", "Error"),
    "InvalidArguments": Answer("Arguments do not fit", "InvalidArguments"),
    "NotImplemented": Answer("The model does not have this function", "Error"),
    "Unavailable": Answer(
        "Not now", "Error", headers={"Retry-After": "Seconds to wait, where they can be told"}
    ),
    "TimedOut": Answer("The prediction took longer than it may", "Error"),
}
_SENT = {400: "Unreadable", 408: "TooSlow", 413: "TooLarge", 422: "InvalidArguments", 501: "NotImplemented"}
_NAMED = {404: "NotFound"}
_ASKED = {400: "Unreadable", 404: "NotFound"}


def general(*, shows_output: bool) -> Iterator[Operation]:
    """Yield what there is whichever models are served; `shows_output`: what they print can be read."""
    yield _get("/", "getRoot", "The versions of the API", "Versions", is_open=True)
    yield _get("/v2/", "getVersion", "This version of the API", "Version", is_open=True)
    yield _get("/v2/models/", "listModels", "The metadata of all models", "Models")
    for path, suffix in (("/health", ""), ("/v2/health", "V2")):
        yield _get(f"{path}/live", f"getLive{suffix}", "Whether the server lives", "Live", is_open=True)
        yield _ready(f"{path}/ready", f"getReady{suffix}", "every model")
    figures = Answer("Figures for Prometheus", TEXT, (TEXT_PLAIN,))
    yield Operation("get", "/metrics", "getMetrics", "", "The server's figures", {200: figures})
    printed = {200: Answer("The recent output", TEXT, (TEXT_PLAIN,))}
    nothing = {204: Answer("The endpoint is switched off", None, ())}
    answers = printed if shows_output else nothing
    yield Operation("get", "/v2/debug/", "getDebug", "", "What models printed and logged", answers)


def of_model(model: Model, prediction: str | Schema, switched_off: tuple[str, ...]) -> Iterator[Operation]:
    """Yield what there is for one model; `prediction` is the schema of its predictions, or names it.

    `switched_off` are the functions that the server was started without.
    """
    name, root = model.name, f"/v2/models/{model.name}"
    yield _get(f"{root}/", "getMetadata", "The model's metadata", "Metadata", model=name)
    yield _ready(f"{root}/ready", "getReadiness", "the model", model=name)
    predict = _predict(model, f"{root}/predict/", prediction)
    yield predict._replace(unavailable=_why_not(model, "predict", switched_off))
    reloaded: dict[int, Answer | str] = {200: Answer("New workers have taken over", "Reloaded")}
    reloaded[503] = "Unavailable"
    yield Operation("post", f"{root}/reload", "reload", name, "Replace the workers", reloaded)
    trainings = {200: Answer("All trainings, the oldest first", "Training", many=True)}
    yield Operation("get", f"{root}/train/", "listTrainings", name, "All trainings", trainings)
    yield _train(model, f"{root}/train/")._replace(unavailable=_why_not(model, "train", switched_off))
    for operation in _of_training(f"{root}/train/{{uuid}}"):
        yield operation._replace(model=name)


def _of_training(root: str) -> Iterator[Operation]:
    training = Answer("The training's record", "Training")
    artifacts = Answer("The files that it left", "Artifact", many=True)
    artifact = Answer(
        "The file",
        TEXT | {"format": "binary"},
        (BINARY,),
        {"Content-Disposition": "That it is a file to save"},
        ("Content-Disposition",),
    )
    log = Answer("What the training printed", TEXT, (TEXT_PLAIN,))
    events = Answer("What happens, as it happens", "Event", (EVENTS,), many=True)
    metrics = Answer("The history of its metrics, the oldest first", "Metrics", many=True)
    tail = Parameter("tail", "query", {"type": "integer", "minimum": 0}, "Only so many of the last lines.")
    follow = _flag("follow", "Send what comes, too, until the training ends.")
    purge = _flag("purge", "Forget the training, its log and its files, afterwards.")
    last = Parameter("Last-Event-ID", "header", TEXT, "The id of the last event that was received.")
    path = Parameter("path", "path", TEXT, "The artifact's path, as the list has it.")
    end = Answer("The training has ended and all of it was received")
    yield _about("get", root, "getTraining", "One training", {200: training})
    yield _about("delete", root, "cancelTraining", "Cancel a training", {200: training}, purge)
    yield _about("get", f"{root}/log", "getLog", "A training's log", {200: log}, tail, follow)
    yield _about("get", f"{root}/metrics", "listMetrics", "A training's metrics", {200: metrics})
    yield _about(
        "get", f"{root}/events", "getEvents", "A training's events", {200: events, 204: end}, last, tail
    )
    yield _about("get", f"{root}/artifacts/", "listArtifacts", "What a training left", {200: artifacts})
    yield _about(
        "get",
        f"{root}/artifacts/{{path}}",
        "getArtifact",
        "A file a training left",
        {200: artifact},
        path,
    )
    provenance = Answer("Arguments, files, packages and machine", "Provenance")
    yield _about("get", f"{root}/provenance", "getProvenance", "How it came to be", {200: provenance})


def _get(
    path: str, action: str, summary: str, content: str, *, model: str = "", is_open: bool = False
) -> Operation:
    return Operation("get", path, action, model, summary, {200: Answer(summary, content)}, is_open=is_open)


def _ready(path: str, action: str, whose: str, model: str = "") -> Operation:
    answers = {
        200: Answer("A prediction could be made now", "Ready"),
        503: Answer("Why it could not", "Ready"),
    }
    summary = f"Whether {whose} can answer now"
    return Operation("get", path, action, model, summary, answers, is_open=True)


def _predict(model: Model, path: str, prediction: str | Schema) -> Operation:
    description = "The prediction, item by item" if model.streams else "The prediction"
    answer = Answer(description, prediction, tuple(_media_types(model)) or (JSON,))
    answers = {200: answer} | _SENT | {406: "NotAcceptable", 503: "Unavailable", 504: "TimedOut"}
    return Operation(
        "post",
        path,
        "predict",
        model.name,
        "Make a prediction",
        answers,
        (),
        model.predict_arguments,
    )


def _why_not(model: Model, function: str, switched_off: tuple[str, ...]) -> str:
    if function in switched_off:
        return f"This server was started with --no{function}-endpoint."
    return "" if model.has(function) else f"The model '{model.name}' has no function '{function}'."


def _media_types(model: Model) -> Iterable[str]:
    """Return what a prediction may be sent as."""
    accept = model.predict_arguments.accept
    if model.streams:
        return dict.fromkeys(map(streamed_type, accept.choices)) if accept else (LINES, EVENTS)
    return accept.choices if accept else (JSON,)


def _train(model: Model, path: str) -> Operation:
    answers = {200: Answer("The record of the new training", "Training")} | _SENT
    return Operation(
        "post",
        path,
        "train",
        model.name,
        "Start a training",
        answers,
        (),
        model.train_arguments,
    )


def _about(
    method: str, path: str, action: str, summary: str, answers: Mapping[int, Answer | str], *more: Parameter
) -> Operation:
    """Return an operation on one training, without its model."""
    found = dict(answers) | (_ASKED if more else _NAMED)
    uuid = Parameter("uuid", "path", UUID, "The training's id.")
    return Operation(method, path, action, "", summary, found, (uuid, *more))


def _flag(name: str, description: str) -> Parameter:
    return Parameter(name, "query", {"type": "boolean", "default": False}, description)
