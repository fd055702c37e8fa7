"""What crosses the pipe between the server and its processes, and how it is framed.

Only these named tuples are sent, never an exception or one of the author's objects other than the
values of arguments. It must not know who sends or receives them.
"""

import pickle
import struct
from collections.abc import Iterator
from typing import Any, NamedTuple

_LENGTH = struct.Struct("!Q")


class Start(NamedTuple):
    """The first message to a process: which model to load and how to behave.

    `target` is what `deepaas.model.loading.load` takes; `python_path` is the server's `sys.path`, so
    that a process finds what the server found.
    """

    name: str
    target: str
    python_path: list[str]
    warm: bool
    wrap_predictions: bool
    log_level: str
    log_file: str


class Ready(NamedTuple):
    """The model is loaded and warmed; calls may come."""


class Call(NamedTuple):
    """One call of one of the model's functions.

    `arguments` holds validated keyword arguments, or raw ones when `validated` is false: values that a
    pickle cannot carry are then made again, by the same fields, in the process that needs them.
    `scratch` is the folder of the request's files; it may not exist yet.
    """

    id: int
    function: str
    arguments: dict[str, Any]
    validated: bool
    media_type: str | None
    scratch: str
    request_id: str


class Body(NamedTuple):
    """A rendered result: bytes ready to send, or the path of a file that holds them."""

    media_type: str
    content: bytes
    path: str | None = None
    filename: str | None = None


class Failed(NamedTuple):
    """Why a call did not end well: an HTTP status, a message for the caller, a traceback for the log."""

    status: int
    message: str
    traceback: str = ""


class Reply(NamedTuple):
    """The end of the call `id`: what came of it, and the seconds it took in the process."""

    id: int
    outcome: Body | Failed
    seconds: float


def pack(message: object) -> bytes:
    """Return `message` as one frame. Raise whatever `pickle` raises for values it cannot carry."""
    payload = pickle.dumps(message, protocol=5)
    return _LENGTH.pack(len(payload)) + payload


class Unpacker:
    """Turns a stream of bytes, however it was cut, back into messages."""

    def __init__(self) -> None:
        self._buffer = bytearray()

    def feed(self, chunk: bytes) -> Iterator[Any]:
        """Add `chunk` and yield every message that is complete."""
        buffer = self._buffer
        buffer += chunk
        offset = 0
        while len(buffer) - offset >= _LENGTH.size:
            (length,) = _LENGTH.unpack_from(buffer, offset)
            end = offset + _LENGTH.size + length
            if end > len(buffer):
                break
            with memoryview(buffer) as view:
                message = pickle.loads(view[offset + _LENGTH.size : end])  # noqa: S301 - our own processes
            offset = end
            yield message
        if offset:
            del buffer[:offset]
