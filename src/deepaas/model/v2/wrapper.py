"""The files that pass between the server and a model's functions."""

from typing import NamedTuple


class UploadedFile(NamedTuple):
    """A file that a client uploaded for one of the model's arguments.

    The file is there until the function's result has been sent; the model may read, move or delete it.

    :param name: the argument's name.
    :param filename: path of the file on disk, with the suffix of the name it was uploaded under.
    :param content_type: media type that the client declared, such as ``image/png``.
    :param original_filename: the name that the client gave the file. Never use it as a path.
    """

    name: str | None = None
    filename: str | None = None
    content_type: str | None = None
    original_filename: str | None = None


class ReturnedFile(NamedTuple):
    """A file that a model returns as its prediction.

    :param name: a name of the author's choice; not used by the server.
    :param filename: path of the file on disk.
    :param content_type: media type to answer with; without it, the one that the client accepted.
    :param original_filename: the name to offer the client for saving the file.
    """

    name: str | None = None
    filename: str | None = None
    content_type: str | None = None
    original_filename: str | None = None
