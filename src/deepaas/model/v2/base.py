"""The contract between a model and the server, as a class to inherit from."""

import abc
from collections.abc import Mapping
from typing import Any

import marshmallow
from marshmallow.fields import Field


class BaseModel(abc.ABC):  # noqa: B024 - every function is optional
    """The functions that a model may provide.

    Inheriting from this class is optional: a module, or any class with functions of these names, will do.
    So is every function. What a model does not define is as if it raised ``NotImplementedError``: its
    route answers 501, and the rest of the model is served all the same.

    A model may also define ``predict_batch(calls)``, which this class does not have: it gets a list of
    dictionaries, the arguments of predictions that wait, and returns a list of as many results. What it
    returns for one of them may be an exception, which is then that call's answer; it cannot be a stream.

    Model code runs in worker processes that import the entry point themselves, one call at a time, so
    nothing here needs to be picklable, and globals live as long as the worker that holds them.
    """

    #: Shape of the answer to a prediction: ``None``, a dictionary of marshmallow fields, or a marshmallow
    #: ``Schema`` class. When it is set, what `predict` returns is validated against it, sent as it is,
    #: and documented in the API's specification as ``ModelPredictionResponse``. A response that does not
    #: fit is an error 500 whose message names the fields. For example::
    #:
    #:     schema = {
    #:         "labels": fields.List(fields.Str(), required=True),
    #:         "probabilities": fields.List(fields.Float(), required=True),
    #:     }
    #:
    #: When it is ``None``, the answer is ``{"status": "OK", "predictions": "<the response as a string>"}``.
    schema: Mapping[str, Field] | type[marshmallow.Schema] | None = None

    def get_metadata(self) -> dict[str, Any]:
        """Return what there is to know about the model, for people and for catalogues.

        Called on every request for the model's metadata, so it may look at what is on disk. Common keys
        are ``name``, ``version``, ``description``, ``author``, ``author-email``, ``license`` and ``url``.

        :return: anything JSON can express, by key. It is merged over ``id``, ``name`` and ``links``; what
            JSON cannot express becomes its ``repr``.
        :raises Exception: becomes the ``description`` of this model; nothing else fails.
        """
        raise NotImplementedError

    def warm(self) -> None:
        """Prepare the model: load weights, compile, allocate.

        Called without arguments once in every worker, before the server accepts a connection; what it
        returns is ignored.

        :raises NotImplementedError: is ignored: there is nothing to prepare.
        :raises Exception: stops the server's start, with the traceback and exit code 1.
        """
        raise NotImplementedError

    def get_predict_args(self) -> dict[str, Field]:
        """Return the arguments of `predict`.

        :return: a marshmallow (or webargs) field for each argument, by its name. A file to upload is a
            ``fields.Field`` with ``type="file"`` and ``location="form"`` in its metadata. An argument
            ``accept``, validated by ``OneOf``, lists the media types that `predict` can return.
        """
        raise NotImplementedError

    def predict(self, **kwargs: Any) -> Any:
        """Return a prediction.

        :param kwargs: the arguments that `get_predict_args` declares, validated and converted; a file
            argument is an :class:`~deepaas.model.v2.wrapper.UploadedFile`. An optional argument without
            a default that was not sent is absent.
        :return: anything JSON can express, NumPy and pandas included. For the media types of other
            files: bytes, an open binary file, a :class:`pathlib.Path`, a PIL image or a
            :class:`~deepaas.model.v2.wrapper.ReturnedFile`.

            A generator, or any other iterator, is sent item by item while it runs. Each item is checked
            against `schema` and sent as it is: as a line of JSON (``application/x-ndjson``), or as a
            server-sent event when the request's ``Accept`` header likes ``text/event-stream`` better. With
            an argument ``accept``, its choice decides: JSON types become lines, ``text/event-stream``
            becomes events, and for any other type the items are bytes or text, sent as they come.
            The generator keeps its worker until it ends, and waits for a client that reads slowly; when the
            client has left, it is closed at its next item, so that its ``finally`` runs.
        :raises Exception: answered as error 500 with the exception's name and text. An exception that
            carries an HTTP status, such as those of ``aiohttp.web``, is answered with that status.
            After the first item of a generator, it is the last line or an event ``error``.
        """
        raise NotImplementedError

    def get_train_args(self) -> dict[str, Field]:
        """Return the arguments of `train`.

        :return: a field for each argument, by its name, as for `get_predict_args`.
        """
        raise NotImplementedError

    def train(self, **kwargs: Any) -> Any:
        """Train the model.

        Runs in a process of its own, so that predictions go on meanwhile; what it is to change for them
        must be written to a file, which new workers read. :func:`deepaas.report` says how far it is, and
        files in the folder :func:`deepaas.artifacts` are kept with its record.

        :param kwargs: the arguments that `get_train_args` declares, validated and converted.
        :return: anything; it is kept in the training's record as ``result.output``. What JSON cannot
            express becomes its ``repr``, with a warning in the log.
        :raises Exception: ends the training with the status ``error``; its name and text are the record's
            ``message``.
        """
        raise NotImplementedError
