"""The files that pass between the server and a model's functions."""

from typing import NamedTuple


class UploadedFile(NamedTuple):
    """A file that a client uploaded for one of the model's arguments.

    The file is there until the function's result has been sent; the model may read, move or delete it.
    """

    #: The argument's name.
    name: str | None = None
    #: Path of the file on disk, with the suffix of the name it was uploaded under.
    filename: str | None = None
    #: Media type that the client declared, such as ``image/png``.
    content_type: str | None = None
    #: The name that the client gave the file. Never use it as a path.
    original_filename: str | None = None


class ReturnedFile(NamedTuple):
    """A file that a model returns as its prediction."""

    #: A name of the author's choice; not used by the server.
    name: str | None = None
    #: Path of the file on disk.
    filename: str | None = None
    #: Media type to answer with; without it, the one that the client accepted.
    content_type: str | None = None
    #: The name to offer the client for saving the file.
    original_filename: str | None = None
