# Generated from _async/client.py by tools/sync_client.py; do not edit.
"""The server and its models."""

import contextlib
from collections.abc import Mapping
from os import PathLike
from pathlib import Path
from typing import Any, Self

from deepaas.client._encoding import EncodedArguments, encode_arguments
from deepaas.client._requests import Request, VerifyTypes, build_path
from deepaas.client._responses import ErrorContext, decode_body, decode_json
from deepaas.client._schema import ServerSchema
from deepaas.client._sync.training import Training
from deepaas.client._sync.transport import Transport
from deepaas.errors import InvalidArguments, ModelNotFound

_LISTING_CONTEXT = ErrorContext(not_found_error=None)
_PREDICTION_CONTEXT = ErrorContext(not_found_error=None, runs_model=True)


class Client:
    """A DEEPaaS server: ``Client("http://127.0.0.1:5000")["digits"].predict(image="3.png")``.

    `url` includes the server's base path, if it has one. `verify` is whether to verify the certificate of an
    HTTPS server; or the path of a file of trusted certificates, or an `ssl.SSLContext`. `timeout_s` limits
    how long the server may send nothing; by default there is no limit. When a server responds 503 with
    ``Retry-After``, the client waits that long and retries; all waits together last at most
    `retry_timeout_s` seconds. With `validate` false, the client sends arguments even if the server's OpenAPI
    document lacks their names, or requires others.

    The client connects at the first request. Use it in ``with``, or call `close`, to close its
    connections.

    Every request may raise an error of `deepaas.errors`: `ServerUnreachable`, or the error that matches the
    server's response.
    """

    def __init__(
        self,
        url: str,
        token: str | None = None,
        *,
        verify: VerifyTypes = True,
        timeout_s: float | None = None,
        retry_timeout_s: float = 60.0,
        validate: bool = True,
    ) -> None:
        self._transport = Transport(
            url, token, verify=verify, timeout_s=timeout_s, retry_timeout_s=retry_timeout_s
        )
        self._validate = validate

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close all connections."""
        self._transport.close()

    def __getitem__(self, name: str) -> "Model":
        """Return the model `name`, without a request: the server may not have it."""
        return Model(self._transport, name, validate=self._validate)

    def models(self) -> list[dict[str, Any]]:
        """Return the metadata of every model on the server."""
        response = self._transport.request(Request("GET", "/v2/models/", _LISTING_CONTEXT))
        return list(decode_json(response)["models"])


class Model:
    """A model on a server; get it from `Client`."""

    def __init__(self, transport: Transport, name: str, *, validate: bool) -> None:
        self._transport = transport
        self._name = name
        self._validate = validate

    def __repr__(self) -> str:
        return f"<Model {self.name}>"

    @property
    def name(self) -> str:
        """The model's name."""
        return self._name

    def metadata(self) -> dict[str, Any]:
        """Return the model's metadata."""
        response = self._transport.request(Request("GET", f"{build_path(self.name)}/"))
        return dict(decode_json(response))

    def argument_schemas(self, function: str = "predict") -> dict[str, dict[str, Any]]:
        """Return the JSON Schema of each argument of `function` (`predict` or `train`), by argument name."""
        schema = self._transport.schema or self._transport.fetch_schema()
        arguments = schema.get_function(self.name, function).arguments
        return {name: {**argument.schema} for name, argument in arguments.items()}

    def predict(self, /, **arguments: Any) -> Any:
        """Return a prediction: decoded JSON, a `str` for text, `bytes` for any other media type.

        A file argument is a path, which is read from disk while it is sent; or bytes, an open binary file,
        a NumPy array (sent as ``.npy``) or a PIL image (sent as PNG). A tuple ``(file name, content)`` sets
        the file name. Other arguments may be anything JSON can express, including NumPy and pandas values
        and dates.

        Raise `InvalidArguments`, whose `messages` has the problems by argument: before sending anything, for
        unknown and missing arguments; else when the server rejects values. Raise `PredictionFailed` with the
        model's error.
        """
        request = self._build_call("predict", arguments, _PREDICTION_CONTEXT)
        return decode_body(self._transport.request(request))

    def predict_to_file(self, path: str | PathLike[str], /, **arguments: Any) -> Path:
        """Write a prediction to a file, in chunks, and return the file's path."""
        request = self._build_call("predict", arguments, _PREDICTION_CONTEXT)
        return self._transport.download(request, Path(path))

    def train(self, /, **arguments: Any) -> Training:
        """Start a training. Arguments may have the same types as for `predict`."""
        request = self._build_call("train", arguments, ErrorContext())
        return self.training(decode_json(self._transport.request(request))["uuid"])

    def training(self, uuid: str) -> Training:
        """Return the training `uuid`, without a request: the server may not have it."""
        return Training(self._transport, self.name, uuid)

    def trainings(self) -> list[Training]:
        """Return all trainings, oldest first."""
        response = self._transport.request(Request("GET", f"{build_path(self.name, 'train')}/"))
        return [self.training(record["uuid"]) for record in decode_json(response)]

    def reload(self) -> int:
        """Replace the model's workers with new ones, which load the current files; return their number."""
        response = self._transport.request(Request("POST", build_path(self.name, "reload")))
        return int(decode_json(response)["workers"])

    def _build_call(
        self, function: str, arguments: Mapping[str, Any], error_context: ErrorContext
    ) -> Request:
        encoded = self._encode_arguments(function, arguments)
        return Request("POST", f"{build_path(self.name, function)}/", error_context, encoded)

    def _encode_arguments(self, function: str, arguments: Mapping[str, Any]) -> EncodedArguments:
        """Encode by the cached OpenAPI document; if the arguments do not match it, fetch it again."""

        def encode(schema: ServerSchema) -> EncodedArguments:
            declared = schema.get_function(self.name, function)
            return encode_arguments(declared, arguments, validate=self._validate)

        if self._transport.schema:
            with contextlib.suppress(InvalidArguments, ModelNotFound):
                return encode(self._transport.schema)
        return encode(self._transport.fetch_schema())
