"""Running calls of a model, one or several together, and making a reply of whatever comes of it.

It must not know where calls come from.
"""

import os
import time
from collections.abc import Iterator, Sequence
from typing import Any

from deepaas import log
from deepaas.errors import InvalidArguments, InvalidJson, UnfitResponse
from deepaas.log import get_logger
from deepaas.messages import Body, Call, Envelope, Failed, Reply
from deepaas.model import output, streaming
from deepaas.model.arguments import Given, read_json
from deepaas.model.failure import failure
from deepaas.model.model import Model
from deepaas.workers.sending import Sending

_log = get_logger(__name__)


class Answering:
    """Runs the calls of one model."""

    def __init__(self, model: Model, sending: Sending, envelope: Envelope) -> None:
        self._model = model
        self._sending = sending
        self._pid = os.getpid()
        self._form = output.Form(model.schema, envelope)

    def answer(self, call: Call, number: int) -> Reply:
        """Run one call; whatever the model's code does, short of ending the process, becomes a reply.

        A stream is sent on the way, as what comes of the call with that number.
        """
        log.request_id.set(call.request_id)
        began = returned = time.perf_counter()
        outcome: Body | Failed
        try:
            call = self._read(call)
            result = self._model.function(call.function)(**call.arguments)
            returned = time.perf_counter()
            if streaming.is_stream(result):
                outcome, render_s = self._sending.send(result, call, number, began)
                # The model and the rendering took turns; it is their sums that count.
                returned = time.perf_counter() - render_s
            else:
                outcome = self._body(result, call)
        except _BadJsonError as error:
            outcome = error.failed
        except BaseException as error:  # noqa: BLE001 - the author's code may raise anything
            outcome = self._failure(error)
        return Reply(outcome, returned - began, time.perf_counter() - returned)

    def answer_together(self, calls: Sequence[Call], numbers: Sequence[int]) -> Iterator[Reply]:
        """Run calls with one `predict_batch`; if it fails, each by itself, so that only the bad ones fail.

        Each reply is yielded as soon as there is one.
        """
        log.request_id.set(f"{calls[0].request_id}+{len(calls) - 1}")
        began = time.perf_counter()
        try:
            calls = [self._read(call) for call in calls]
            results = self._model.function("predict_batch")([call.arguments for call in calls])
            _check_length(results, len(calls))
        except BaseException as error:  # noqa: BLE001 - the author's code may raise anything
            trace = log.with_trace(self._failure(error).traceback)
            _log.warning("predict_batch() failed; each of the %d calls is run alone", len(calls), extra=trace)
            yield from map(self.answer, calls, numbers)
            return
        took_s = time.perf_counter() - began
        for call, result in zip(calls, results, strict=True):
            yield self._rendered(call, result, took_s, len(calls))

    def _rendered(self, call: Call, result: Any, took_s: float, together: int) -> Reply:
        log.request_id.set(call.request_id)
        began = time.perf_counter()
        outcome: Body | Failed
        try:
            is_error = isinstance(result, BaseException)
            outcome = failure(result) if is_error else self._body(streaming.whole(result), call)
        except BaseException as error:  # noqa: BLE001 - the author's code may raise anything
            outcome = self._failure(error)
        return Reply(outcome, took_s, time.perf_counter() - began, together)

    def _body(self, result: Any, call: Call) -> Body:
        return output.render(
            result,
            call.media_type,
            self._form,
            call.scratch,
            call.requested_type,
            arguments=call.arguments,
        )

    def _read(self, call: Call) -> Call:
        """Return a call with validated arguments. Raise `_BadJsonError` for JSON that cannot be used."""
        if call.validated:
            return call
        arguments = self._model.arguments(call.function)
        if not call.json:
            return call._replace(arguments=arguments.validate(call.arguments), validated=True)
        try:
            raw = arguments.gather(Given(json=read_json(call.json))) | call.arguments
            media_type = arguments.settle_accept(raw, call.media_type)
            read = arguments.validate(raw)
        except InvalidArguments as error:
            raise _BadJsonError(Failed(error.status, error.message, problems=error.messages)) from None
        except InvalidJson as error:
            raise _BadJsonError(Failed(error.status, error.message, problems={})) from None
        return call._replace(arguments=read, validated=True, media_type=media_type, json=b"")

    def _failure(self, error: BaseException) -> Failed:
        if os.getpid() != self._pid:
            raise error  # a process that the model forked, and that is about to end, must not answer
        return failure(error)


class _BadJsonError(Exception):
    def __init__(self, failed: Failed) -> None:
        super().__init__(failed.message)
        self.failed = failed


def _check_length(results: Any, expected: int) -> None:
    if not isinstance(results, list | tuple) or len(results) != expected:
        found = f"{len(results)} results" if isinstance(results, list | tuple) else type(results).__name__
        raise UnfitResponse(
            f"predict_batch() returned {found} for {expected} calls: return a list of as many."
        )
