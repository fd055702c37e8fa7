"""Rendering of predictions as response bodies, without a server."""

import io
import logging
from pathlib import Path
from typing import Any, NamedTuple

import marshmallow
import numpy as np
import pytest
from marshmallow import fields

from deepaas.errors import InvalidResponse
from deepaas.messages import Body, Envelope
from deepaas.model.rendering import ResponseFormat, render, to_jsonable_or_repr
from deepaas.model.v2.wrapper import ReturnedFile, UploadedFile

WRAPPED, BARE, VALUE = (
    ResponseFormat(None, envelope) for envelope in (Envelope.STRING, Envelope.NONE, Envelope.JSON)
)
SCHEMA = ResponseFormat(marshmallow.Schema.from_dict({"a": fields.Int(required=True)})(), Envelope.STRING)
JSON = "application/json"
LIMIT = 1 << 20


def rendered(value: Any, media_type: str | None, form: ResponseFormat, folder: Path) -> Body:
    """Return the body, with its file's content instead of the path."""
    body = render(value, media_type, form, str(folder / "scratch"))
    if body.path:
        assert Path(body.path).parent == folder / "scratch"
        body = body._replace(content=Path(body.path).read_bytes(), path=None)
    return body


@pytest.mark.parametrize(
    ("value", "form", "content"),
    [
        ("text", WRAPPED, b'{"status":"OK","predictions":"text"}'),
        ([1], WRAPPED, b'{"status":"OK","predictions":"[1]"}'),
        (None, WRAPPED, b'{"status":"OK","predictions":"null"}'),
        ("text", BARE, b'"text"'),
        ({"a": np.arange(2)}, BARE, b'{"a":[0,1]}'),
        ({"a": 1}, SCHEMA, b'{"a":1}'),
    ],
)
@pytest.mark.parametrize("media_type", [None, JSON])
def test_json(
    value: Any, form: ResponseFormat, content: bytes, media_type: str | None, tmp_path: Path
) -> None:
    """JSON is wrapped, bare, or validated by the schema."""
    assert rendered(value, media_type, form, tmp_path) == Body(JSON, content)


@pytest.mark.parametrize("value", [{"a": "x"}, {}, {"a": 1, "b": 2}, [1], "text", None, 5])
def test_unfit(value: Any, tmp_path: Path) -> None:
    """A prediction of any type that does not match the schema is rejected."""
    with pytest.raises(InvalidResponse, match="schema"):
        rendered(value, None, SCHEMA, tmp_path)


@pytest.mark.parametrize("size", [0, 1, LIMIT - 1, LIMIT, LIMIT + 1, 3 * LIMIT + 5])
@pytest.mark.parametrize("how", ["bytes", "path", "open", "memory"])
def test_sizes(size: int, how: str, tmp_path: Path) -> None:
    """Bytes arrive unchanged, below and above the size from which they are stored in a file."""
    content = (b"0123456789" * (size // 10 + 1))[:size]
    path = tmp_path / "file"
    path.write_bytes(content)
    value: Any = {
        "bytes": lambda: content,
        "path": lambda: path,
        "open": lambda: path.open("rb"),
        "memory": lambda: io.BytesIO(content),
    }[how]()
    assert rendered(value, "image/png", WRAPPED, tmp_path) == Body("image/png", content)
    assert path.exists()


def test_open_files_are_closed(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    file = (tmp_path / "file").open("rb")
    rendered(file, "image/png", WRAPPED, tmp_path)
    assert file.closed


@pytest.mark.parametrize(
    ("value", "media_type"),
    [(b"x", "application/octet-stream"), ("text", JSON), ({"a": 1}, JSON)],
)
def test_anything_goes(value: Any, media_type: str, tmp_path: Path) -> None:
    """For */*, the type of the value decides."""
    assert rendered(value, "*/*", BARE, tmp_path).media_type == media_type


@pytest.mark.parametrize(
    ("file", "accepted", "expected"),
    [
        (ReturnedFile(content_type="a/b"), "c/d", "a/b"),
        (ReturnedFile(), "c/d", "c/d"),
        (ReturnedFile(), None, "image/png"),
        (ReturnedFile(), "*/*", "image/png"),
    ],
)
def test_returned_file(file: ReturnedFile, accepted: str | None, expected: str, tmp_path: Path) -> None:
    """The type is the ReturnedFile's own, else the accepted one, else the suffix decides."""
    path = tmp_path / "a.png"
    path.write_bytes(b"x")
    named = file._replace(filename=str(path), original_filename="b.png")
    assert rendered(named, accepted, WRAPPED, tmp_path) == Body(expected, b"x", None, "b.png")


def test_upload_sent_back(tmp_path: Path) -> None:
    """A model may return an upload."""
    (tmp_path / "a").write_bytes(b"x")
    upload = UploadedFile(filename=str(tmp_path / "a"))
    assert rendered(upload, "image/png", WRAPPED, tmp_path).content == b"x"


class Folders(NamedTuple):
    """The folders of a call's own files, and one with other files."""

    scratch: Path
    uploads: Path
    artifacts: Path
    other: Path


@pytest.fixture
def folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Folders:
    """Return folders with a file `a` each."""
    made = Folders(*(tmp_path / name for name in Folders._fields))
    for folder in made:
        folder.mkdir()
        (folder / "a").write_text(folder.name)
    monkeypatch.setenv("DEEPAAS_ARTIFACTS", str(made.artifacts))
    return made


def text_rendered(text: str, media_type: str, folders: Folders) -> bytes:
    """Return the body for a text from a model that received two uploads."""
    upload = UploadedFile(filename=str(folders.uploads / "a"))
    arguments = {"number": 1, "file": upload, "files": [upload], "nothing": None, "empty": UploadedFile()}
    return render(text, media_type, WRAPPED, str(folders.scratch), arguments=arguments).content


@pytest.mark.parametrize("media_type", ["image/png", "application/octet-stream", "image/*"])
@pytest.mark.parametrize("name", ["scratch", "uploads", "artifacts"])
def test_text_that_names_a_file_of_the_call(folders: Folders, name: str, media_type: str) -> None:
    """Models for 2.6 return the path of a file in the call's folders as a text."""
    path: Path = getattr(folders, name) / "." / "a"
    assert text_rendered(str(path), media_type, folders) == name.encode()


NOT_PATHS = {
    "outside": "{other}/a",
    "outside, by dots": "{scratch}/../other/a",
    "outside, by a link": "{scratch}/link",
    "outside, by a linked folder": "{scratch}/folder/a",
    "a link to itself": "{scratch}/loop",
    "no file": "{scratch}/none",
    "a folder": "{scratch}",
    "another folder with the same beginning": "{scratch}a",
    "relative": "a",
    "of the system": "/etc/passwd",
    "of the process": "/proc/self/environ",
    "empty": "",
    "null": "\0",
    "too long": "x" * 5000,
    "undecodable": "\udcff",
}


@pytest.mark.parametrize("media_type", ["image/png", "image/*", "application/xml"])
@pytest.mark.parametrize("text", NOT_PATHS.values(), ids=NOT_PATHS)
def test_text_is_no_path(
    folders: Folders, text: str, media_type: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Other texts are not opened as paths, because they may come from the client."""
    (folders.scratch / "link").symlink_to(folders.other / "a")
    (folders.scratch / "folder").symlink_to(folders.other)
    (folders.scratch / "loop").symlink_to(folders.scratch / "loop")
    monkeypatch.chdir(folders.other)
    with pytest.raises(InvalidResponse, match=r"pathlib\.Path"):
        text_rendered(text.format(**folders._asdict()), media_type, folders)


def test_paths_are_opened_anywhere(folders: Folders) -> None:
    """Only the model author can return a Path or a ReturnedFile, so it may be anywhere."""
    path = folders.other / "a"
    for value in (path, ReturnedFile(filename=str(path))):
        assert render(value, "image/png", WRAPPED, str(folders.scratch)).content == b"other"


def test_record(caplog: pytest.LogCaptureFixture) -> None:
    """A value that JSON cannot express is replaced by its repr, with a warning."""
    with caplog.at_level(logging.WARNING):
        assert to_jsonable_or_repr({"a": {1}, "b": 1j}) == {"a": [1], "b": "1j"}
    assert ["the result['b']" in line for line in caplog.messages] == [True]
