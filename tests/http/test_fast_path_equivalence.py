"""The fast path and aiohttp interpret the same bytes in the same way."""

import json
import random
from collections.abc import Callable
from typing import Any, NamedTuple
from urllib.parse import quote_plus, urlencode

import aiohttp
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from packaging.version import Version

from deepaas.http.fast_path.request import BufferedRequest
from support.models import HEALTHY
from support.raw_http import Answer, Wire
from support.server import AT_ONCE_S, Server

SERVED = ["sources"]
PATH = b"/v2/models/sources/predict/"
PARTS = b'--x\r\nContent-Disposition: form-data; name="word"\r\n\r\na\r\n--x--\r\n'
VARYING = ("date", "x-request-id")
IS_OLD_AIOHTTP = Version(aiohttp.__version__) < Version("3.14.2")


class Bytes(NamedTuple):
    """The parts of a request as sent; headers are lines."""

    method: bytes = b"POST"
    target: bytes = PATH
    version: bytes = b"HTTP/1.1"
    host: tuple[bytes, ...] = (b"Host: localhost",)
    connection: tuple[bytes, ...] = ()
    media_type: tuple[bytes, ...] = (b"Content-Type: application/json",)
    length: bytes = b"Content-Length: %d"
    others: tuple[bytes, ...] = ()
    body: bytes = b'{"word": "a"}'

    @property
    def whole(self) -> bytes:
        """The complete request."""
        length = self.length % len(self.body)
        headers = (*self.host, *self.connection, *self.media_type, length, *self.others)
        return b"\r\n".join((b" ".join(self[:3]), *headers, b"", self.body))


FIRST = Bytes(b"GET", b"/v2/", body=b"").whole
LAST = Bytes(b"GET", b"/v2/", connection=(b"Connection: close",), body=b"").whole


def lines(name: bytes, *values: bytes) -> list[tuple[bytes, ...]]:
    return [(name + b": " + value,) for value in values]


OTHERS = {
    "method": [b"PUT", b"GET", b"post", b"PREDICT"],
    "target": [
        PATH[:-1],
        PATH + b"?word=query&words=1&words=2",
        PATH + b"?",
        PATH + b"?word=%FF&=&&words",
        PATH + b"?word=[a@b:1]",
        PATH + b"?word=a//b?c/../d\\e|f",
        *(PATH + end for end in (b"#", b"#word", b"?word=a#b", b"?#?word=a", b"%23", b";a=b", b"/", b"\\")),
        *(
            PATH + end
            for end in (b"?word=\xc3\xa4", b"?word=\xff", b"?word=\x01", b"?word=a\tb", b"\x7f", b"\0")
        ),
        *(
            start + PATH
            for start in (b"/", b"//", b"//h", b"/h", b"http://h", b"https://a", b"http:", b"http:/", b"\\")
        ),
        *(b"http://h" + end for end in (b"", b"/", b"?word=a", b"/v2/models/sources/predict?word=a#b")),
        b"v2/models/sources/predict",
        b"/./v2/models/sources/predict/",
        b"/v2/models/../models/sources/predict/",
        b"/v2/models/sour%63es/predict/",
        b"/v2/models/sources%2Fpredict/",
        b"/v2//models/sources/predict/",
        b"*",
        b"?",
        b"a:80",
    ],
    "version": [b"HTTP/1.0", b"HTTP/1.2", b"HTTP/1.1 ", b"HTTP/2.0", b"http/1.1"],
    "host": [
        (),
        (b"Host: localhost", b"Host: localhost"),
        (b"Host: localhost", b"Host: b"),
        (b"Host: b", b"host: localhost"),
        (b"host: localhost",),
        (b"Host : localhost",),
        (b" Host: localhost",),
        *lines(
            b"Host", b"", b"localhost:80", b"localhost, b", b"localhost/b", b"a@localhost", b"\tlocalhost\t "
        ),
    ],
    "connection": [
        *lines(
            b"Connection",
            b"close",
            b"Close",
            b"keep-alive",
            b"",
            b"upgrade",
            b"x-close",
            b"closed",
            b"not close",
        ),
        *lines(
            b"Connection",
            b"keep-alive, close",
            b"close, keep-alive",
            b"a,close",
            b"close;a",
            b'"close"',
            b"close a",
        ),
        *lines(
            b"Connection",
            b"close\t ",
            b"\t close",
            b",close,",
            b"close, x-close",
            b"disclose",
            b"upgrade, close",
        ),
        (b"Connection: keep-alive", b"Connection: close"),
        (b"Connection: a", b"connection: b"),
        (b"Proxy-Connection: close",),
        (b"Keep-Alive: close",),
    ],
    "media_type": [
        (),
        *lines(
            b"Content-Type", b"", b"application/json ", b"application/json\t", b"\tApplication/JSON", b"json"
        ),
        *lines(
            b"Content-Type",
            b"application/json;charset=utf-8",
            b"application/json ; a",
            b"application/json,text/plain",
        ),
        *lines(
            b"Content-Type",
            b"application/a+json",
            b"a+json",
            b"a/b/c+json",
            b"text/plain+json;",
            b"application/json/a",
        ),
        *lines(
            b"Content-Type",
            b"application/json\xc2\xa0",
            b"application/json\xa0",
            b"application/json\x0b",
            b";application/json",
        ),
        *lines(b"Content-Type", b"text/plain", b"application/x-www-form-urlencoded", b"multipart/form-data"),
        *lines(
            b"Content-Type",
            b"multipart/form-data; boundary=x",
            b'MULTIPART/form-data ;BOUNDARY="x" ',
            b"multipart/form-data; boundary=",
        ),
        (b"Content-Type: application/json", b"Content-Type: text/plain"),
        (b"Content-Type: text/plain", b"Content-Type: application/json"),
        (b"Content-Type : application/json",),
        (b"Content-Type: application/json\r\n ;a=b",),
    ],
    "length": [
        *(
            b"Content-Length: " + value
            for value in (b"+%d", b"-%d", b"0%d", b"%d\t ", b"%d, 13", b"0x%d", b"%d.0", b"\t%d")
        ),
        *(
            b"Content-Length: %%d\r\n%s" % more
            for more in (b"Content-Length: 13", b"Content-Length: 5", b"content-length: 13")
        ),
        *(
            b"Content-Length: %%d\r\nTransfer-Encoding: %s" % value
            for value in (b"chunked", b"identity", b"", b"gzip, chunked")
        ),
        b"Content_Length: 5\r\nContent-Length: %d",
        b"Content-Length : %d",
    ],
    "others": [
        *lines(
            b"X-Token",
            b"a",
            b"a \t",
            b"\ta",
            b"",
            b'"a"',
            b"a\x01",
            b"a\x7f",
            b"a\0",
            b"\xc3\xa4",
            b"\xe4",
            b"a\r\n b",
            b"a\rb",
        ),
        (b"X-Token: a", b"x-token: b"),
        (b"X_Token: a",),
        (b"X-Token a",),
        (b": a",),
        *lines(b"Accept", b"application/json", b"text/html;q=1", b"*/*"),
        (b"Accept: text/plain", b"Accept: */*"),
        *(
            (name + b": a", name + b": b")
            for name in (b"User-Agent", b"Server", b"Authorization", b"Cookie", b"ETag")
        ),
        *lines(b"Upgrade", b"h2c", b"websocket", b""),
        (b"Connection: upgrade", b"Upgrade: websocket"),
        *lines(b"Content-Encoding", b"identity", b"a", b""),
        (b"Sec-WebSocket-Key1: a",),
        *lines(b"Origin", b"null", b"http://a"),
        *lines(b"X-Forwarded-For", b"1.2.3.4"),
        tuple(b"X-%d: a" % number for number in range(120)),
        tuple(b"X-%d: a" % number for number in range(140)),
        (b"X-Long: " + b"a" * 9000,),
    ],
    "body": [b"", b"{}", b" ", b"[]", b"{", b"word=a", b"word=%FF", PARTS, PARTS[:-4], b"\r\n\r\n"],
}
ONE_DIFFERENCE = [Bytes(**{part: value}) for part, values in OTHERS.items() for value in values]
SEVERAL_DIFFERENCES = st.builds(
    Bytes,
    **{
        # Each part is plain in three of four requests, so that most requests have two or three odd parts.
        part: st.sampled_from([Bytes._field_defaults[part]] * 3 * len(values) + values)
        for part, values in OTHERS.items()
    },
)


def outcome(server: Server, sent: bytes, before: bytes) -> tuple[Answer, Answer | None]:
    """Send `before` and then a request on a new connection.

    Return its response and the response to the next request, or `None` if the server has disconnected.
    """
    with Wire(server) as wire:
        if before:
            wire.send(before)
            assert wire.answer().status == 200
        wire.send(sent)
        answer = without_varying(wire.answer())
        try:
            wire.send(LAST)
            following = without_varying(wire.answer())
            wire.wait_until_closed(AT_ONCE_S)
        except (AssertionError, ConnectionError):
            return answer, None
        return answer, following


def without_varying(answer: Answer) -> Answer:
    """Remove headers that differ between responses to the same request."""
    for name in VARYING:
        answer.headers.pop(name, None)
    return answer


def check(server: Server, sent: Bytes) -> None:
    """Compare the responses on a new connection and on one that aiohttp has taken over."""
    if IS_OLD_AIOHTTP and b"Upgrade: websocket" in sent.others:
        return  # it disconnects without a response
    assert outcome(server, sent.whole, b"") == outcome(server, sent.whole, FIRST), sent.whole


def takes_the_fast_path(sent: Bytes) -> bool:
    read = BufferedRequest()
    read.feed(sent.whole)
    return read.is_eligible


def test_one_difference(server: Server) -> None:
    """The response is the same, and so is whether the connection stays open."""
    for sent in (Bytes(), *ONE_DIFFERENCE):
        check(server, sent)


@settings(
    derandomize=True,
    database=None,
    max_examples=400,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(sent=SEVERAL_DIFFERENCES)
def test_several_differences(server: Server, sent: Bytes) -> None:
    check(server, sent)


def test_both_ways_are_compared() -> None:
    """The fast path handles many of the requests above, so the tests really compare two parsers."""
    fast = sum(map(takes_the_fast_path, ONE_DIFFERENCE))
    assert takes_the_fast_path(Bytes())
    assert len(ONE_DIFFERENCE) / 4 < fast < len(ONE_DIFFERENCE)


NAMES = ["word", "words", "split", "table", "X-Token", "unknown"]
TEXTS = [
    "",
    "a",
    "ä",
    "1",
    "1,2",
    "true",
    "[]",
    '{"a": 1}',
    "\0",
    "a b",
    "a&b=c",
    "%",
    "%41",
    "日本",
    "x" * 1_000,
]
JSON_VALUES: list[Any] = [
    *TEXTS,
    0,
    -1,
    1.5,
    1e308,
    1 << 70,
    None,
    True,
    [],
    ["a"],
    [1, "b"],
    {"a": [None]},
    [[]],
]
ACCEPTED = ["*/*", "application/json", "text/html", "application/json;q=0.1, text/*"]
GENERATED = 2_000


def generate_request(chance: random.Random) -> Bytes:
    """Return a well-formed prediction request, often with invalid arguments."""
    pairs = [(chance.choice(NAMES), chance.choice(TEXTS)) for _ in range(chance.randrange(5))]
    in_query = pairs if chance.random() < 1 / 3 else []
    target = PATH + (b"?" + "&".join(f"{name}={quote_plus(text)}" for name, text in in_query).encode())
    others = ((b"Accept: " + chance.choice(ACCEPTED).encode(),) if chance.random() < 1 / 3 else ()) + (
        (b"X-Token: " + chance.choice(["a", "1", "a b"]).encode(),) if chance.random() < 1 / 3 else ()
    )
    kind = chance.choice(["json", "json", "form", "multipart", "none"])
    body, media_type = b"", b"application/json"
    if kind == "json":
        values = {chance.choice(NAMES): chance.choice(JSON_VALUES) for _ in range(chance.randrange(4))}
        body = json.dumps(values, ensure_ascii=chance.random() < 1 / 2).encode()
    elif kind == "form":
        body, media_type = urlencode(pairs).encode(), b"application/x-www-form-urlencoded"
    elif kind == "multipart":
        media_type = b"multipart/form-data; boundary=x"
        parts = (f'Content-Disposition: form-data; name="{name}"\r\n\r\n{text}' for name, text in pairs)
        body = "".join(f"--x\r\n{part}\r\n" for part in parts).encode() + b"--x--\r\n"
    return Bytes(target=target, media_type=(b"Content-Type: " + media_type,), others=others, body=body)


def test_generated_predictions(server: Server, start: Callable[..., Server]) -> None:
    """Status, headers and body are the same with and without the fast path."""
    chance = random.Random(20)
    statuses = set()
    other = start("--nofast-path", models={name: HEALTHY[name] for name in SERVED})
    with Wire(server) as fast, Wire(other) as slow:
        for _ in range(GENERATED):
            sent = generate_request(chance)
            assert takes_the_fast_path(sent), sent.whole
            fast.send(sent.whole)
            slow.send(sent.whole)
            answer = without_varying(fast.answer())
            assert answer == without_varying(slow.answer()), sent.whole
            statuses.add(answer.status)
    assert statuses == {200, 422}
