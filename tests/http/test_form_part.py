"""Multipart bodies of HTTP clients other than browsers: names, charsets and encodings."""

import base64
import quopri
from collections.abc import Iterator

import httpx
import pytest

from support.model_client import model_client

NAME = "naïve.png"
MIME_WORD = "=?utf-8?B?bmHDr3ZlLnBuZw==?="


@pytest.fixture(scope="module")
def client() -> Iterator[httpx.Client]:
    """Yield a client of models that run in this process."""
    with model_client() as client:
        yield client


def send(client: httpx.Client, *parts: tuple[bytes, bytes], model: str = "uploads") -> httpx.Response:
    body = b"".join(b"--b\r\n%b\r\n\r\n%b\r\n" % part for part in parts) + b"--b--\r\n"
    headers = {"Content-Type": "multipart/form-data; boundary=b"}
    return client.post(f"/v2/models/{model}/predict/", content=body, headers=headers)


def disposition(parameters: str, charset: str = "utf-8", more: str = "") -> bytes:
    return f"Content-Disposition: form-data; {parameters}{more}".encode(charset)


@pytest.mark.parametrize(
    ("parameters", "charset"),
    [
        (f'name="one"; filename="{NAME}"', "utf-8"),
        (f'name="one"; filename="{NAME}"', "latin-1"),
        ("name=\"one\"; filename*=utf-8''na%C3%AFve.png", "ascii"),
        ("name=\"one\"; filename*=UTF-8'en'na%C3%AFve.png", "ascii"),
        ("name=\"one\"; filename*=iso-8859-1''na%EFve.png", "ascii"),
        ("name=\"one\"; filename*0*=utf-8''na%C3%AF; filename*1*=ve.png", "ascii"),
        (f"name=one; filename=\"{MIME_WORD}\"; filename*=utf-8''na%C3%AFve.png", "ascii"),
        ('name="one"; filename="naive.png"; filename*=utf-8\'\'na%C3%AFve.png', "ascii"),
        (f'name="one"; filename="{MIME_WORD}"', "ascii"),
        ('name="one"; filename="=?iso-8859-1?Q?na=EFve.png?="', "ascii"),
        ("name*=utf-8''one; filename*=utf-8''na%C3%AFve.png", "ascii"),
    ],
)
def test_names_of_files(client: httpx.Client, parameters: str, charset: str) -> None:
    """Names are decoded from every encoding that clients use, and the file gets their suffix."""
    response = send(client, (disposition(parameters, charset), b"content"))
    assert response.status_code == 200, response.text
    found = response.json()["predictions"]
    assert f'"original_filename":"{NAME}"' in found
    assert '.png","content_type"' in found


@pytest.mark.parametrize(
    "name",
    [
        "=?utf-8?B?!?=",
        "=?no-charset?B?bmE=?=",
        "a =?utf-8?B?bmE=?= b",
        "100%.txt",
        "a*b.txt",
        "a=?b.txt",
        "=?é?q?x?=",
    ],
)
def test_names_that_only_look_encoded(client: httpx.Client, name: str) -> None:
    """A name that cannot be decoded stays unchanged."""
    response = send(client, (disposition(f'name="one"; filename="{name}"'), b"content"))
    assert response.status_code == 200, response.text
    assert f'"original_filename":"{name}"' in response.json()["predictions"]


@pytest.mark.parametrize(
    ("headers", "content"),
    [
        ("\r\nContent-Type: text/plain; charset=ISO-8859-1", "naïve".encode("latin-1")),
        ("\r\nContent-Type: text/plain; charset=utf-16", "naïve".encode("utf-16")),
        ("\r\nContent-Type: text/plain", "naïve".encode()),
        ("\r\nContent-Transfer-Encoding: 8bit", "naïve".encode()),
        ("\r\nContent-Transfer-Encoding: BASE64", base64.b64encode("naïve".encode())),
        ("\r\nContent-Transfer-Encoding: quoted-printable", quopri.encodestring("naïve".encode())),
        (
            "\r\nContent-Type: text/plain; charset=latin-1\r\nContent-Transfer-Encoding: quoted-printable",
            b"na=EFve",
        ),
    ],
)
def test_texts(client: httpx.Client, headers: str, content: bytes) -> None:
    response = send(client, (disposition('name="text"', more=headers), content), model="echoing")
    assert response.status_code == 200, response.text
    assert '"text":"naïve"' in response.json()["predictions"]


def test_charset_of_the_form(client: httpx.Client) -> None:
    """A part named `_charset_` sets the charset of texts that declare none."""
    parts = (disposition('name="_charset_"'), b"iso-8859-1"), (disposition('name="text"'), b"na\xefve")
    response = send(client, *parts, model="echoing")
    assert '"text":"naïve"' in response.json()["predictions"], response.text


@pytest.mark.parametrize("encoding", ["base64", "quoted-printable"])
@pytest.mark.parametrize("size", [0, 1, 5, 100_000])
def test_encoded_files(client: httpx.Client, encoding: str, size: int) -> None:
    content = bytes(32 + index % 90 for index in range(size))
    encode = base64.encodebytes if encoding == "base64" else quopri.encodestring
    headers = disposition('name="one"; filename="a.bin"', more=f"\r\nContent-Transfer-Encoding: {encoding}")
    response = send(client, (headers, encode(content)))
    assert response.status_code == 200, response.text
    assert (
        httpx.Response(200, text=response.json()["predictions"]).json()["one"]["content"] == content.decode()
    )


@pytest.mark.parametrize(
    ("headers", "content", "said"),
    [
        ("\r\nContent-Transfer-Encoding: base64", b"a", "part 'text' cannot be decoded"),
        ("\r\nContent-Transfer-Encoding: uuencode", b"a", "'uuencode'"),
        ("\r\nContent-Type: text/plain; charset=no-such", b"a", "'no-such', which is unknown"),
        ("\r\nContent-Type: text/plain; charset=ascii", b"\xff", "ascii text"),
        ("\r\nContent-Type: text/plain; charset=hex", b"00", "'hex', which is unknown"),
        ("\r\nContent-Type: text/plain; charset=undefined", b"a", "'undefined', which is unknown"),
        ("\r\nContent-Type: text/plain; charset=punycode", b"a", "'punycode', which is unknown"),
    ],
)
def test_unreadable(client: httpx.Client, headers: str, content: bytes, said: str) -> None:
    """The response is a 400 that names the part."""
    response = send(client, (disposition('name="text"', more=headers), content), model="echoing")
    assert response.status_code == 400, response.text
    assert said in response.json()["message"]
