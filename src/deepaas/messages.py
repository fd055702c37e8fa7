"""What crosses the pipe between the server and its processes, and how it is framed.

Only these named tuples are sent, never an exception or one of the author's objects other than the
values of arguments.
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
_BODY_MARK = b"B"  # a pickle begins with another byte
_log = get_logger(__name__)


class Envelope(enum.StrEnum):
    """How the JSON of a prediction without a schema is sent."""

    NONE = "none"
    """As it is."""
    STRING = "string"
    """As a string in `{"status": "OK", "predictions": "…"}`."""
    JSON = "json"
    """As a value in `{"status": "OK", "predictions": …}`."""


class WorkerConfig(NamedTuple):
    """The first message to a process: which model to load and how to behave.

    `target` is what `deepaas.model.loader.load` takes; `python_path` is the server's `sys.path`, so
    that a process finds what the server found. With `log_to_stderr`, log lines that go to `log_file` go to
    standard error too. `ignored_signals` are the numbers of signals that are not to end it.
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
    """The process has started and comes to the model's code now."""


class Ready(NamedTuple):
    """The model is loaded and warmed; calls may come."""


class Call(NamedTuple):
    """One call of one of the model's functions.

    `arguments` holds validated keyword arguments, or raw ones when `validated` is false: values that a
    pickle cannot carry are then made again, by the same fields, in the process that needs them.
    `scratch` is the folder of the request's files; it may not exist yet. With `prefers_events`, a stream
    without a media type is sent as server-sent events. Where `media_type` has a wildcard, `requested_type` is
    the concrete one that the client named, if it did. `json` is a JSON body that nobody has read yet; the
    `arguments` are then raw, those of the rest of the request.
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


class Body(NamedTuple):
    """A rendered result: bytes ready to send, or the path of a file that holds them."""

    media_type: str
    content: bytes
    path: str | None = None
    filename: str | None = None


class Chunk(NamedTuple):
    """A part of a streamed result, ready to send; a `Reply` follows the last one.

    `elapsed_s` is how long the call has run until then, in seconds.
    """

    media_type: str
    content: bytes
    elapsed_s: float


class Failure(NamedTuple):
    """Why a call did not end well: an HTTP status, a message for the caller, a traceback for the log.

    `validation_errors` are those of invalid arguments, where they were validated with the call.
    """

    status: int
    message: str
    traceback: str = ""
    validation_errors: dict[str, Any] | None = None


class Reply(NamedTuple):
    """The end of a call: what came of it, and the seconds it took in the model and in rendering.

    `batch_size` is how many calls, itself included, `model_s` is the time of.
    """

    outcome: Body | Failure
    model_s: float
    render_s: float
    batch_size: int = 1


class BatchHeader(NamedTuple):
    """The next `size` calls are to be run together."""

    size: int


Message = tuple[Any, ...]  # any of the named tuples above


class Revoked(NamedTuple):
    """The worker did not begin a call, since the server had taken it back."""


_MESSAGE_TYPES = (WorkerConfig, Loading, Ready, Call, Body, Failure, Reply, Revoked, BatchHeader, Chunk)
_TYPE_NUMBERS = {kind: number for number, kind in enumerate(_MESSAGE_TYPES)}
_REPLY_NUMBER = _TYPE_NUMBERS[Reply]
# What a process of a model may send, and the types of the fields
_FIELD_TYPES: dict[type, tuple[type | types.UnionType, ...]] = {
    Loading: (),
    Ready: (),
    Revoked: (),
    Chunk: (str, bytes, float),
    Body: (str, bytes, str | None, str | None),
    Failure: (int, str, str, dict | None),
}


def encode(message: Message) -> bytes:
    """Return `message` as bytes. Raise whatever `pickle` raises for values that it cannot carry.

    A message goes as a plain tuple behind the number of its kind, which takes a quarter of the time that
    naming its class would; the one that ends most calls has a form of its own.
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


def encode_call(call: Call, raw: Mapping[str, Any], *, is_large: bool = False) -> bytes:
    """Return a call as bytes.

    When its validated arguments cannot be pickled, send the `raw` ones, which the worker validates again. A
    large call is encoded in steps, between which other threads can run. Raise `BadRequest` for arguments that
    are nested too deeply.
    """
    encode_arguments = _encode_in_steps if is_large else encode
    try:
        return encode_arguments(call)
    except Exception as error:  # noqa: BLE001 - the author's values may refuse to be pickled in any way
        _log.debug("The worker validates the arguments again, which cannot be pickled: %s", error)
    try:
        return encode_arguments(call._replace(arguments=dict(raw), validated=False))
    except RecursionError as error:
        raise BadRequest("The arguments are nested too deeply.") from error


def _encode_in_steps(message: Call) -> bytes:
    """Do the same as `encode`, 64 KiB at a time: the interpreter lets no other thread run during a step.

    Raise `RecursionError` for values that contain themselves.
    """
    pieces = _BytesWriter()
    pickler = pickle.Pickler(pieces, protocol=5)
    # It would remember all values by their addresses; making its table of millions larger is one long step.
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
    """Return a value of a message to the server without the model's classes.

    A file's name may be a text of NumPy, and the message of a validator anything that can be shown.
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
    """Reads plain values; a process of a model may send anything, which must not become code here."""

    def find_class(self, module: str, name: str) -> Any:
        raise ValueError(f"the process sent an object of {module}.{name}")


def decode_plain(content: memoryview) -> Any:
    """Return a message that a process of a model sent.

    Raise `ValueError` for what holds more than plain values, and what `pickle` raises for what is no message.
    """
    if content[:1] == _BODY_MARK:
        return _decode_body_reply(content)
    number, *fields = _PlainUnpickler(io.BytesIO(content)).load()
    if number != _REPLY_NUMBER:
        return _validate_message(_MESSAGE_TYPES[number], fields)
    model_s, render_s, together, kind, *outcome = fields
    if _MESSAGE_TYPES[kind] not in (Body, Failure) or not isinstance(together, int):
        raise ValueError("the process sent no reply")
    return Reply(_validate_message(_MESSAGE_TYPES[kind], outcome), float(model_s), float(render_s), together)


def _validate_message(message_type: Any, fields: list[Any]) -> Any:
    """Return the message if it is one that a process of a model may send. Raise `ValueError`."""
    expected = _FIELD_TYPES.get(message_type)
    if expected is None or len(fields) != len(expected) or not all(map(isinstance, fields, expected)):
        raise ValueError(f"the process sent a {message_type.__name__} that it may not send")
    return message_type(*fields)


def decode(content: bytes | memoryview) -> Any:
    """Return the message that `encode` made bytes of. Only what the server itself sent may be decoded so."""
    if content[:1] == _BODY_MARK:
        return _decode_body_reply(memoryview(content))
    return _build_message(pickle.loads(content))  # noqa: S301 - our own processes


def _build_message(plain: Any) -> Any:
    number, *fields = plain
    if number == _REPLY_NUMBER:
        model_s, render_s, together, kind, *outcome = fields
        return Reply(_MESSAGE_TYPES[kind](*outcome), model_s, render_s, together)  # type: ignore[arg-type]  # kind says which
    return _MESSAGE_TYPES[number](*fields)


def encode_frame(content: bytes, number: int = 0) -> bytes:
    """Return an encoded message as it goes through a pipe: behind its length and its call's number there."""
    return _FRAME_HEADER.pack(len(content), number) + content


class FrameDecoder:
    """Turns a stream of bytes, however it was cut, back into messages and the numbers of their calls."""

    def __init__(self, decode: Callable[[memoryview], Any] = decode) -> None:
        self._decode = decode
        self._buffer = bytearray()

    def feed(self, chunk: bytes) -> Iterator[tuple[int, Any]]:
        """Add `chunk` and yield the call's number and the message for every frame that is complete.

        All must be taken before the next chunk is fed. Raise what `decode` raises, or `ValueError`, for what
        is no message.
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
                raise ValueError("what came through the pipe is no frame")
            begin = offset + _FRAME_HEADER.size
            if begin + length > len(stream):
                break
            offset = begin + length
            yield number, self._decode(view[begin:offset])
        if offset or stream is chunk:
            self._buffer = bytearray(view[offset:])
