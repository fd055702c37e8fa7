"""What runs in a worker process: load the model, warm it, then answer one call after the other.

Calls are run in the main thread, where the model was warmed. It must not know HTTP.
"""

import faulthandler
import os
import socket
import sys
import time
from collections.abc import Iterator
from typing import Any

from deepaas import log
from deepaas.errors import DeepaasError
from deepaas.messages import (
    Body,
    Call,
    Failed,
    Loading,
    Message,
    Ready,
    Reply,
    Start,
    TakenBack,
    Unframer,
    encode,
    frame,
)
from deepaas.model import output
from deepaas.model.failure import failure
from deepaas.model.model import Model
from deepaas.spawned import hang_on, write_lines_at_once
from deepaas.workers.marker import Marker

_RECEIVE_BYTES = 1 << 18


class Connection:
    """The worker's end of the pipe."""

    def __init__(self, pipe: socket.socket) -> None:
        self._pipe = pipe

    def messages(self) -> Iterator[tuple[int, Any]]:
        """Yield what the server sends, each with the number of its call, until the server hangs up."""
        unframer = Unframer()
        while chunk := self._pipe.recv(_RECEIVE_BYTES):
            yield from unframer.feed(chunk)

    def send(self, message: Message, number: int = 0) -> None:
        """Send `message` about a call."""
        self._pipe.sendall(frame(encode(message), number))


class Answering:
    """Runs the calls of one model."""

    def __init__(self, model: Model, *, wrap_predictions: bool) -> None:
        self._model = model
        self._pid = os.getpid()
        self._form = output.Form(model.schema, wrap_predictions)

    def answer(self, call: Call) -> Reply:
        """Run one call; whatever the model's code does, short of ending the process, becomes a reply."""
        log.request_id.set(call.request_id)
        began = returned = time.perf_counter()
        outcome: Body | Failed
        try:
            result = self._model.function(call.function)(**self._arguments(call))
            returned = time.perf_counter()
            outcome = output.render(result, call.media_type, self._form, call.scratch)
        except BaseException as error:
            if os.getpid() != self._pid:
                raise  # a process that the model forked, and that is about to end, must not answer
            outcome = failure(error)
        return Reply(outcome, returned - began, time.perf_counter() - returned)

    def _arguments(self, call: Call) -> dict[str, Any]:
        if call.validated:
            return call.arguments
        return self._model.arguments(call.function).validate(call.arguments)


def serve(connection: Connection, marker: Marker) -> None:
    """Do what the server says until it hangs up."""
    messages = connection.messages()
    _, start = next(messages)
    assert isinstance(start, Start)
    sys.path[:] = start.python_path
    log.configure(start.log_level, file=start.log_file, form=start.log_format, repeats=start.repeats_log)
    connection.send(Loading())
    try:
        model = Model.load(start.name, start.target)
        if start.warm:
            model.warm()
        answering = Answering(model, wrap_predictions=start.wrap_predictions)
    except BaseException as error:  # noqa: BLE001 - the author's code may raise anything
        connection.send(_start_failure(error))
        return
    connection.send(Ready())
    for number, call in messages:
        # First the mark, then the look: the server takes back what it finds unmarked a moment later.
        marker.begun = number
        taken_back = number <= marker.taken_back
        connection.send(TakenBack() if taken_back else answering.answer(call), number)


def _start_failure(error: BaseException) -> Failed:
    found = failure(error)
    detail = getattr(error, "detail", "") if isinstance(error, DeepaasError) else ""
    return found._replace(traceback=detail or found.traceback)


def main(pipe: str, marker: str) -> None:
    """Run a worker on the descriptors it was started with."""
    faulthandler.enable()
    hang_on()
    write_lines_at_once()
    with socket.socket(fileno=int(pipe)) as connected:
        serve(Connection(connected), Marker(int(marker)))


if __name__ == "__main__":
    main(*sys.argv[1:])
