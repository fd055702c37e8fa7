"""A model: its name, and access to the functions of its user object, which may lack any of them."""

import contextlib
import functools
import inspect
import traceback
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from typing import Any, Self

import marshmallow
from marshmallow.fields import Field

from deepaas.errors import FunctionNotImplemented, ModelLoadError
from deepaas.log import get_logger
from deepaas.model import loader, rendering, stream_encoding
from deepaas.model.arguments import Arguments
from deepaas.model.event_loop import UserEventLoop
from deepaas.model.failures import describe_exception, strip_folders
from deepaas.model.v2.base import BaseModel

_log = get_logger(__name__)


class LoadedModel:
    """Uniform access to a model, whether the model author wrote a module, a class or an object.

    Its functions may be async; all are awaited in the same event loop, until `close`.
    """

    def __init__(self, name: str, user_object: Any) -> None:
        self.name = name
        self._user_object = user_object
        self._event_loop = UserEventLoop()

    @classmethod
    def load(cls, name: str, target: str) -> Self:
        """Import `target` (see `loader.load`). Raise `ModelLoadError`."""
        return cls(name, loader.load(target))

    def implements(self, function: str) -> bool:
        """Return whether the model defines `function`; `predict_batch` counts as `predict` too."""
        defined = getattr(self._user_object, function, None)
        return callable(defined) or (
            function == "predict" and defined is None and self.implements("predict_batch")
        )

    def get_function(self, name: str) -> Callable[..., Any]:
        """Return the model's function `name`. Raise `FunctionNotImplemented` if it has none."""
        function = getattr(self._user_object, name, None)
        if name == "predict" and _is_undefined(function) and self.implements("predict_batch"):
            return functools.partial(self._predict_single)
        if not callable(function):
            raise FunctionNotImplemented(f"The model '{self.name}' has no function '{name}'.")
        return function  # type: ignore[no-any-return]  # the user object is Any

    def call(self, function: str, /, *positional: Any, **arguments: Any) -> Any:
        """Call the model's `function`, await it if it is async, and return its result.

        Raise `FunctionNotImplemented`, and any exception of the function.
        """
        return self.resolve(self.get_function(function)(*positional, **arguments))

    def resolve(self, result: Any) -> Any:
        """Return the result of an awaitable that a function returned, or any other value unchanged."""
        return self._event_loop.run(result) if hasattr(type(result), "__await__") else result

    def for_each_item(
        self, stream: Iterator[Any] | AsyncIterator[Any], handle_item: Callable[[Any], object]
    ) -> None:
        """Call `handle_item` with each item of a result, until it returns True; then close the stream."""
        self._event_loop.for_each(stream, handle_item)

    def close(self) -> None:
        """Close the event loop of the async functions, with their tasks. Idempotent."""
        self._event_loop.close()

    @functools.cached_property
    def predict_arguments(self) -> Arguments:
        """The arguments of `predict`, cached at first access."""
        return self._load_arguments("get_predict_args")

    @functools.cached_property
    def train_arguments(self) -> Arguments:
        """The arguments of `train`, cached at first access."""
        return self._load_arguments("get_train_args")

    def get_arguments(self, function: str) -> Arguments:
        """Return the arguments of `function`, which is `predict` or `train`."""
        return self.predict_arguments if function == "predict" else self.train_arguments

    @functools.cached_property
    def schema(self) -> marshmallow.Schema | None:
        """The schema of the model's predictions, if it declares one. Raise `ModelLoadError`."""
        declared = getattr(self._user_object, "schema", None)
        if declared is None or isinstance(declared, marshmallow.Schema):
            return declared
        if isinstance(declared, Mapping):
            for name, field in declared.items():
                if isinstance(field, type) and issubclass(field, Field):
                    raise self._build_invalid_field_error("The schema", name, field)
            return self._instantiate_schema(marshmallow.Schema.from_dict(dict(declared)))
        if isinstance(declared, type) and issubclass(declared, marshmallow.Schema):
            return self._instantiate_schema(declared)
        raise ModelLoadError(
            f"The schema of the model '{self.name}' is of type {type(declared).__name__}. Make it None, "
            "a dictionary of marshmallow fields, or a marshmallow Schema class."
        )

    @property
    def predict_is_generator(self) -> bool:
        """Whether `predict` is a generator function; other functions may still return an iterator."""
        predict = getattr(self._user_object, "predict", None)
        return inspect.isgeneratorfunction(predict) or inspect.isasyncgenfunction(predict)

    def validate_declarations(self) -> Self:
        """Load arguments and schema, to detect errors early, and return the model.

        Raise `ModelLoadError`.
        """
        for declared in ("predict_arguments", "train_arguments", "schema"):
            getattr(self, declared)
        self._warn_ignored_fields()
        return self

    def warm(self) -> None:
        """Call the model's `warm`, if it has one."""
        if self.implements("warm"):
            with contextlib.suppress(NotImplementedError):
                self.call("warm")

    def read_metadata(self) -> dict[str, Any]:
        """Return the metadata that the API publishes; on failure, a description with the reason."""
        try:
            return self.read_metadata_or_raise()
        except ModelLoadError as error:
            return self._build_placeholder_metadata(error.message)
        except (Exception, SystemExit) as error:  # noqa: BLE001 - user code may raise anything
            _log.exception("get_metadata() of the model %r failed", self.name)
            return self._build_placeholder_metadata(f"get_metadata() failed with {describe_exception(error)}")

    def read_metadata_or_raise(self) -> dict[str, Any]:
        """Return the metadata that the API publishes: the model's metadata over default `id` and `name`.

        Raise `ModelLoadError`, or any exception of `get_metadata`.
        """
        metadata = self.call_get_metadata()
        if metadata is None:
            return {
                "id": "0",
                "name": self.name,
                "description": "No metadata could be loaded: the model does not define get_metadata().",
            }
        return {"id": self.name, "name": self.name, **metadata}

    def call_get_metadata(self) -> dict[str, Any] | None:
        """Return the result of the model's `get_metadata` as JSON values; `None` if it has none.

        Raise `ModelLoadError`, or any exception of `get_metadata`.
        """
        try:
            returned = self.call("get_metadata")
        except (FunctionNotImplemented, NotImplementedError):
            return None
        if not isinstance(returned, Mapping):
            raise ModelLoadError(f"get_metadata() returned {type(returned).__name__}, not a dictionary")
        return dict(rendering.to_jsonable_or_repr(dict(returned)))

    def _predict_single(self, **arguments: Any) -> Any:
        """Return the result of `predict_batch` for a single call."""
        result = self.call("predict_batch", [arguments])[0]
        if isinstance(result, BaseException):
            raise result
        return stream_encoding.reject_stream(result)

    def _build_placeholder_metadata(self, reason: str) -> dict[str, Any]:
        public = strip_folders(reason)
        return {"id": self.name, "name": self.name, "description": f"No metadata could be loaded: {public}."}

    def _load_arguments(self, function: str) -> Arguments:
        try:
            return Arguments(self._load_fields(function))
        except ModelLoadError:
            raise
        except (Exception, SystemExit) as error:
            raise ModelLoadError(
                f"{function}() of the model '{self.name}' failed with {describe_exception(error)}",
                detail=traceback.format_exc(),
            ) from error

    def _load_fields(self, function: str) -> dict[str, Field]:
        try:
            fields = self.call(function)
        except (FunctionNotImplemented, NotImplementedError):
            return {}
        if fields and not isinstance(fields, Mapping):
            kind = type(fields).__name__
            raise ModelLoadError(
                f"{function}() of the model '{self.name}' returned {kind}, not a dictionary of fields."
            )
        for name, field in dict(fields or {}).items():
            if not isinstance(field, Field):
                raise self._build_invalid_field_error(f"{function}()", name, field)
        return dict(fields or {})

    def _build_invalid_field_error(self, source: str, name: str, field: Any) -> ModelLoadError:
        return ModelLoadError(
            f"{source} of the model '{self.name}' declares '{name}' as {field!r}. "
            "Make it an instance of a marshmallow field, such as fields.Str()."
        )

    def _instantiate_schema(self, schema_class: Callable[[], marshmallow.Schema]) -> marshmallow.Schema:
        try:
            return schema_class()
        except (Exception, SystemExit) as error:
            raise ModelLoadError(
                f"The schema of the model '{self.name}' cannot be instantiated: {describe_exception(error)}",
                detail=traceback.format_exc(),
            ) from error

    def _warn_ignored_fields(self) -> None:
        """Log each value of a schema dictionary that is not a field: marshmallow ignores it silently."""
        declared = getattr(self._user_object, "schema", None)
        for name, field in declared.items() if isinstance(declared, Mapping) else ():
            if not isinstance(field, Field):
                _log.warning(
                    "The schema of the model %r declares %r as %r: not a marshmallow field, ignored",
                    self.name,
                    name,
                    field,
                )


def _is_undefined(predict: Any) -> bool:
    return predict is None or getattr(predict, "__func__", None) is BaseModel.predict
