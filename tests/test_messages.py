"""Messages between server and worker: encoding, framing, and what the server refuses to decode."""

import itertools
import os
import pickle
import threading
from http import HTTPStatus
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deepaas.messages import (
    BatchHeader,
    Body,
    Call,
    Chunk,
    Failure,
    FrameDecoder,
    Message,
    Ready,
    Reply,
    WorkerConfig,
    decode,
    decode_plain,
    encode,
    encode_frame,
)

texts = st.text(max_size=20)
values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | texts | st.binary(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=5,
)
bodies = st.builds(Body, texts, st.binary(max_size=50), st.none() | texts, st.none() | texts)
problems = st.none() | st.dictionaries(texts, st.lists(texts, max_size=2), max_size=2)
failures = st.builds(Failure, st.integers(400, 599), texts, texts, problems)
server_messages: st.SearchStrategy[Message] = st.one_of(
    st.builds(WorkerConfig, texts, texts, st.lists(texts), st.booleans(), st.booleans(), texts, texts),
    st.builds(Call, texts, st.dictionaries(texts, values), st.booleans(), st.none() | texts, texts, texts),
    st.builds(BatchHeader, st.integers(1, 99)),
)
process_messages: st.SearchStrategy[Message] = st.one_of(
    st.just(Ready()),
    st.builds(Reply, bodies | failures, st.floats(0, 1e6), st.floats(0, 1e6), st.integers(1, 99)),
    failures,
    st.builds(Chunk, texts, st.binary(max_size=50), st.floats(0, 1e6)),
)
sent = st.lists(st.tuples(st.integers(0, 2**64 - 1), process_messages), max_size=6)


@given(server_messages)
def test_decoding_reverses_encoding(message: Message) -> None:
    found = decode(encode(message))
    assert found == message
    assert type(found) is type(message)


@given(process_messages)
def test_plain_round_trip(message: Message) -> None:
    """Messages of a model's process can be decoded without pickle's classes."""
    found = decode_plain(memoryview(encode(message)))
    assert found == message
    assert type(found) is type(message)


@pytest.mark.parametrize("value", [os.system, Path("x"), Failure(500, "x"), ValueError("x")])
def test_object_from_a_model(value: Any) -> None:
    """A message that refers to a class or function is refused before anything of it is called."""
    with pytest.raises(ValueError, match="sent an object of"):
        decode_plain(memoryview(pickle.dumps((6, value))))


class Text(str):
    """A str subclass, such as those of NumPy and of translation libraries."""

    __slots__ = ()

    def __str__(self) -> str:
        return self


class Lazy:
    """Becomes a str subclass when converted to a text."""

    def __str__(self) -> str:
        return Text("later")


@pytest.mark.parametrize(
    ("message", "plain"),
    [
        (Reply(Body("a/b", b"", "/x", Text("n")), 1.0, 1.0), Reply(Body("a/b", b"", "/x", "n"), 1.0, 1.0)),
        (Reply(Body(Text("a/b"), b"x"), 1.0, 1.0), Reply(Body("a/b", b"x"), 1.0, 1.0)),
        (Failure(HTTPStatus.CONFLICT, Text("x")), Failure(409, "x")),
        (
            Reply(Failure(422, "x", "", {Text("a"): [Lazy(), Text("b"), (HTTPStatus.OK, None)]}), 1.0, 1.0),
            Reply(Failure(422, "x", "", {"a": ["later", "b", [200, None]]}), 1.0, 1.0),
        ),
    ],
    ids=["file", "type", "status", "problems"],
)
def test_values_of_a_models_classes(message: Message, plain: Message) -> None:
    """Instances of a model's own classes are sent as the plain values that they stand for."""
    found = decode_plain(memoryview(encode(message)))
    assert found == plain


@pytest.mark.parametrize(
    "content",
    [
        encode(Call("predict", {}, validated=True, media_type=None, scratch="", request_id="")),
        encode(BatchHeader(2)),
        encode(Chunk("a/b", "text", 1.0)),
        pickle.dumps((6, "a", 1.0, 1, 4, "a/b", b"", None, None)),
        pickle.dumps((6, 1.0, 1.0, 1, 4, "a/b", 5, None, None)),
        pickle.dumps((6, 1.0, 1.0, 1, 7)),
        pickle.dumps((5, "a", "b", "", None)),
        pickle.dumps((99,)),
        pickle.dumps(5),
    ],
)
def test_message_that_no_model_sends(content: bytes) -> None:
    """The server accepts only messages of a model's process, with fields of the right types."""
    with pytest.raises((ValueError, TypeError, IndexError)):
        decode_plain(memoryview(content))


def test_code_from_a_model(tmp_path: Path) -> None:
    """A pickle that would run a command is refused."""

    class Command:
        def __reduce__(self) -> tuple[Any, ...]:
            return os.system, (f"touch {tmp_path / 'done'}",)

    with pytest.raises(ValueError, match=r"sent an object of posix\.system"):
        list(FrameDecoder(decode_plain).feed(encode_frame(pickle.dumps((6, Command())))))
    assert list(tmp_path.iterdir()) == []


@given(sent, st.lists(st.integers(0, 2000), max_size=30))
def test_stream_can_be_cut_anywhere(pairs: list[tuple[int, Message]], cuts: list[int]) -> None:
    stream = b"".join(encode_frame(encode(message), call_id) for call_id, message in pairs)
    places = [0, *sorted(min(cut, len(stream)) for cut in cuts), len(stream)]
    unframer = FrameDecoder(decode_plain)
    found = [pair for begin, end in itertools.pairwise(places) for pair in unframer.feed(stream[begin:end])]
    assert found == pairs


def test_single_bytes() -> None:
    """A message is complete with its last byte, not before."""
    stream = encode_frame(encode(Failure(500, "x")), 7)
    unframer = FrameDecoder()
    for byte in stream[:-1]:
        assert list(unframer.feed(bytes([byte]))) == []
    assert list(unframer.feed(stream[-1:])) == [(7, Failure(500, "x"))]


def test_unpicklable_argument_is_refused() -> None:
    call = Call(
        "predict", {"lock": threading.Lock()}, validated=True, media_type=None, scratch="", request_id=""
    )
    with pytest.raises((TypeError, pickle.PicklingError)):
        encode(call)
