"""Converts values of file arguments to uploads."""

import contextlib
import io
import os
from collections.abc import Callable
from pathlib import Path
from typing import IO, Any, NamedTuple

_EXPECTED_VALUES = (
    "Give a path, bytes, a file opened in binary mode, a NumPy array, a PIL image, "
    "or (file name, content); got {}."
)

OpenFiles = contextlib.ExitStack


class Upload(NamedTuple):
    """A file to send: its name, and a function that returns its content for one attempt.

    Files that the function opens are closed after the attempt.
    """

    filename: str
    open_content: Callable[[OpenFiles], IO[bytes] | bytes]


def create_upload(argument: str, value: Any) -> Upload:
    """Return the upload for a value of a file argument. Raise `TypeError` for any other type.

    A path is read from disk while it is sent. A file object is sent from its beginning. A NumPy array is
    sent as ``.npy``, a PIL image as PNG.
    """
    match value:
        case (str() as filename, content):
            return create_upload(argument, content)._replace(filename=filename)
        case str() | os.PathLike():
            return _create_path_upload(Path(value))
        case bytes() | bytearray() | memoryview():
            return _create_bytes_upload(argument, bytes(value))
        case io.TextIOBase():
            raise TypeError(_EXPECTED_VALUES.format("a file opened in text mode"))
    if hasattr(value, "read"):
        return Upload(_get_file_name(value) or argument, lambda _: value)
    if _is_array(value):
        return _create_bytes_upload(f"{argument}.npy", _encode_npy(value))
    if type(value).__module__.startswith("PIL.") and hasattr(value, "save"):
        return _create_bytes_upload(f"{argument}.png", _encode_png(value))
    raise TypeError(_EXPECTED_VALUES.format(type(value).__name__))


def _create_path_upload(path: Path) -> Upload:
    return Upload(path.name, lambda opened: opened.enter_context(path.open("rb")))


def _create_bytes_upload(filename: str, content: bytes) -> Upload:
    return Upload(filename, lambda _: content)


def _get_file_name(file: Any) -> str | None:
    """Return the name of an open file, if it has one: a file opened by descriptor has a number instead."""
    name = getattr(file, "name", None)
    return Path(name).name if isinstance(name, str) else None


def _is_array(value: Any) -> bool:
    return type(value).__module__ == "numpy" and hasattr(value, "__array_interface__")


def _encode_npy(array: Any) -> bytes:
    import numpy as np  # noqa: PLC0415 - optional: only callers with an array need it

    file = io.BytesIO()
    np.save(file, array, allow_pickle=False)
    return file.getvalue()


def _encode_png(image: Any) -> bytes:
    file = io.BytesIO()
    image.save(file, format="PNG")
    return file.getvalue()
