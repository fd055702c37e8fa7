"""The worker process: loads and warms the model, then runs calls from the pipe.

Calls are run in the main thread, where the model was warmed.
"""

import faulthandler
import itertools
import socket
import sys
from collections.abc import Iterable, Iterator
from typing import Any

from deepaas import log
from deepaas.child_setup import exit_with_parent, ignore_signals, use_line_buffering
from deepaas.errors import DeepaasError
from deepaas.messages import (
    BatchHeader,
    Call,
    Failure,
    FrameDecoder,
    Loading,
    Message,
    Ready,
    Revoked,
    WorkerConfig,
    encode,
    encode_frame,
)
from deepaas.model.failures import failure_from_exception
from deepaas.model.model import Model
from deepaas.model.relocation import get_scratch_name, relocate_call, set_module_path
from deepaas.workers.executor import CallExecutor, StreamSender
from deepaas.workers.shared_progress import SharedProgress

_RECEIVE_BYTES = 1 << 18


class PipeConnection:
    """The worker's end of the pipe."""

    def __init__(self, pipe: socket.socket) -> None:
        self._pipe = pipe

    def read_messages(self) -> Iterator[tuple[int, Any]]:
        """Yield what the server sends, each with the number of its call, until the server hangs up."""
        unframer = FrameDecoder()
        while chunk := self._pipe.recv(_RECEIVE_BYTES):
            yield from unframer.feed(chunk)

    def send(self, message: Message, number: int = 0) -> None:
        """Send `message` about a call."""
        self._pipe.sendall(encode_frame(encode(message), number))


def run_worker(connection: PipeConnection, progress: SharedProgress, scratch_folder: str = "") -> None:
    """Do what the server says until it hangs up.

    The files of calls are in `scratch_folder`, if it is named, rather than where the calls say.
    """
    messages = connection.read_messages()
    _, start = next(messages)
    assert isinstance(start, WorkerConfig)
    set_module_path(start.python_path, is_remote=bool(scratch_folder))
    if start.ignored_signals:
        ignore_signals(start.ignored_signals)
    log.configure(
        start.log_level, file=start.log_file, log_format=start.log_format, also_stderr=start.log_to_stderr
    )
    connection.send(Loading())
    try:
        model = Model.load(start.name, start.target)
        if start.warm:
            model.warm()
        sending = StreamSender(connection.send, progress, model.schema)
        answering = CallExecutor(model, sending, start.envelope)
    except BaseException as error:  # noqa: BLE001 - the author's code may raise anything
        connection.send(_create_start_failure(error))
        return
    connection.send(Ready())
    for numbers, said in _read_batches(messages):
        calls = (
            [relocate_call(call, f"{scratch_folder}/{get_scratch_name(call.scratch)}") for call in said]
            if scratch_folder
            else said
        )
        # First the mark, then the look: the server takes back what it finds unmarked a moment later.
        progress.last_started = numbers[-1]
        if numbers[-1] <= progress.revoked_up_to:
            replies: Iterable[Message] = [Revoked()] * len(calls)
        elif len(calls) == 1:
            replies = [answering.execute(calls[0], numbers[0])]
        else:
            replies = answering.execute_batch(calls, numbers)
        for number, reply in zip(numbers, replies, strict=True):
            connection.send(reply, number)


def _read_batches(messages: Iterator[tuple[int, Any]]) -> Iterator[tuple[tuple[int, ...], tuple[Call, ...]]]:
    """Yield what is to be run next, a call or several together, and their numbers."""
    for number, message in messages:
        if isinstance(message, BatchHeader):
            numbers, calls = zip(*itertools.islice(messages, message.size), strict=True)
            yield numbers, calls
        else:
            yield (number,), (message,)


def _create_start_failure(error: BaseException) -> Failure:
    found = failure_from_exception(error)
    detail = getattr(error, "detail", "") if isinstance(error, DeepaasError) else ""
    return found._replace(traceback=detail or found.traceback)


def main(pipe_descriptor: str, progress_descriptor: str, scratch_folder: str = "") -> None:
    """Run a worker on the descriptors it was started with; for `scratch_folder`, see `run_worker`."""
    faulthandler.enable()
    exit_with_parent()
    use_line_buffering()
    with socket.socket(fileno=int(pipe_descriptor)) as connected:
        run_worker(PipeConnection(connected), SharedProgress(int(progress_descriptor)), scratch_folder)


if __name__ == "__main__":
    main(*sys.argv[1:])
