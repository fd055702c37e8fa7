"""Values of file arguments, as the parts of a form that carry them.

It must not know which arguments there are.
"""

import contextlib
import io
import os
from collections.abc import Callable
from pathlib import Path
from typing import IO, Any, NamedTuple

_EXPECTED = (
    "Give a path, bytes, a file open for reading bytes, a NumPy array, a PIL image, "
    "or (file name, content); this is {}."
)

Opened = contextlib.ExitStack


class Upload(NamedTuple):
    """A file to send: the name that it goes under, and what opens it for one attempt to send it.

    What it had to open is closed when the attempt is over.
    """

    filename: str
    open: Callable[[Opened], IO[bytes] | bytes]


def upload(argument: str, value: Any) -> Upload:
    """Return the upload of a file argument's value. Raise `TypeError` for what is no file.

    A path is read from the disk while it is sent. A file object is sent from its beginning. A NumPy array
    goes as a ``.npy`` file, a PIL image as PNG.
    """
    match value:
        case (str() as filename, content):
            return upload(argument, content)._replace(filename=filename)
        case str() | os.PathLike():
            return _from_path(Path(value))
        case bytes() | bytearray() | memoryview():
            return _from_bytes(argument, bytes(value))
        case io.TextIOBase():
            raise TypeError(_EXPECTED.format("a file open for reading text"))
    if hasattr(value, "read"):
        return Upload(_name_of(value) or argument, lambda _: value)
    if _is_array(value):
        return _from_bytes(f"{argument}.npy", _npy(value))
    if type(value).__module__.startswith("PIL.") and hasattr(value, "save"):
        return _from_bytes(f"{argument}.png", _png(value))
    raise TypeError(_EXPECTED.format(type(value).__name__))


def _from_path(path: Path) -> Upload:
    return Upload(path.name, lambda opened: opened.enter_context(path.open("rb")))


def _from_bytes(filename: str, content: bytes) -> Upload:
    return Upload(filename, lambda _: content)


def _name_of(file: Any) -> str | None:
    """Return the name of an open file; one of a descriptor has a number instead."""
    name = getattr(file, "name", None)
    return Path(name).name if isinstance(name, str) else None


def _is_array(value: Any) -> bool:
    return type(value).__module__ == "numpy" and hasattr(value, "__array_interface__")


def _npy(array: Any) -> bytes:
    import numpy as np  # noqa: PLC0415 - whoever has an array has it, and nobody else needs it

    file = io.BytesIO()
    np.save(file, array, allow_pickle=False)
    return file.getvalue()


def _png(picture: Any) -> bytes:
    file = io.BytesIO()
    picture.save(file, format="PNG")
    return file.getvalue()
