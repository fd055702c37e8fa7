"""Files that the server passes to a model's functions, and files that a model returns."""

from typing import NamedTuple


class UploadedFile(NamedTuple):
    """A file that a client uploaded for one of the model's arguments.

    The file exists until the function's result has been sent; the model may read, move or delete it.

    :param name: the argument's name.
    :param filename: path of the file on disk, with the suffix of `original_filename`.
    :param content_type: media type that the client declared, such as ``image/png``.
    :param original_filename: the client's name for the file. Never use it as a path.
    """

    name: str | None = None
    filename: str | None = None
    content_type: str | None = None
    original_filename: str | None = None


class ReturnedFile(NamedTuple):
    """A file that a model returns as its prediction.

    :param name: any name; the server does not use it.
    :param filename: path of the file on disk.
    :param content_type: media type of the response; by default the one that the client accepts.
    :param original_filename: file name to suggest to the client (``Content-Disposition``).
    """

    name: str | None = None
    filename: str | None = None
    content_type: str | None = None
    original_filename: str | None = None
