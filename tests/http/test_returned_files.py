"""Predictions that are files: all ways to return one, with the exact bytes."""

import io

import httpx
import pytest
from PIL import Image

from support.server import predict

pytestmark = pytest.mark.every_engine
SERVED = ["returns_files"]

LARGE = bytes(range(256)) * 20_000
OCTETS = "application/octet-stream"


def request_file(client: httpx.Client, what: str, accept: str = OCTETS) -> httpx.Response:
    return predict(client, "returns_files", params={"what": what, "accept": accept})


@pytest.mark.parametrize("accept", [OCTETS, "image/png", "application/zip"])
@pytest.mark.parametrize(
    "what", ["bytes", "bytearray", "open", "bytesio", "seeked", "path", "returned", "open_text"]
)
def test_forms(client: httpx.Client, what: str, accept: str) -> None:
    """The bytes are sent unchanged, with the requested media type."""
    response = request_file(client, what, accept)
    assert response.status_code == 200, response.text
    assert response.content == b"bytes"
    assert response.headers["content-type"] == accept


@pytest.mark.parametrize("what", ["text", "bytes", "open"])
def test_text(client: httpx.Client, what: str) -> None:
    response = request_file(client, what, "text/plain")
    assert (response.status_code, response.text) == (200, "bytes")
    assert response.headers["content-type"].startswith("text/plain")


def test_own_type_and_name(client: httpx.Client) -> None:
    """Type and name of a `ReturnedFile` override the requested ones."""
    response = request_file(client, "named")
    assert response.headers["content-type"] == "text/csv"
    assert "t%C3%A4%20ble.csv" in response.headers["content-disposition"]
    assert response.content == b"bytes"


@pytest.mark.parametrize("what", ["large", "large_open", "large_path"])
def test_large(client: httpx.Client, what: str) -> None:
    response = request_file(client, what)
    assert response.status_code == 200
    assert response.content == LARGE
    assert "x-request-id" in response.headers


@pytest.mark.parametrize(("accept", "format_"), [("image/png", "PNG"), ("image/jpeg", "JPEG")])
def test_picture(client: httpx.Client, accept: str, format_: str) -> None:
    """A PIL image is encoded in the requested format."""
    response = request_file(client, "picture", accept)
    assert response.headers["content-type"] == accept
    with Image.open(io.BytesIO(response.content)) as picture:
        assert (picture.format, picture.size) == (format_, (3, 2))


@pytest.mark.parametrize(
    ("what", "accept", "reason"),
    [
        ("missing", "image/png", "No such file"),
        ("path_text", "image/png", "Return pathlib.Path(…)"),
        ("number", "image/png", "int"),
        ("unnamed", "image/png", "filename"),
        ("picture", "application/json", "JSON"),
        ("odd_type", OCTETS, r"'text/csv\r\nX-Evil: 1' has control characters"),
        ("odd_name", OCTETS, r"'a\r\nX-Evil: 1' has control characters"),
        ("undecodable_name", OCTETS, r"'a\udcff' has control characters"),
        ("no_text_name", OCTETS, "original_filename"),
    ],
)
def test_unusable(client: httpx.Client, what: str, accept: str, reason: str) -> None:
    """The response is a 500 that explains what to return."""
    response = request_file(client, what, accept)
    assert response.status_code == 500
    assert reason in response.json()["message"]


def test_path_of_upload(client: httpx.Client) -> None:
    """Old modules return the path of an upload as a string."""
    params = {"what": "path_of_upload", "accept": OCTETS}
    response = predict(client, "returns_files", params=params, files={"data": ("a.bin", LARGE)})
    assert (response.status_code, response.content == LARGE) == (200, True)
