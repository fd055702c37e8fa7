"""Messages between the server and its worker and training processes: types, encoding, framing.

Apart from the values of arguments, only these named tuples are sent, never exceptions or the model's objects.
"""

import enum
import io
import pickle
import struct
import types
from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple

from deepaas.errors import BadRequest
from deepaas.log import get_logger

_FRAME_HEADER = struct.Struct("!QQ")
_MAX_FRAME_BYTES = 1 << 40
_BODY_HEADER = struct.Struct("!cddII")
_BODY_MARK = b"B"  # no pickle of protocol 5 starts with this byte
_log = get_logger(__name__)


class Envelope(enum.StrEnum):
    """How the response wraps a JSON prediction of a model without a schema."""

    NONE = "none"
    """Not wrapped."""
    STRING = "string"
    """As a string in `{"status": "OK", "predictions": "…"}`."""
    JSON = "json"
    """As a value in `{"status": "OK", "predictions": …}`."""


class WorkerConfig(NamedTuple):
    """The first message to a process: the model to load and the settings of the process.

    `target` is the argument of `deepaas.model.loader.load`. `python_path` is the server's `sys.path`, so that
    the process imports the same modules. With `log_to_stderr`, log lines go to standard error in addition to
    `log_file`. The process ignores the signals with the numbers `ignored_signals`.
    """

    name: str
    target: str
    python_path: list[str]
    warm: bool
    envelope: Envelope
    log_level: str
    log_file: str
    log_format: str
    log_to_stderr: bool
    ignored_signals: tuple[int, ...] = ()


class Loading(NamedTuple):
    """The process has started and is about to load the model."""


class Ready(NamedTuple):
    """The model is loaded and warm; the process accepts calls."""


class Call(NamedTuple):
    """One call of one of the model's functions.

    `arguments` are validated keyword arguments. If `validated` is false, they are raw, and the process
    validates them: either the validated values cannot be pickled, or `json` holds an unparsed JSON body.
    With `pickled_arguments`, they are pickled by another process of the model, and `arguments` is empty.
    `scratch` is the folder of the request's files; it may not exist yet. With `prefers_events`, a stream
    without a media type is sent as server-sent events. If `media_type` has a wildcard, `requested_type` is
    the concrete type that the client requested, if any.
    """

    function: str
    arguments: dict[str, Any]
    validated: bool
    media_type: str | None
    scratch: str
    request_id: str
    prefers_events: bool = False
    requested_type: str | None = None
    json: bytes = b""
    pickled_arguments: bytes = b""


class Body(NamedTuple):
    """A rendered result, ready to send: its bytes, or the path of a file with them."""

    media_type: str
    content: bytes
    path: str | None = None
    filename: str | None = None


class Chunk(NamedTuple):
    """A part of a streamed result, ready to send; a `Reply` follows the last one.

    `elapsed_s` is the time since the call started, in seconds.
    """

    media_type: str
    content: bytes
    elapsed_s: float


class Failure(NamedTuple):
    """A failed call: the HTTP status, the message for the caller, the traceback for the log.

    `validation_errors` are the errors of arguments that the worker validated.
    """

    status: int
    message: str
    traceback: str = ""
    validation_errors: dict[str, Any] | None = None


class Reply(NamedTuple):
    """The outcome of a call, and the seconds spent in the model and in rendering.

    `model_s` is the time of the whole batch of `batch_size` calls.
    """

    outcome: Body | Failure
    model_s: float
    render_s: float
    batch_size: int = 1


class BatchHeader(NamedTuple):
    """The next `size` calls are one batch."""

    size: int


Message = tuple[Any, ...]  # any of the named tuples above


class Revoked(NamedTuple):
    """The worker skipped a call because the server had revoked it."""


_MESSAGE_TYPES = (WorkerConfig, Loading, Ready, Call, Body, Failure, Reply, Revoked, BatchHeader, Chunk)
_TYPE_NUMBERS = {kind: number for number, kind in enumerate(_MESSAGE_TYPES)}
_REPLY_NUMBER = _TYPE_NUMBERS[Reply]
# Messages that the server accepts from processes that run user code, with the types of their fields
_FIELD_TYPES: dict[type, tuple[type | types.UnionType, ...]] = {
    Loading: (),
    Ready: (),
    Revoked: (),
    Chunk: (str, bytes, float),
    Body: (str, bytes, str | None, str | None),
    Failure: (int, str, str, dict | None),
}


def encode(message: Message) -> bytes:
    """Encode a message. Raise any error of `pickle` for values that it cannot encode.

    A message is pickled as a plain tuple that starts with the number of its type; this takes a quarter of the
    time of pickling the named tuple. The most frequent reply, a body of bytes, has its own binary format.
    """
    if isinstance(message, Reply):
        if (
            isinstance(message.outcome, Body)
            and message.outcome.path is None
            and message.outcome.filename is None
        ):
            return _encode_body_reply(message, message.outcome)
        plain: Message = (
            _REPLY_NUMBER,
            message.model_s,
            message.render_s,
            message.batch_size,
            _TYPE_NUMBERS[type(message.outcome)],
            *map(_to_plain_value, message.outcome),
        )
    elif isinstance(message, Failure):
        plain = (_TYPE_NUMBERS[Failure], *map(_to_plain_value, message))
    else:
        plain = (_TYPE_NUMBERS[type(message)], *message)
    return pickle.dumps(plain, protocol=5)


def unpickle_arguments(call: Call) -> Call:
    """Return the call with its `pickled_arguments` as arguments; only in a process of the model."""
    if not call.pickled_arguments:
        return call
    return call._replace(arguments=pickle.loads(call.pickled_arguments), pickled_arguments=b"")  # noqa: S301 - pickled by the same model


def encode_call(call: Call, raw: Mapping[str, Any], *, is_large: bool = False) -> bytes:
    """Encode a call, with the `raw` arguments if the validated ones cannot be pickled.

    The process then validates the raw arguments again. A large call is encoded in steps, between which other
    threads can run. Raise `BadRequest` for arguments that are nested too deeply.
    """
    encode_arguments = _encode_in_steps if is_large else encode
    try:
        return encode_arguments(call)
    except Exception as error:  # noqa: BLE001 - the model's values may raise any error when pickled
        _log.debug("Arguments cannot be pickled; the model's process validates them again: %s", error)
    try:
        return encode_arguments(call._replace(arguments=dict(raw), validated=False))
    except RecursionError as error:
        raise BadRequest("The arguments are nested too deeply.") from error


def _encode_in_steps(message: Call) -> bytes:
    """Like `encode`, but in steps of about 64 KiB, because pickling holds the GIL during each step.

    Raise `RecursionError` for values that contain themselves.
    """
    pieces = _BytesWriter()
    pickler = pickle.Pickler(pieces, protocol=5)
    # Without the memo: growing its table of millions of entries would be one long step under the GIL.
    pickler.fast = True
    pickler.dump((_TYPE_NUMBERS[type(message)], *message))
    return b"".join(pieces)


class _BytesWriter(list[bytes]):
    def write(self, data: bytes) -> None:
        self.append(bytes(data))


def _encode_body_reply(reply: Reply, body: Body) -> bytes:
    media_type = body.media_type.encode("utf-8", "surrogatepass")
    head = _BODY_HEADER.pack(_BODY_MARK, reply.model_s, reply.render_s, reply.batch_size, len(media_type))
    return head + media_type + body.content


def _decode_body_reply(content: memoryview) -> Reply:
    _, model_s, render_s, together, length = _BODY_HEADER.unpack_from(content)
    end = _BODY_HEADER.size + length
    media_type = str(content[_BODY_HEADER.size : end], "utf-8", "surrogatepass")
    return Reply(Body(media_type, bytes(content[end:])), model_s, render_s, together)


def _to_plain_value(value: Any) -> Any:
    """Convert a value to built-in types, because the server unpickles nothing else.

    A file name may be a NumPy string, for example, and a validator's message any object.
    """
    if value is None or type(value) in (str, bytes, bool, int, float):
        return value
    if isinstance(value, dict):
        return {_to_plain_value(key): _to_plain_value(item) for key, item in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [_to_plain_value(item) for item in value]
    number_or_bytes = next((kind for kind in (int, float, bytes) if isinstance(value, kind)), None)
    return number_or_bytes(value) if number_or_bytes else str.__str__(str(value))


class _PlainUnpickler(pickle.Unpickler):
    """Unpickles built-in values only, so that a process with user code cannot run code in the server."""

    def find_class(self, module: str, name: str) -> Any:
        raise ValueError(f"the process sent an object of {module}.{name}")


def decode_plain_value(content: bytes | memoryview) -> Any:
    """Decode built-in values. Raise `ValueError` for an object of any other class."""
    return _PlainUnpickler(io.BytesIO(content)).load()


def decode_plain(content: memoryview) -> Any:
    """Decode a message of a process that runs user code, and check the types of its fields.

    Raise `ValueError` for unexpected messages, fields or classes, and any error of `pickle` for other bytes.
    """
    if content[:1] == _BODY_MARK:
        return _decode_body_reply(content)
    number, *fields = decode_plain_value(content)
    if number != _REPLY_NUMBER:
        return _validate_message(_MESSAGE_TYPES[number], fields)
    model_s, render_s, together, kind, *outcome = fields
    if _MESSAGE_TYPES[kind] not in (Body, Failure) or not isinstance(together, int):
        raise ValueError("the process sent an invalid reply")
    return Reply(_validate_message(_MESSAGE_TYPES[kind], outcome), float(model_s), float(render_s), together)


def _validate_message(message_type: Any, fields: list[Any]) -> Any:
    """Build the message. Raise `ValueError` for an unexpected type of message, or wrong types of fields."""
    expected = _FIELD_TYPES.get(message_type)
    if expected is None or len(fields) != len(expected) or not all(map(isinstance, fields, expected)):
        raise ValueError(f"the process sent an unexpected or invalid {message_type.__name__}")
    return message_type(*fields)


def decode(content: bytes | memoryview) -> Any:
    """Decode a message of the server, never one of another process: unpickling can run any code."""
    number, *fields = pickle.loads(content)  # noqa: S301 - our own server
    return _MESSAGE_TYPES[number](*fields)


def encode_frame(content: bytes, number: int = 0) -> bytes:
    """Prefix an encoded message with its length and its call's number; 0 is a message about no call."""
    return _FRAME_HEADER.pack(len(content), number) + content


class FrameDecoder:
    """Decodes a byte stream, received in arbitrary pieces, into messages and the numbers of their calls."""

    def __init__(self, decode: Callable[[memoryview], Any] = decode) -> None:
        self._decode = decode
        self._buffer = bytearray()

    def feed(self, chunk: bytes) -> Iterator[tuple[int, Any]]:
        """Add `chunk`, and yield the call's number and the message of every complete frame.

        Exhaust the iterator before feeding the next chunk. Raise `ValueError` for an oversized frame, and any
        error of `decode`.
        """
        stream: bytes | bytearray = chunk
        if self._buffer:
            self._buffer += chunk
            stream = self._buffer
        view = memoryview(stream)
        offset = 0
        while len(stream) - offset >= _FRAME_HEADER.size:
            length, number = _FRAME_HEADER.unpack_from(stream, offset)
            if length > _MAX_FRAME_BYTES:
                raise ValueError("received an invalid frame")
            begin = offset + _FRAME_HEADER.size
            if begin + length > len(stream):
                break
            offset = begin + length
            yield number, self._decode(view[begin:offset])
        if offset or stream is chunk:
            self._buffer = bytearray(view[offset:])
