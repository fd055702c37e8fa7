"""Base class that documents the interface between a model and the server."""

import abc
from collections.abc import Mapping
from typing import Any

import marshmallow
from marshmallow.fields import Field


class BaseModel(abc.ABC):  # noqa: B024 - every function is optional
    """The functions that a model may provide.

    Inheriting from this class is optional: a module, or any class with functions of these names, also works.
    Every function is optional too. A missing function behaves as if it raised ``NotImplementedError``: its
    route returns 501, and the other functions work as usual.

    A model may also define ``predict_batch(calls)``, which this class does not have. It receives a list of
    dictionaries, one with the arguments of each queued prediction, and returns one result for each, in the
    same order. A result may be an exception, which fails only that call. A result cannot be a stream.

    Every function may be ``async def``, and `predict` an asynchronous generator. All are awaited in one event
    loop, which lives as long as the process.

    Model code runs in worker processes. Each worker imports the entry point itself and runs one call at a
    time. So nothing here needs to be picklable, and module globals live as long as their worker.
    """

    #: Structure of a prediction: ``None``, a dictionary of marshmallow fields, or a marshmallow ``Schema``
    #: class. When it is set, the server validates the prediction against it, sends the prediction unchanged,
    #: and documents it in the OpenAPI document as ``ModelPredictionResponse``. A prediction that does not
    #: match is an error 500 whose message names the fields. For example::
    #:
    #:     schema = {
    #:         "labels": fields.List(fields.Str(), required=True),
    #:         "probabilities": fields.List(fields.Float(), required=True),
    #:     }
    #:
    #: When it is ``None``, the body is ``{"status": "OK", "predictions": "<the prediction as a string>"}``.
    schema: Mapping[str, Field] | type[marshmallow.Schema] | None = None

    def get_metadata(self) -> dict[str, Any]:
        """Return a description of the model, for people and for catalogues.

        It is called on every request for the model's metadata, so it may read files. Common keys
        are ``name``, ``version``, ``description``, ``author``, ``author-email``, ``license`` and ``url``.

        :return: a dictionary, merged over the server's ``id``, ``name`` and ``links``. A value that JSON
            cannot express is replaced by its ``repr``.
        :raises Exception: the server reports the error as the model's ``description``; the request
            succeeds.
        """
        raise NotImplementedError

    def warm(self) -> None:
        """Prepare the model: load weights, compile, allocate.

        Called without arguments, once in every worker, before the worker takes calls. The server accepts
        connections only after its first workers are warm. The return value is ignored.

        :raises NotImplementedError: ignored: there is nothing to prepare.
        :raises Exception: the server does not start: it logs the traceback and exits with code 1.
        """
        raise NotImplementedError

    def get_predict_args(self) -> dict[str, Field]:
        """Return the arguments of `predict`.

        :return: marshmallow (or webargs) fields by argument name. A file to upload is a ``fields.Field``
            with ``type="file"`` and ``location="form"`` in its metadata. An argument ``accept`` with a
            ``OneOf`` validator lists the media types that `predict` can return.
        """
        raise NotImplementedError

    def predict(self, **kwargs: Any) -> Any:
        """Return a prediction.

        :param kwargs: the arguments that `get_predict_args` declares, validated and converted. A file
            argument is an :class:`~deepaas.model.v2.wrapper.UploadedFile`. An optional argument that has
            no default and was not sent is absent.
        :return: anything JSON can express, including NumPy and pandas values. For media types other than
            JSON: bytes, an open binary file, a :class:`pathlib.Path`, a PIL image or a
            :class:`~deepaas.model.v2.wrapper.ReturnedFile`.

            A generator or other iterator is streamed: the server sends each item as soon as it is yielded.
            Each item is validated against `schema` and sent as a line of JSON (``application/x-ndjson``),
            or as a server-sent event when the request's ``Accept`` header prefers ``text/event-stream``.
            If the model declares an argument ``accept``, its value decides: JSON types become lines,
            ``text/event-stream`` becomes events, and any other type needs items of bytes or text, which
            are sent unchanged. The generator occupies its worker until it ends, and pauses while a client
            reads slowly. When the client disconnects, the generator is closed at its next item, so that
            its ``finally`` runs.
        :raises Exception: the response is an error 500 with the exception's name and text, or has the
            exception's own HTTP status, as the exceptions of ``aiohttp.web`` do. After the first item of
            a generator, the error is sent as the last line or as an event ``error``.
        """
        raise NotImplementedError

    def get_train_args(self) -> dict[str, Field]:
        """Return the arguments of `train`.

        :return: fields by argument name, as for `get_predict_args`.
        """
        raise NotImplementedError

    def train(self, **kwargs: Any) -> Any:
        """Train the model.

        Runs in a separate process, while workers keep serving predictions. To change predictions, write the
        result to a file that new workers load. :func:`deepaas.report` publishes progress and metrics, and
        files in the folder :func:`deepaas.artifacts` are kept with the training's record.

        :param kwargs: the arguments that `get_train_args` declares, validated and converted.
        :return: any value; the training's record keeps it as ``result.output``. A value that JSON cannot
            express is replaced by its ``repr``, with a warning in the log.
        :raises Exception: the training gets the status ``error``, and the record's ``message`` is the
            exception's name and text.
        """
        raise NotImplementedError
