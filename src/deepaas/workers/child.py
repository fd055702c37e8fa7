"""What runs in a worker process: load the model, warm it, then answer what the server sends.

Calls are run in the main thread, where the model was warmed. It must not know HTTP.
"""

import faulthandler
import itertools
import socket
import sys
from collections.abc import Iterable, Iterator
from typing import Any

from deepaas import log
from deepaas.errors import DeepaasError
from deepaas.messages import (
    Call,
    Failed,
    Loading,
    Message,
    Ready,
    Start,
    TakenBack,
    Together,
    Unframer,
    encode,
    frame,
)
from deepaas.model.elsewhere import moved, name_of, take_path
from deepaas.model.failure import failure
from deepaas.model.model import Model
from deepaas.spawned import hang_on, outlive, write_lines_at_once
from deepaas.workers.answering import Answering
from deepaas.workers.marker import Marker
from deepaas.workers.sending import Sending

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


def serve(connection: Connection, marker: Marker, folder: str = "") -> None:
    """Do what the server says until it hangs up.

    The files of calls are in `folder`, if it is named, rather than where the calls say.
    """
    messages = connection.messages()
    _, start = next(messages)
    assert isinstance(start, Start)
    take_path(start.python_path, is_elsewhere=bool(folder))
    if start.deaf_to:
        outlive(start.deaf_to)
    log.configure(start.log_level, file=start.log_file, form=start.log_format, repeats=start.repeats_log)
    connection.send(Loading())
    try:
        model = Model.load(start.name, start.target)
        if start.warm:
            model.warm()
        sending = Sending(connection.send, marker, model.schema)
        answering = Answering(model, sending, start.envelope)
    except BaseException as error:  # noqa: BLE001 - the author's code may raise anything
        connection.send(_start_failure(error))
        return
    connection.send(Ready())
    for numbers, said in _calls(messages):
        calls = [moved(call, f"{folder}/{name_of(call.scratch)}") for call in said] if folder else said
        # First the mark, then the look: the server takes back what it finds unmarked a moment later.
        marker.begun = numbers[-1]
        if numbers[-1] <= marker.taken_back:
            replies: Iterable[Message] = [TakenBack()] * len(calls)
        elif len(calls) == 1:
            replies = [answering.answer(calls[0], numbers[0])]
        else:
            replies = answering.answer_together(calls, numbers)
        for number, reply in zip(numbers, replies, strict=True):
            connection.send(reply, number)


def _calls(messages: Iterator[tuple[int, Any]]) -> Iterator[tuple[tuple[int, ...], tuple[Call, ...]]]:
    """Yield what is to be run next, a call or several together, and their numbers."""
    for number, message in messages:
        if isinstance(message, Together):
            numbers, calls = zip(*itertools.islice(messages, message.size), strict=True)
            yield numbers, calls
        else:
            yield (number,), (message,)


def _start_failure(error: BaseException) -> Failed:
    found = failure(error)
    detail = getattr(error, "detail", "") if isinstance(error, DeepaasError) else ""
    return found._replace(traceback=detail or found.traceback)


def main(pipe: str, marker: str, folder: str = "") -> None:
    """Run a worker on the descriptors it was started with; for `folder`, see `serve`."""
    faulthandler.enable()
    hang_on()
    write_lines_at_once()
    with socket.socket(fileno=int(pipe)) as connected:
        serve(Connection(connected), Marker(int(marker)), folder)


if __name__ == "__main__":
    main(*sys.argv[1:])
