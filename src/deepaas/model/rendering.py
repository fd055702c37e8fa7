"""Renders a prediction as a response body."""

import contextlib
import io
import os
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import marshmallow
import orjson

from deepaas.errors import InvalidResponse, format_messages
from deepaas.log import get_logger
from deepaas.messages import Body, Envelope
from deepaas.model import json_encoding
from deepaas.model.media_types import (
    ANY,
    check_media_type,
    has_control_character,
    is_wildcard,
    resolve_wildcard,
)
from deepaas.model.v2.wrapper import ReturnedFile, UploadedFile
from deepaas.private_files import make_folders
from deepaas.reporting import ARTIFACTS_VARIABLE

JSON = "application/json"
_INLINE_LIMIT_BYTES = 1 << 20
_SIGNATURE_BYTES = 1 << 13
_log = get_logger(__name__)


class ResponseFormat(NamedTuple):
    """How to render a model's predictions as JSON; the envelope applies if there is no schema."""

    schema: marshmallow.Schema | None
    envelope: Envelope


def render(
    value: Any,
    media_type: str | None,
    response_format: ResponseFormat,
    scratch: str,
    requested_type: str | None = None,
    *,
    arguments: Mapping[str, Any] | None = None,
) -> Body:
    """Return `value` as a response body. Raise `InvalidResponse`, with advice for the model author.

    `media_type` is the type that the client accepts, `None` for JSON. If it has a wildcard, `requested_type`
    is the concrete type that the client named, if any; the body's type is always concrete. A body larger
    than 1 MiB is a file in the folder `scratch`. `arguments` are the call's: if `value` is a text with a
    path, only files of the call are sent (see `_resolve_call_file`).
    """
    if isinstance(value, str) and not _is_sent_as_text(media_type):
        value = _resolve_call_file(value, media_type, scratch, arguments or {})
    if media_type and is_wildcard(media_type) and _is_pil_image(value):
        return _render_image(value, requested_type, scratch)
    body = _render_body(value, media_type, response_format, scratch)
    if body.media_type is not JSON:
        check_media_type(body.media_type)
    if not is_wildcard(body.media_type):
        return body
    if isinstance(value, str) and body.media_type.startswith("text/"):
        return body._replace(media_type=requested_type or "text/plain")
    head = _read_first_bytes(body)
    name = _get_file_name(value)
    media_type = resolve_wildcard(body.media_type, name=name, head=head, requested=requested_type)
    return body._replace(media_type=media_type)


def _render_image(value: Any, requested_type: str | None, scratch: str) -> Body:
    """Return a PIL image in the requested format, or as PNG if Pillow cannot write that format."""
    if requested_type and requested_type.startswith("image/"):
        with contextlib.suppress(KeyError, OSError, ValueError):
            return _create_body(requested_type, _encode_image(value, requested_type), scratch)
    return _create_body("image/png", _encode_image(value, "image/png"), scratch)


def _render_body(value: Any, media_type: str | None, response_format: ResponseFormat, scratch: str) -> Body:
    """Return the body; its media type may still be the wildcard `media_type`."""
    if isinstance(value, ReturnedFile):
        return _render_returned_file(value, media_type, scratch)
    if is_open_file(value):
        return _render_open_file(value, media_type or JSON, scratch)
    is_content = isinstance(value, bytes | bytearray | memoryview | os.PathLike)
    if media_type in (None, JSON) or (media_type == ANY and not is_content):
        return _create_body(JSON, render_json(value, response_format), scratch)
    return _render_value(value, media_type or JSON, scratch)


def _get_file_name(value: Any) -> str:
    """Return the file name or path of a value that is a file or a path, else an empty string."""
    if isinstance(value, ReturnedFile | UploadedFile):
        name: Any = value.filename
    elif isinstance(value, str | os.PathLike):
        name = value
    else:
        name = getattr(value, "name", None)
    return os.fsdecode(name) if isinstance(name, str | bytes | os.PathLike) else ""


def _read_first_bytes(body: Body) -> bytes:
    if not body.path:
        return body.content[:_SIGNATURE_BYTES]
    with Path(body.path).open("rb") as file:
        return file.read(_SIGNATURE_BYTES)


def to_jsonable_or_repr(value: Any) -> Any:
    """Return `value` as JSON values; replace values that JSON cannot express by their `repr`, and log it."""
    return json_encoding.to_jsonable(value, _fall_back_to_repr)


def _fall_back_to_repr(value: Any, reason: str) -> str:
    _log.warning("%s; storing its repr", reason)
    return repr(value)


def render_json(value: Any, response_format: ResponseFormat) -> bytes:
    """Return `value` as JSON, validated against the schema. Raise `InvalidResponse`."""
    if response_format.schema is not None:
        text = json_encoding.dumps(value)
        _validate_response(orjson.loads(text), response_format.schema)
        return text
    if response_format.envelope is Envelope.STRING and not isinstance(value, str):
        value = json_encoding.dumps(value).decode()
    text = json_encoding.dumps(value)
    return text if response_format.envelope is Envelope.NONE else b'{"status":"OK","predictions":%b}' % text


def _validate_response(response: Any, schema: marshmallow.Schema) -> None:
    """Validate the decoded JSON that the client will receive, not the model's original objects."""
    problems = schema.validate(response)
    if problems:
        errors = "; ".join(f"{field}: {format_messages(texts)}" for field, texts in problems.items())
        raise InvalidResponse(f"The model's response does not fit its schema: {errors}")


def _render_value(value: Any, media_type: str, scratch: str) -> Body:
    if isinstance(value, bytes | bytearray | memoryview):
        return _create_body(media_type, bytes(value), scratch)
    if isinstance(value, UploadedFile) and value.filename:
        return _render_path(value.filename, media_type, scratch)
    if isinstance(value, os.PathLike):
        return _render_path(os.fspath(value), media_type, scratch)
    if media_type.startswith("image/") and _is_pil_image(value):
        return _create_body(media_type, _encode_image(value, media_type), scratch)
    if media_type.endswith("json"):
        return _create_body(media_type, json_encoding.dumps(value), scratch)
    if isinstance(value, str):
        return _create_body(media_type, value.encode(), scratch)
    raise InvalidResponse(
        f"predict() returned {type(value).__name__} for the response type {media_type}. "
        "Return bytes, an open binary file, the path of a file, or a ReturnedFile."
    )


def _is_sent_as_text(media_type: str | None) -> bool:
    """Return whether a `str` is sent as text or JSON for this media type, and not opened as a path."""
    return media_type in (None, ANY) or media_type.startswith("text/") or media_type.endswith("json")


def _resolve_call_file(text: str, media_type: str | None, scratch: str, arguments: Mapping[str, Any]) -> Path:
    """Return the path `text` if it is a file of this call. Raise `InvalidResponse` for any other text.

    Models for DEEPaaS 2.6 return paths as texts. But a text may come from the client: a model that returns
    its input must not make the server send arbitrary files.
    """
    with contextlib.suppress(OSError, RuntimeError, ValueError):  # invalid file names and circular links
        path = Path(text).resolve()
        if path.is_file() and any(map(path.is_relative_to, _iterate_call_folders(scratch, arguments))):
            return path
    raise InvalidResponse(
        f"predict() returned a str for the response type {media_type}. A str is not opened as a path. "
        "Return pathlib.Path(…) for a file, or bytes for the content."
    )


def _iterate_call_folders(scratch: str, arguments: Mapping[str, Any]) -> Iterator[Path]:
    """Yield the folders of a call: its scratch folder, its uploads' folders, a training's artifacts."""
    yield Path(scratch).resolve()
    for value in arguments.values():
        for item in value if isinstance(value, list) else [value]:
            if isinstance(item, UploadedFile) and item.filename:
                yield Path(item.filename).parent.resolve()
    if ARTIFACTS_VARIABLE in os.environ:
        yield Path(os.environ[ARTIFACTS_VARIABLE]).resolve()


def _render_returned_file(file: ReturnedFile, media_type: str | None, scratch: str) -> Body:
    if not file.filename:
        raise InvalidResponse("predict() returned a ReturnedFile without a filename. Set it to the path.")
    _check_file_name(file.original_filename)
    body = _render_path(file.filename, file.content_type or media_type or ANY, scratch)
    return body._replace(filename=file.original_filename)


def _check_file_name(name: Any) -> None:
    """Raise `InvalidResponse` for a name that is not allowed in the `Content-Disposition` header."""
    if name is not None and not isinstance(name, str):
        raise InvalidResponse(
            f"original_filename of the ReturnedFile is {type(name).__name__}. Set it to a str."
        )
    if name and has_control_character(name):
        raise InvalidResponse(
            f"The name {name!r} has control characters, so it cannot be sent. "
            "Remove them from original_filename of the ReturnedFile."
        )


def _render_path(path: str | bytes, media_type: str, scratch: str) -> Body:
    try:
        with Path(os.fsdecode(path)).open("rb") as file:
            return _render_open_file(file, media_type, scratch)
    except (OSError, ValueError) as error:
        raise InvalidResponse(
            f"predict() returned a path for {media_type}, but the file cannot be read: {error}"
        ) from error


def _render_open_file(file: Any, media_type: str, scratch: str) -> Body:
    """Read the file from its current position, and close it.

    A large file is copied even if it has a path: the model's next call may overwrite or delete it while
    the response is still being sent.
    """
    with file:
        head = file.read(_INLINE_LIMIT_BYTES)
        if isinstance(head, str):
            return _create_body(media_type, (head + file.read()).encode(), scratch)
        if len(head) < _INLINE_LIMIT_BYTES:
            return Body(media_type, head)
        with _create_file(scratch) as copy:
            copy.write(head)
            shutil.copyfileobj(file, copy, _INLINE_LIMIT_BYTES)
            return Body(media_type, b"", copy.name)


def _create_body(media_type: str, content: bytes, scratch: str) -> Body:
    """Return the body, after writing large content to a file."""
    if len(content) <= _INLINE_LIMIT_BYTES:
        return Body(media_type, content)
    with _create_file(scratch) as file:
        file.write(content)
    return Body(media_type, b"", file.name)


def _create_file(scratch: str) -> Any:
    make_folders(Path(scratch))
    return tempfile.NamedTemporaryFile(dir=scratch, prefix="result-", delete=False)


def is_open_file(value: Any) -> bool:
    """Return whether the value is a file object: it has `read` and `close`."""
    return isinstance(value, io.IOBase) or (hasattr(value, "read") and hasattr(value, "close"))


def _is_pil_image(value: Any) -> bool:
    return type(value).__module__.startswith("PIL.") and hasattr(value, "save")


def _encode_image(image: Any, media_type: str) -> bytes:
    file = io.BytesIO()
    image.save(file, format=media_type.removeprefix("image/").partition("+")[0].upper())
    return file.getvalue()
