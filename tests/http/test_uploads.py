"""Uploaded files: content and names that models receive, and deletion of all files."""

import pathlib
import random
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from support.server import Server, predict, predicted, wait_until

pytestmark = pytest.mark.every_engine
SERVED = ["big_uploads", "data_keys", "uploads"]

HEAD = 'Content-Disposition: form-data; name="one"; filename="a.txt"\r\n\r\n'


@pytest.fixture(autouse=True)
def _nothing_left(server: Server) -> Iterator[None]:
    """Check after each test that no upload is left."""
    yield
    assert server.scratch_files() == []


def test_single_file(client: httpx.Client) -> None:
    """The function receives an `UploadedFile` with a readable file."""
    found = predicted(client, "uploads", files={"one": ("a b.tar.gz", b"content", "application/gzip")})
    path = pathlib.Path(found["one"].pop("filename"))
    assert found["one"] == {
        "name": "one",
        "content_type": "application/gzip",
        "original_filename": "a b.tar.gz",
        "content": "content",
    }
    assert path.name.endswith(".tar.gz")
    wait_until(lambda: not path.exists())


@pytest.mark.parametrize("name", ["many", "marked"])
@pytest.mark.parametrize("count", [1, 3])
def test_list_of_files(client: httpx.Client, name: str, count: int) -> None:
    files = [(name, (f"{index}.png", f"content {index}".encode())) for index in range(count)]
    found = predicted(client, "uploads", files=files)
    assert [file["content"] for file in found[name]] == [f"content {index}" for index in range(count)]
    assert len({file["filename"] for file in found[name]}) == count


def test_several_files_for_one(client: httpx.Client) -> None:
    """An argument that is not a list receives one of the files."""
    files = [("one", ("1.png", b"1")), ("one", ("2.png", b"2"))]
    assert predicted(client, "uploads", files=files)["one"]["content"] in ("1", "2")


@pytest.mark.parametrize("name", ["one", "many", "marked", "old"])
@pytest.mark.parametrize("where", ["params", "data", "json", "files"])
def test_text_for_a_file(client: httpx.Client, name: str, where: str) -> None:
    """A text for a file argument is a 422 from every source."""
    sent: Any = {name: (None, "text")} if where == "files" else {name: "text"}
    response = predict(client, "uploads", **{where: sent})
    assert response.status_code == 422
    assert list(response.json()) == [name]


def test_required_file(client: httpx.Client) -> None:
    response = predict(client, "big_uploads")
    assert (response.status_code, response.json()) == (422, {"data": ["Missing data for required field."]})


@pytest.mark.parametrize("other", [{}, {"files": {"other": b"x"}}])
def test_optional_file(client: httpx.Client, other: dict[str, Any]) -> None:
    assert predicted(client, "uploads", **other) == {}


SUFFIXES = [
    ("a.png", ".png"),
    ("a.nii.gz", ".gz"),
    ("A.PNG", ".PNG"),
    ("no suffix", ""),
    ("C:\\pictures\\a.jpg", ".jpg"),
    ("../../etc/passwd", ""),
    ("/etc/cron.d/evil.sh", ".sh"),
    ("a.png/../../b", ""),
    (".bashrc", ""),
    ("a.;rm -rf", ""),
    ("ü.tif", ".tif"),
    ("x" * 300 + ".png", ".png"),
]


@pytest.mark.parametrize(("original", "suffix"), SUFFIXES)
def test_names_of_strangers(client: httpx.Client, server: Server, original: str, suffix: str) -> None:
    """Only the suffix of the client's file name is used in the path; the model gets the full name."""
    found = predicted(client, "uploads", files={"one": (original, b"content")})["one"]
    path = pathlib.Path(found["filename"])
    assert path.suffix == suffix
    assert found["content"] == "content"
    assert path.resolve().parents[1].name.startswith("deepaas-scratch-")
    assert original.rpartition("/")[2].rpartition("\\")[2] in found["original_filename"]


def test_no_file_chosen(client: httpx.Client) -> None:
    """Browsers send an empty part if the user selected no file."""
    body = (
        b'--b\r\nContent-Disposition: form-data; name="one"; filename=""\r\n'
        b"Content-Type: application/octet-stream\r\n\r\n\r\n--b--\r\n"
    )
    headers = {"Content-Type": "multipart/form-data; boundary=b"}
    assert predicted(client, "uploads", content=body, headers=headers) == {}
    response = predict(client, "big_uploads", content=body.replace(b'"one"', b'"data"'), headers=headers)
    assert (response.status_code, response.json()) == (422, {"data": ["Missing data for required field."]})


def test_empty_file(client: httpx.Client) -> None:
    assert predicted(client, "uploads", files={"one": ("empty.txt", b"")})["one"]["content"] == ""


@pytest.mark.parametrize(("then", "status"), [("raise", 500), ("delete", 200), ("move", 200), ("exit", 500)])
def test_whatever_the_model_does(client: httpx.Client, then: str, status: int) -> None:
    """Files are deleted after the response, even if the model raises, exits, or moves or deletes them."""
    response = predict(client, "uploads", params={"then": then}, files={"one": ("a.txt", b"content")})
    assert response.status_code == status, response.text


def test_invalid_arguments_beside_a_file(client: httpx.Client) -> None:
    files = {"the-image": b"x", "image-size": (None, "many")}
    assert predict(client, "data_keys", files=files).status_code == 422


BROKEN = {
    "not multipart": (b"nothing of the kind", "multipart/form-data; boundary=b"),
    "empty": (b"", "multipart/form-data; boundary=b"),
    "no boundary": (f"--b\r\n{HEAD}x\r\n--b--\r\n".encode(), "multipart/form-data"),
    "empty boundary": (f"--b\r\n{HEAD}x\r\n--b--\r\n".encode(), 'multipart/form-data; boundary=""'),
    "another boundary": (f"--b\r\n{HEAD}x\r\n--b--\r\n".encode(), "multipart/form-data; boundary=c"),
    "no end": (f"--b\r\n{HEAD}half a file".encode(), "multipart/form-data; boundary=b"),
    "no end of headers": (b"--b\r\nContent-Disp", "multipart/form-data; boundary=b"),
    "no name": (b"--b\r\nContent-Type: a/b\r\n\r\nx\r\n--b--\r\n", "multipart/form-data; boundary=b"),
    "no text": (
        b'--b\r\nContent-Disposition: form-data; name="then"\r\n\r\n\xff\r\n--b--\r\n',
        "multipart/form-data; boundary=b",
    ),
}


@pytest.mark.parametrize("case", BROKEN)
def test_broken_multipart(client: httpx.Client, case: str) -> None:
    """The response is a 400 with a message."""
    body, content_type = BROKEN[case]
    if case == "empty":
        body = b" "
    response = predict(client, "uploads", content=body, headers={"Content-Type": content_type})
    assert response.status_code == 400, response.text
    assert list(response.json()) == ["message"]


def test_many_chunks(client: httpx.Client) -> None:
    content = f"--b\r\n{HEAD}x--b -- \r\n-b\r\n--b--\r\n".encode()
    chunks = (content[at : at + 1] for at in range(len(content)))
    headers = {"Content-Type": "multipart/form-data; boundary=b"}
    found = predicted(client, "uploads", content=chunks, headers=headers)
    assert found["one"]["content"] == "x--b -- \r\n-b"


def test_chunks_of_any_size(client: httpx.Client) -> None:
    """A file too large for memory arrives unchanged, whatever the sizes of its chunks."""
    chance = random.Random(6)
    content = "".join(chance.choices("acd\r\n-", k=3_000_000))
    body = f"--b\r\n{HEAD}{content}\r\n--b--\r\n".encode()

    def pieces() -> Iterator[bytes]:
        at = 0
        while at < len(body):
            size = chance.choice([1, 2, 4_000, 300_000])
            yield body[at : at + size]
            at += size

    headers = {"Content-Type": "multipart/form-data; boundary=b"}
    assert predicted(client, "uploads", content=pieces(), headers=headers)["one"]["content"] == content


def test_parts_behind_a_large_one(client: httpx.Client) -> None:
    """Parts after a large file are not mixed with it."""
    files = [("many", text * 2_000_000) for text in ("a", "b")] + [("one", "c")]
    parts = [
        (name, (None if name == "then" else "a.txt", text)) for name, text in [*files, ("then", "answer")]
    ]
    found = predicted(client, "uploads", files=parts)
    contents = [one["content"] for one in [*found["many"], found["one"]]]
    assert contents == [text for _, text in files]


def test_leaving_while_a_file_is_written(client: httpx.Client, server: Server) -> None:
    """If the client disconnects during a large file, the file is deleted and the server keeps working."""

    def pieces() -> Iterator[bytes]:
        yield f"--b\r\n{HEAD}".encode() + bytes(5_000_000)
        wait_until(server.scratch_files)
        raise InterruptedError

    headers = {"Content-Type": "multipart/form-data; boundary=b"}
    with pytest.raises(InterruptedError):
        predict(client, "uploads", content=pieces(), headers=headers)
    wait_until(lambda: server.scratch_files() == [])
    assert client.get("/v2/").status_code == 200


def test_boundary_in_quotes(client: httpx.Client) -> None:
    """A boundary may be quoted and contain spaces and colons."""
    headers = {"Content-Type": 'multipart/form-data; charset=utf-8; boundary="a b:c"'}
    found = predicted(client, "uploads", content=f"--a b:c\r\n{HEAD}x\r\n--a b:c--".encode(), headers=headers)
    assert found["one"]["content"] == "x"
