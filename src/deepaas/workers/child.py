"""The worker process: loads and warms the model, then runs calls from the pipe, all in the main thread."""

import contextlib
import errno
import faulthandler
import itertools
import os
import socket
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, Protocol

from deepaas import log
from deepaas.child_setup import ForkGuard, exit_with_parent, ignore_signals, prepare_output
from deepaas.errors import DeepaasError, SettingsError
from deepaas.log import get_logger
from deepaas.messages import (
    BatchHeader,
    Call,
    Failure,
    FrameDecoder,
    Loading,
    Message,
    Ready,
    Reply,
    Revoked,
    WorkerConfig,
    encode,
    encode_frame,
)
from deepaas.model.failures import failure_from_exception
from deepaas.model.model import LoadedModel
from deepaas.model.relocation import get_scratch_name, relocate_call, set_module_path
from deepaas.standard_streams import DescriptorSentinel, duplicate_stream
from deepaas.workers.call_executor import CallExecutor, StreamSender
from deepaas.workers.shared_progress import SharedProgress

_RECEIVE_BYTES = 1 << 16  # malloc maps and unmaps memory for more than 128 KiB, which takes 10 µs
_ATOMIC_SEND_BYTES = 1 << 14  # the kernel queues as much of a message at once, or nothing


_log = get_logger(__name__)


class PipeConnection:
    """The worker's end of the pipe. Create it before user code is imported, and use it in the main thread."""

    def __init__(self, pipe: socket.socket) -> None:
        # The server's `socket.setdefaulttimeout`, which a model may have called, would make it non-blocking.
        pipe.setblocking(True)  # noqa: FBT003 - its only form
        self._pipe = pipe
        self._sentinel = DescriptorSentinel(pipe.fileno())
        self._fork_guard = ForkGuard()

    def read_messages(self) -> Iterator[tuple[int, Any]]:
        """Yield the server's messages, each with the number of its call, until the server closes the pipe."""
        unframer = FrameDecoder()
        while True:
            try:
                chunk = self._pipe.recv(_RECEIVE_BYTES)
            except Exception as error:  # noqa: BLE001 - as in `send`
                self._raise_unless_interrupted(error)
                continue
            if not chunk:
                return
            yield from unframer.feed(chunk)

    def send(self, message: Message, number: int = 0) -> None:
        """Send a message about the call `number`; 0 is no call. Blocks while the pipe is full.

        A copy of this process that user code forked exits instead.
        """
        self._fork_guard.check()
        frame = encode_frame(encode(message), number)
        sent = 0
        if len(frame) <= _ATOMIC_SEND_BYTES:
            try:
                sent = self._pipe.send(frame)
            except Exception as error:  # noqa: BLE001 - a signal handler of user code may raise anything
                self._raise_unless_interrupted(error)
        if sent < len(frame):
            self._send_rest(memoryview(frame)[sent:])

    def check_open(self) -> None:
        """Exit with a message if user code has closed the pipe, for example with `os.closerange`."""
        if not self._sentinel.is_intact():
            self._exit_without_pipe()

    def _send_rest(self, content: memoryview) -> None:
        """Send a large message in pieces.

        `extend` keeps the size of a piece even if a signal handler fails just after it: handlers run when C
        code returns to the interpreter.
        """
        while content:
            sent: list[int] = []
            try:
                sent.extend(map(self._pipe.send, (content,)))
            except Exception as error:  # noqa: BLE001 - as in `send`
                self._raise_unless_interrupted(error)
            content = content[sum(sent) :]

    def _raise_unless_interrupted(self, error: Exception) -> None:
        """Log an error of a signal handler of user code, such as of a forgotten `signal.alarm`.

        Raise any other error.
        """
        if error.__traceback__ and error.__traceback__.tb_next:
            _log.warning("A signal handler of the model failed between calls", exc_info=error)
        elif isinstance(error, OSError) and error.errno in (errno.EBADF, errno.ENOTSOCK):
            self._exit_without_pipe()
        else:
            raise error

    def _exit_without_pipe(self) -> None:
        _log.critical("The pipe to the server is lost. %s", self._sentinel.describe())
        os._exit(1)


class Executor(Protocol):
    """Runs the calls of a process."""

    def execute(self, call: Call, number: int) -> Reply:
        """Run one call."""

    def execute_batch(self, calls: Sequence[Call], numbers: Sequence[int]) -> Iterator[Reply]:
        """Run several calls; yield their replies in order."""


ExecutorFactory = Callable[[LoadedModel, WorkerConfig, PipeConnection, SharedProgress], Executor]
"""Creates the executor for a loaded model."""


def load_and_run(
    create_executor: ExecutorFactory,
    connection: PipeConnection,
    progress: SharedProgress,
    scratch_folder: str = "",
) -> None:
    """Load the model and run calls until the server closes the pipe.

    On another machine, `scratch_folder` is the folder that holds the files of calls there.
    """
    messages = connection.read_messages()
    _, start = next(messages)
    assert isinstance(start, WorkerConfig)
    set_module_path(start.python_path, is_remote=bool(scratch_folder))
    if start.ignored_signals:
        ignore_signals(start.ignored_signals)
    _configure_log(start)
    connection.send(Loading())
    try:
        with ForkGuard():
            model = LoadedModel.load(start.name, start.target)
            executor = create_executor(model, start, connection, progress)
    except BaseException as error:  # noqa: BLE001 - user code may raise anything
        connection.send(_create_start_failure(error))
        return
    connection.check_open()
    connection.send(Ready())
    with contextlib.closing(model):
        _run_calls(executor, messages, connection, progress, scratch_folder)


def _run_calls(
    executor: Executor,
    messages: Iterator[tuple[int, Any]],
    connection: PipeConnection,
    progress: SharedProgress,
    scratch_folder: str,
) -> None:
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
            replies = [executor.execute(calls[0], numbers[0])]
        else:
            replies = executor.execute_batch(calls, numbers)
        for number, reply in zip(numbers, replies, strict=True):
            connection.send(reply, number)


def _configure_log(start: WorkerConfig) -> None:
    """Configure the log; without its file, which the server could write, lines go to standard error."""
    options: dict[str, Any] = {"stream": duplicate_stream(sys.stderr), "log_format": start.log_format}
    try:
        log.configure(start.log_level, file=start.log_file, also_stderr=start.log_to_stderr, **options)
    except SettingsError as error:
        log.configure(start.log_level, **options)
        _log.warning("%s", error)


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


def run_child(
    create_executor: ExecutorFactory, pipe_descriptor: str, progress_descriptor: str, scratch_folder: str = ""
) -> None:
    """Run this process on the inherited descriptors; for `scratch_folder`, see `load_and_run`."""
    prepare_output()
    faulthandler.enable()
    exit_with_parent()
    with socket.socket(fileno=int(pipe_descriptor)) as connected:
        progress = SharedProgress(int(progress_descriptor))
        load_and_run(create_executor, PipeConnection(connected), progress, scratch_folder)


def _create_call_executor(
    model: LoadedModel, config: WorkerConfig, connection: PipeConnection, progress: SharedProgress
) -> CallExecutor:
    if config.warm:
        model.warm()
    return CallExecutor(model, StreamSender(connection.send, progress, model.schema), config.envelope)


if __name__ == "__main__":
    run_child(_create_call_executor, *sys.argv[1:])
