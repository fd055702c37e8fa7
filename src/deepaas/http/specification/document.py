"""What the two versions share: apispec, the operations, and what the settings add."""

import abc
import warnings
from collections.abc import Iterable, Mapping
from importlib.metadata import version
from typing import Any, NamedTuple

from apispec import APISpec
from marshmallow.fields import Field

from deepaas.http.errors import REQUEST_ID
from deepaas.http.specification import identifiers, operations, schemas
from deepaas.http.specification.converter import FieldPlugin
from deepaas.http.specification.operations import PREDICTION, SHARED, Answer, Operation, Parameter
from deepaas.http.specification.properties import FieldProperties
from deepaas.http.specification.schemas import Schema, record
from deepaas.messages import Envelope
from deepaas.model import output
from deepaas.model.arguments import Arguments
from deepaas.model.model import Model

_ANY_JSON: Schema = {"description": "The model's prediction, whatever JSON it is"}
_DESCRIPTION = "Serve and train models over REST."


class Published(NamedTuple):
    """What the settings add to what the models say.

    `envelope` is how predictions without a schema are sent, `shows_output` says that what models print can be
    read; `switched_off` are the functions that the server was started without.
    """

    base_path: str
    envelope: Envelope
    wants_token: bool
    shows_output: bool
    switched_off: tuple[str, ...] = ()


class Document(abc.ABC):
    """A document in the making; a subclass for each version says how things are written in it."""

    specification_version: str
    references: str
    names_every_prediction: bool
    """Whether the schema of predictions is published by name also where the model declares none."""

    def __init__(self, published: Published) -> None:
        self._published = published
        plugin = FieldPlugin(schema_name_resolver=_schema_name)  # type: ignore[arg-type]  # None is allowed
        info = {"description": _DESCRIPTION}
        self.spec = APISpec(
            "DEEPaaS", version("deepaas"), self.specification_version, plugins=[plugin], info=info
        )
        assert plugin.converter is not None
        self._fields = FieldProperties(plugin.converter)
        self._words: Mapping[str, str] = {}

    def document(self, models: Iterable[Model], **top: Any) -> dict[str, Any]:
        """Return the whole document, with `top` beside what apispec puts there."""
        if self._published.wants_token:
            self.spec.components.security_scheme("token", self.token_scheme())
            top["security"] = [{"token": []}]
        with warnings.catch_warnings():
            # Two models may name their nested schemas alike; apispec then numbers them, and warns.
            warnings.simplefilter("ignore", UserWarning)
            served = list(models)
            self._words = identifiers.words(model.name for model in served)
            self._add_shared()
            self._add(operations.general(shows_output=self._published.shows_output))
            for model in served:
                own = f"{PREDICTION}-{identifiers.schema_name(model.name, self._words[model.name])}"
                self._add_model(model, PREDICTION if len(served) == 1 else own)
        return output.record(top | self.spec.to_dict())  # type: ignore[no-any-return]  # a dict stays a dict

    def ref(self, name: str) -> Schema:
        """Return a reference to a published schema."""
        return {"$ref": f"{self.references}{name}"}

    def _add_shared(self) -> None:
        """Publish our schemas before the models', which get other names where they are called alike."""
        for name, schema in schemas.published(self.ref).items():
            self.spec.components.schema(name, schema)
        for name, answer in SHARED.items():
            self.spec.components.response(name, self.response(answer))

    def _add_model(self, model: Model, name: str) -> None:
        """Publish a model; `name` is for the schema of its predictions."""
        prediction = self._prediction(model)
        is_named = model.schema is not None or self.names_every_prediction
        if is_named:
            self.spec.components.schema(name, prediction)
        self._add(operations.of_model(model, name if is_named else prediction, self._published.switched_off))

    def _add(self, added: Iterable[Operation]) -> None:
        for operation in added:
            self.spec.path(operation.path, operations={operation.method: self._operation(operation)})

    def _operation(self, operation: Operation) -> dict[str, Any]:
        described: dict[str, Any] = {
            "operationId": operation.identifier(self._words),
            "summary": operation.summary,
            "tags": [operation.tag],
            "responses": self._responses(operation),
        }
        if operation.is_open and self._published.wants_token:
            described["security"] = []
        if operation.unavailable:
            described["x-unavailable"] = operation.unavailable
        own = [self.own_parameter(parameter) for parameter in operation.parameters]
        if own:
            described["parameters"] = own
        if operation.arguments:
            described |= self.request(operation.arguments)
        return described | self.produced(operation)

    def _responses(self, operation: Operation) -> dict[str, Any]:
        answers = dict(operation.answers) | {405: operations.METHOD_NOT_ALLOWED}
        if self._published.wants_token and not operation.is_open:
            answers |= {401: operations.NOT_AUTHENTICATED, 403: operations.NOT_ALLOWED}
        written = {str(status): self._written(answers[status]) for status in sorted(answers)}
        return written | {"default": operations.ERROR}

    def _written(self, answer: Answer | str) -> dict[str, Any] | str:
        return answer if isinstance(answer, str) else self.response(answer)

    def _prediction(self, model: Model) -> Schema:
        if model.schema is not None:
            return self._fields.of_schema(model.schema)
        if model.streams:
            return dict(_ANY_JSON)
        is_string = self._published.envelope is Envelope.STRING
        predictions = {"type": "string", "description": "The model's prediction, as a string"}
        return record(
            {
                "status": {"type": "string", "description": "OK"},
                "predictions": predictions if is_string else dict(_ANY_JSON),
            }
        )

    def property_of(self, field: Field) -> Schema:
        """Return what a field says."""
        return self._fields.of_field(field)

    def content_of(self, answer: Answer) -> Schema:
        """Return the schema of an answer's body, or of one item of it where there are many."""
        return self.ref(answer.content) if isinstance(answer.content, str) else dict(answer.content or {})

    @abc.abstractmethod
    def request(self, arguments: Arguments) -> dict[str, Any]:
        """Return what an operation says of a model's arguments."""

    @abc.abstractmethod
    def produced(self, operation: Operation) -> dict[str, Any]:
        """Return what an operation itself says of the media types of its answers."""

    @abc.abstractmethod
    def response(self, answer: Answer) -> dict[str, Any]:
        """Return a response."""

    @abc.abstractmethod
    def own_parameter(self, parameter: Parameter) -> dict[str, Any]:
        """Return a parameter of the server's own."""

    @abc.abstractmethod
    def token_scheme(self) -> dict[str, Any]:
        """Return how a token is sent."""


def headers_of(answer: Answer) -> dict[str, str]:
    """Return the descriptions of an answer's headers, by name."""
    return {REQUEST_ID: "The id of the request in the server's log"} | dict(answer.headers)


def is_required(arguments: Arguments, field: Field, key: str) -> bool:
    """Return whether a request must have the argument; a media type is chosen for one that has none."""
    return bool(field.required) and not arguments.is_negotiated(key)


def is_always_sent(name: str, answer: Answer) -> bool:
    """Say whether the answer never lacks this header."""
    return name == REQUEST_ID or name in answer.always


def _schema_name(schema: Any) -> str | None:
    """Name a schema by its class; one made of a dictionary has no name and is written in place."""
    name = (schema if isinstance(schema, type) else type(schema)).__name__
    return None if name == "GeneratedSchema" else identifiers.word(name)
