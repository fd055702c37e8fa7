"""Creates sample arguments from a model's fields."""

import datetime as dt
import io
import struct
import uuid
import wave
import zlib
from collections.abc import Mapping
from typing import Any

import marshmallow
from marshmallow import fields, validate
from marshmallow.fields import Field

from deepaas.model.arguments import Arguments, get_documented_choices, get_field_choices, is_file
from deepaas.model.v2.wrapper import UploadedFile
from deepaas.scratch import ScratchFolder

_SIDE_PIXELS = 64
_RATE_HZ = 8000


def create_sample_arguments(arguments: Arguments, scratch: ScratchFolder) -> dict[str, Any]:
    """Return raw values, as in a request, for the required arguments.

    If none is required, return one for the first file argument. Files are written to `scratch`.
    """
    wanted = {name: field for name, field in arguments.fields.items() if field.required}
    if not wanted:
        files = ((name, field) for name, field in arguments.fields.items() if is_file(field))
        wanted = dict(list(files)[:1])
    return {
        field.data_key or name: create_sample_value(name, field, scratch) for name, field in wanted.items()
    }


def create_sample_value(name: str, field: Field, scratch: ScratchFolder) -> Any:
    """Return a raw value: a declared example, default or choice, or else one for the field's type."""
    if is_file(field):
        file = _create_file(name, str(field.metadata.get("description", "")), scratch)
        return [file] if isinstance(field, fields.List) else file
    for found in _get_declared_values(field):
        return found
    if isinstance(field, fields.List):
        return [create_sample_value(name, field.inner, scratch)] * max(1, _get_min_length(field))
    if isinstance(field, fields.Nested):
        inner = field.schema.fields.items()
        return {key: create_sample_value(key, one, scratch) for key, one in inner if one.required}
    return _create_typed_value(field)


def _get_declared_values(field: Field) -> list[Any]:
    """Return the examples, the default and the choices that the model declares."""
    named = field.metadata.get("example")
    several = field.metadata.get("examples")
    found = [] if named is None else [named]
    found += [*several.values()] if isinstance(several, Mapping) else [*(several or ())]
    if field.load_default not in (marshmallow.missing, None) and not callable(field.load_default):
        found.append(field.load_default)
    return [*found, *get_field_choices(field), *get_documented_choices(field)]


def _create_typed_value(field: Field) -> Any:
    match field:
        case fields.Bool():
            return False
        case fields.Number():
            return _create_number(field)
        case fields.Url():
            return "http://127.0.0.1/"
        case fields.Email():
            return "somebody@example.org"
        case fields.UUID():
            return str(uuid.UUID(int=0))
        case fields.DateTime() | fields.Date() | fields.Time():
            return _create_datetime(field)
        case fields.Dict():
            return {}
    return "example".ljust(_get_min_length(field), "x")


def _create_datetime(field: Field) -> str:
    moment = dt.datetime(2020, 1, 2, 3, 4, 5, tzinfo=dt.UTC)
    match field:
        case fields.Time():
            return moment.time().isoformat()
        case fields.Date():
            return moment.date().isoformat()
    return moment.isoformat()


def _create_number(field: Field) -> float:
    """Return a number within the field's bounds; their middle if there are two."""
    ranges = [one for one in field.validators if isinstance(one, validate.Range)]
    low = max((one.min for one in ranges if one.min is not None), default=None)
    high = min((one.max for one in ranges if one.max is not None), default=None)
    if low is None:
        low = 1 if high is None else high - 2
    middle = (low + (low + 2 if high is None else high)) / 2
    return int(middle) if isinstance(field, fields.Int) else float(middle)


def _get_min_length(field: Field) -> int:
    lengths = [one for one in field.validators if isinstance(one, validate.Length)]
    return max((one.equal or one.min or 0 for one in lengths), default=0)


def _create_file(name: str, description: str, scratch: ScratchFolder) -> UploadedFile:
    """Create a small file; its type is guessed from the argument's name and description."""
    words = f"{name} {description}".lower()
    suffix, media_type, content = next(
        (kind for word, kind in _get_file_kinds().items() if word in words),
        (".txt", "text/plain", b"1,2,3\n"),
    )
    path = scratch.create_file_path(f"example{suffix}")
    path.write_bytes(content)
    return UploadedFile(name, str(path), media_type, f"example{suffix}")


def _get_file_kinds() -> dict[str, tuple[str, str, bytes]]:
    """Return suffix, media type and content of sample files, by keyword."""
    picture = (".png", "image/png", _create_png())
    sound = (".wav", "audio/wav", _create_wav())
    table = (".csv", "text/csv", b"a,b\n1,2\n3,4\n")
    json = (".json", "application/json", b"{}")
    words = {("image", "picture", "photo", "png", "jpeg"): picture, ("audio", "sound", "wav"): sound}
    words |= {("csv", "table"): table, ("json",): json}
    return {word: kind for group, kind in words.items() for word in group}


def _create_png() -> bytes:
    """Return a light grey image with a dark square in it."""
    middle = range(_SIDE_PIXELS // 4, 3 * _SIDE_PIXELS // 4)
    light, dark = b"\xd0" * _SIDE_PIXELS, bytearray(b"\xd0" * _SIDE_PIXELS)
    dark[middle.start : middle.stop] = b"\x20" * len(middle)
    lines = b"".join(b"\0" + (dark if row in middle else light) for row in range(_SIDE_PIXELS))
    header = struct.pack("!IIBBBBB", _SIDE_PIXELS, _SIDE_PIXELS, 8, 0, 0, 0, 0)
    chunks = [(b"IHDR", header), (b"IDAT", zlib.compress(lines)), (b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(_encode_png_chunk(*chunk) for chunk in chunks)


def _encode_png_chunk(kind: bytes, content: bytes) -> bytes:
    return struct.pack("!I", len(content)) + kind + content + struct.pack("!I", zlib.crc32(kind + content))


def _create_wav() -> bytes:
    """Return one second of silence."""
    file = io.BytesIO()
    with wave.open(file, "wb") as sound:
        sound.setnchannels(1)
        sound.setsampwidth(2)
        sound.setframerate(_RATE_HZ)
        sound.writeframes(bytes(2 * _RATE_HZ))
    return file.getvalue()
