"""The worker process: loads and warms the model, then runs calls from the pipe, all in the main thread."""

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
from deepaas.model.model import LoadedModel
from deepaas.model.relocation import get_scratch_name, relocate_call, set_module_path
from deepaas.workers.call_executor import CallExecutor, StreamSender
from deepaas.workers.shared_progress import SharedProgress

_RECEIVE_BYTES = 1 << 18


class PipeConnection:
    """The worker's end of the pipe."""

    def __init__(self, pipe: socket.socket) -> None:
        self._pipe = pipe

    def read_messages(self) -> Iterator[tuple[int, Any]]:
        """Yield the server's messages, each with the number of its call, until the server closes the pipe."""
        unframer = FrameDecoder()
        while chunk := self._pipe.recv(_RECEIVE_BYTES):
            yield from unframer.feed(chunk)

    def send(self, message: Message, number: int = 0) -> None:
        """Send a message about the call `number`; 0 is no call. Blocks while the pipe is full."""
        self._pipe.sendall(encode_frame(encode(message), number))


def run_worker(connection: PipeConnection, progress: SharedProgress, scratch_folder: str = "") -> None:
    """Load the model and run calls until the server closes the pipe.

    On another machine, `scratch_folder` is the folder that holds the files of calls there.
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
        model = LoadedModel.load(start.name, start.target)
        if start.warm:
            model.warm()
        sending = StreamSender(connection.send, progress, model.schema)
        answering = CallExecutor(model, sending, start.envelope)
    except BaseException as error:  # noqa: BLE001 - user code may raise anything
        connection.send(_create_start_failure(error))
        return
    connection.send(Ready())
    for numbers, said in _read_batches(messages):
        calls = (
            [relocate_call(call, f"{scratch_folder}/{get_scratch_name(call.scratch)}") for call in said]
            if scratch_folder
            else said
        )
        # Order matters: publish `last_started` before reading `revoked_up_to`, because the server revokes
        # every call that it does not see as started 1 ms later.
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
    """Yield the numbers and calls of the next batch; a single call is a batch of one."""
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
    """Run a worker on the inherited descriptors; for `scratch_folder`, see `run_worker`."""
    faulthandler.enable()
    exit_with_parent()
    use_line_buffering()
    with socket.socket(fileno=int(pipe_descriptor)) as connected:
        run_worker(PipeConnection(connected), SharedProgress(int(progress_descriptor)), scratch_folder)


if __name__ == "__main__":
    main(*sys.argv[1:])
