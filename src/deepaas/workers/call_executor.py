"""Runs calls and batches in a worker process, and sends their streams."""

import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import marshmallow

from deepaas import log
from deepaas.child_setup import ForkGuard
from deepaas.errors import InvalidArguments, InvalidJson, InvalidResponse
from deepaas.log import get_logger
from deepaas.messages import Body, Call, Chunk, Envelope, Failure, Message, Reply, unpickle_arguments
from deepaas.model import rendering, stream_encoding
from deepaas.model.arguments import ArgumentSources, read_json
from deepaas.model.failures import failure_from_exception
from deepaas.model.model import LoadedModel
from deepaas.model.stream_encoding import StreamEncoder
from deepaas.workers.shared_progress import SharedProgress

_CHUNK_BYTES = 1 << 16


class StreamSender:
    """Sends streamed results from a worker to the server."""

    def __init__(
        self,
        send: Callable[[Message, int], None],
        progress: SharedProgress,
        schema: marshmallow.Schema | None,
    ) -> None:
        self._send = send
        self._progress = progress
        self._schema = schema

    def send(
        self, result: Any, model: LoadedModel, call: Call, number: int, started_at: float
    ) -> tuple[Body, float]:
        """Send the items of `result` as chunks until it ends or the server cancels the stream; then close it.

        `started_at` is the call's start by `time.perf_counter`. Return an empty body with the stream's media
        type, and the seconds spent in rendering. Raise `InvalidResponse`, and any error of user code.
        """
        rendering = StreamEncoder(
            call.media_type,
            self._schema,
            prefers_events=call.prefers_events,
            requested_type=call.requested_type,
        )
        render_s = 0.0

        def send_item(item: Any) -> bool:
            """Send the chunks of an item; return whether the server has cancelled the stream."""
            nonlocal render_s
            rendering_began = time.perf_counter()
            content = rendering.encode(item)
            now = time.perf_counter()
            render_s += now - rendering_began
            for piece in _split_content(content):
                self._send(Chunk(rendering.media_type, piece, now - started_at), number)
            return self._progress.cancelled_stream == number

        model.for_each_item(result, send_item)
        if self._progress.cancelled_stream == number:
            _log.debug("Stream cancelled: the client has disconnected")
        return Body(rendering.media_type, b""), render_s


def _split_content(content: bytes) -> Iterator[bytes]:
    """Split long content, to limit the server's buffer."""
    for offset in range(0, len(content), _CHUNK_BYTES):
        yield content[offset : offset + _CHUNK_BYTES]


_log = get_logger(__name__)


class CallExecutor:
    """Runs the calls of one model in the current process."""

    def __init__(self, model: LoadedModel, stream_sender: StreamSender, envelope: Envelope) -> None:
        self._model = model
        self._stream_sender = stream_sender
        self._fork_guard = ForkGuard()
        self._response_format = rendering.ResponseFormat(model.schema, envelope)

    def execute(self, call: Call, number: int) -> Reply:
        """Run one call; any error of user code becomes a reply. A stream is sent before the reply."""
        log.request_id.set(call.request_id)
        began = returned = time.perf_counter()
        outcome: Body | Failure
        try:
            call = self._prepare_arguments(call)
            result = self._model.resolve(self._model.get_function(call.function)(**call.arguments))
            self._fork_guard.check()
            returned = time.perf_counter()
            if stream_encoding.is_stream(result):
                outcome, render_s = self._stream_sender.send(result, self._model, call, number, began)
                # Model and rendering alternate, so model time is the total minus rendering.
                returned = time.perf_counter() - render_s
            else:
                outcome = self._render(result, call)
        except _BadJsonError as error:
            outcome = error.failed
        except BaseException as error:  # noqa: BLE001 - user code may raise anything
            self._fork_guard.check(error)
            outcome = failure_from_exception(error)
        return Reply(outcome, returned - began, time.perf_counter() - returned)

    def execute_batch(self, calls: Sequence[Call], numbers: Sequence[int]) -> Iterator[Reply]:
        """Run a batch with `predict_batch`; if it fails, run each call individually, so only bad ones fail.

        Each reply is yielded as soon as it is ready, in the order of the calls.
        """
        log.request_id.set(f"{calls[0].request_id}+{len(calls) - 1}")
        began = time.perf_counter()
        try:
            with self._fork_guard:
                calls = [self._prepare_arguments(call) for call in calls]
                results = self._model.call("predict_batch", [call.arguments for call in calls])
            _check_length(results, len(calls))
        except BaseException as error:  # noqa: BLE001 - user code may raise anything
            trace = log.traceback_extra(failure_from_exception(error).traceback)
            _log.warning("predict_batch() failed; running its %d calls individually", len(calls), extra=trace)
            yield from map(self.execute, calls, numbers)
            return
        took_s = time.perf_counter() - began
        for call, result in zip(calls, results, strict=True):
            yield self._create_batch_reply(call, result, took_s, len(calls))

    def _create_batch_reply(self, call: Call, result: Any, elapsed_s: float, batch_size: int) -> Reply:
        log.request_id.set(call.request_id)
        began = time.perf_counter()
        outcome: Body | Failure
        try:
            is_error = isinstance(result, BaseException)
            outcome = (
                failure_from_exception(result)
                if is_error
                else self._render(stream_encoding.reject_stream(result), call)
            )
        except BaseException as error:  # noqa: BLE001 - user code may raise anything
            outcome = failure_from_exception(error)
        return Reply(outcome, elapsed_s, time.perf_counter() - began, batch_size)

    def _render(self, result: Any, call: Call) -> Body:
        return rendering.render(
            result,
            call.media_type,
            self._response_format,
            call.scratch,
            call.requested_type,
            arguments=call.arguments,
        )

    def _prepare_arguments(self, call: Call) -> Call:
        """Return the call with validated arguments. Raise `_BadJsonError` if its JSON body is invalid."""
        if call.validated:
            return unpickle_arguments(call)
        arguments = self._model.get_arguments(call.function)
        if not call.json:
            return call._replace(arguments=arguments.validate(call.arguments), validated=True)
        try:
            raw = arguments.collect(ArgumentSources(json=read_json(call.json))) | call.arguments
            media_type = arguments.resolve_accept(raw, call.media_type)
            read = arguments.validate(raw)
        except InvalidArguments as error:
            raise _BadJsonError(
                Failure(error.status, error.message, validation_errors=error.messages)
            ) from None
        except InvalidJson as error:
            raise _BadJsonError(Failure(error.status, error.message, validation_errors={})) from None
        return call._replace(arguments=read, validated=True, media_type=media_type, json=b"")


class _BadJsonError(Exception):
    def __init__(self, failed: Failure) -> None:
        super().__init__(failed.message)
        self.failed = failed


def _check_length(results: Any, expected: int) -> None:
    if not isinstance(results, list | tuple) or len(results) != expected:
        found = f"{len(results)} results" if isinstance(results, list | tuple) else type(results).__name__
        raise InvalidResponse(
            f"predict_batch() returned {found} for {expected} calls: return a list with one result per call."
        )
