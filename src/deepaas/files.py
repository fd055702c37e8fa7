"""A request's scratch folder: where its uploads and large results live, and die with it.

It must not know HTTP, nor what is in the files.
"""

import asyncio
import itertools
import re
import shutil
import tempfile
from pathlib import Path, PurePosixPath
from typing import Self

_SUFFIX_LENGTH = 40


class Scratch:
    """One request's folder. It is made when it is first needed.

    Use it as an asynchronous context manager: leaving removes the folder and all that is in it.
    """

    def __init__(self, path: str) -> None:
        self.path = path
        self._numbers = itertools.count()
        self._may_exist = False

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._may_exist:
            await asyncio.to_thread(shutil.rmtree, self.path, ignore_errors=True)

    def new_file(self, original_filename: str) -> Path:
        """Return the path of a file yet to be written, with the suffix of the name it came under."""
        folder = Path(self.path)
        folder.mkdir(parents=True, exist_ok=True)
        self._may_exist = True
        return folder / f"{next(self._numbers)}{safe_suffix(original_filename)}"

    def keep(self) -> None:
        """Let the folder be when the context is left."""
        self._may_exist = False

    def note_use(self) -> None:
        """Say that somebody else may have put files here."""
        self._may_exist = True


class ScratchSpace:
    """The folder that holds all scratch folders of one server.

    Use it as a context manager: leaving removes it.
    """

    def __init__(self) -> None:
        self._numbers = itertools.count(1)
        self._root: str | None = None

    def __enter__(self) -> Self:
        self._root = tempfile.mkdtemp(prefix="deepaas-")
        return self

    def __exit__(self, *_: object) -> None:
        if self._root:
            shutil.rmtree(self._root, ignore_errors=True)
            self._root = None

    def folder(self) -> Scratch:
        """Return the folder for one more request."""
        assert self._root is not None, "the scratch space is not open"
        return Scratch(f"{self._root}/{next(self._numbers)}")


def remove_folder_of(path: str) -> None:
    """Remove the scratch folder that holds a file nobody waits for any more."""
    shutil.rmtree(Path(path).parent, ignore_errors=True)


def safe_suffix(filename: str) -> str:
    """Return the suffixes of a name that a stranger chose, such as ``.png`` or ``.nii.gz``, or nothing.

    Only letters, digits, dots, dashes and underscores are let through.
    """
    suffix = "".join(PurePosixPath(filename.replace("\\", "/")).suffixes)[-_SUFFIX_LENGTH:]
    suffix = suffix[suffix.find(".") :] if "." in suffix else ""
    return suffix if re.fullmatch(r"(\.[A-Za-z0-9_-]+)+", suffix) else ""
