"""One model: its name and the functions of the author's object, with what is missing made plain."""

import contextlib
import functools
import inspect
import traceback
from collections.abc import Callable, Mapping
from typing import Any, Self

import marshmallow
from marshmallow.fields import Field

from deepaas.errors import ModelBroken, NotImplementedByModel
from deepaas.log import get_logger
from deepaas.model import loading, output, streaming
from deepaas.model.arguments import Arguments
from deepaas.model.failure import describe, without_folders
from deepaas.model.v2.base import BaseModel

_log = get_logger(__name__)


class Model:
    """A model as the server and its processes see it, whatever the author wrote it as."""

    def __init__(self, name: str, authors_object: Any) -> None:
        self.name = name
        self._object = authors_object

    @classmethod
    def load(cls, name: str, target: str) -> Self:
        """Import what `target` names. Raise `ModelBroken` when that fails."""
        return cls(name, loading.load(target))

    def has(self, function: str) -> bool:
        """Say whether the author defined `function`; `predict` may be there as `predict_batch` alone."""
        return callable(getattr(self._object, function, None)) or self._predicts_by_batches(function)

    def function(self, name: str) -> Callable[..., Any]:
        """Return the author's function `name`. Raise `NotImplementedByModel` when there is none."""
        if self._predicts_by_batches(name):
            return functools.partial(_predict_alone, self.function("predict_batch"))
        function = getattr(self._object, name, None)
        if not callable(function):
            raise NotImplementedByModel(f"The model '{self.name}' has no function '{name}'.")
        return function  # type: ignore[no-any-return]  # the author's object is Any

    @functools.cached_property
    def predict_arguments(self) -> Arguments:
        """The arguments of `predict`, as they were when first asked for."""
        return self._arguments("get_predict_args")

    @functools.cached_property
    def train_arguments(self) -> Arguments:
        """The arguments of `train`, as they were when first asked for."""
        return self._arguments("get_train_args")

    def arguments(self, function: str) -> Arguments:
        """Return the arguments of the function called `predict` or `train`."""
        return self.predict_arguments if function == "predict" else self.train_arguments

    @functools.cached_property
    def schema(self) -> marshmallow.Schema | None:
        """The schema of the model's predictions, if it declares one."""
        declared = getattr(self._object, "schema", None)
        if declared is None or isinstance(declared, marshmallow.Schema):
            return declared
        if isinstance(declared, Mapping):
            for name, field in declared.items():
                if isinstance(field, type) and issubclass(field, Field):
                    raise self._no_field("The schema", name, field)
            return self._made(marshmallow.Schema.from_dict(dict(declared)))
        if isinstance(declared, type) and issubclass(declared, marshmallow.Schema):
            return self._made(declared)
        raise ModelBroken(
            f"The schema of the model '{self.name}' is of type {type(declared).__name__}. Make it None, "
            "a dictionary of marshmallow fields, or a marshmallow Schema class."
        )

    @property
    def streams(self) -> bool:
        """Whether `predict` is a generator function; any other may return an iterator all the same."""
        predict = getattr(self._object, "predict", None)
        return inspect.isgeneratorfunction(predict) or inspect.isasyncgenfunction(predict)

    def afresh(self) -> Self:
        """Return the model as it is now: one that asks the author's code again for arguments and schema."""
        return type(self)(self.name, self._object)

    def checked(self) -> Self:
        """Return the model, having asked the author's code for all that the API publishes: errors show now.

        Raise `ModelBroken`.
        """
        for declared in ("predict_arguments", "train_arguments", "schema"):
            getattr(self, declared)
        self._tell_what_is_ignored()
        return self

    def warm(self) -> None:
        """Let the author's code prepare itself, if it wants to."""
        if self.has("warm"):
            with contextlib.suppress(NotImplementedError):
                self.function("warm")()

    def metadata(self) -> dict[str, Any]:
        """Return what the author says of the model, or why nothing can be said of it."""
        try:
            return self.declared_metadata()
        except ModelBroken as error:
            return self._no_metadata(error.message)
        except (Exception, SystemExit) as error:  # noqa: BLE001 - the author's code may raise anything
            _log.exception("get_metadata() of the model %r failed", self.name)
            return self._no_metadata(f"get_metadata() failed with {describe(error)}")

    def declared_metadata(self) -> dict[str, Any]:
        """Return the metadata that the API publishes: the model's own, with a name and an id.

        Raise what the author's code raises, or `ModelBroken`.
        """
        own = self.own_metadata()
        if own is None:
            return {
                "id": "0",
                "name": self.name,
                "description": "No metadata could be loaded: the model does not define get_metadata().",
            }
        return {"id": self.name, "name": self.name, **own}

    def own_metadata(self) -> dict[str, Any] | None:
        """Return what get_metadata() returns, as plain JSON values; `None` for a model without it.

        Raise what the author's code raises, or `ModelBroken`.
        """
        try:
            returned = self.function("get_metadata")()
        except (NotImplementedByModel, NotImplementedError):
            return None
        if not isinstance(returned, Mapping):
            raise ModelBroken(f"get_metadata() returned {type(returned).__name__}, not a dictionary")
        return dict(output.record(dict(returned)))

    def _predicts_by_batches(self, function: str) -> bool:
        """Say whether `function` is a `predict` that the author left to `predict_batch`."""
        found = getattr(self._object, function, None)
        is_missing = found is None or getattr(found, "__func__", None) is BaseModel.predict
        return function == "predict" and is_missing and self.has("predict_batch")

    def _no_metadata(self, reason: str) -> dict[str, Any]:
        public = without_folders(reason)
        return {"id": self.name, "name": self.name, "description": f"No metadata could be loaded: {public}."}

    def _arguments(self, function: str) -> Arguments:
        try:
            return Arguments(self._fields(function))
        except ModelBroken:
            raise
        except (Exception, SystemExit) as error:
            raise ModelBroken(
                f"{function}() of the model '{self.name}' failed with {describe(error)}",
                detail=traceback.format_exc(),
            ) from error

    def _fields(self, function: str) -> dict[str, Field]:
        try:
            fields = self.function(function)()
        except (NotImplementedByModel, NotImplementedError):
            return {}
        if fields and not isinstance(fields, Mapping):
            kind = type(fields).__name__
            raise ModelBroken(
                f"{function}() of the model '{self.name}' returned {kind}, not a dictionary of fields."
            )
        for name, field in dict(fields or {}).items():
            if not isinstance(field, Field):
                raise self._no_field(f"{function}()", name, field)
        return dict(fields or {})

    def _no_field(self, where: str, name: str, field: Any) -> ModelBroken:
        return ModelBroken(
            f"{where} of the model '{self.name}' declares '{name}' as {field!r}. "
            "Make it an instance of a marshmallow field, such as fields.Str()."
        )

    def _made(self, make: Callable[[], marshmallow.Schema]) -> marshmallow.Schema:
        try:
            return make()
        except (Exception, SystemExit) as error:
            raise ModelBroken(
                f"The schema of the model '{self.name}' cannot be made: {describe(error)}",
                detail=traceback.format_exc(),
            ) from error

    def _tell_what_is_ignored(self) -> None:
        """Log what in a dictionary of a schema is no field: marshmallow says nothing of it."""
        declared = getattr(self._object, "schema", None)
        for name, field in declared.items() if isinstance(declared, Mapping) else ():
            if not isinstance(field, Field):
                _log.warning(
                    "The schema of the model %r declares %r as %r: no marshmallow field, so it is ignored",
                    self.name,
                    name,
                    field,
                )


def _predict_alone(predict_batch: Callable[..., Any], **arguments: Any) -> Any:
    """Return what `predict_batch` predicts for one call."""
    result = predict_batch([arguments])[0]
    if isinstance(result, BaseException):
        raise result
    return streaming.whole(result)
