"""Standard streams that never fail: user code can print when they are closed, broken, full or ASCII-only.

Imports only the standard library, because every process starts with it.
"""

import io
import os
import sys
from select import POLLOUT, poll
from typing import Any, TextIO

_DESCRIPTORS = {"stdin": 0, "stdout": 1, "stderr": 2}


class DescriptorSentinel:
    """Detects that user code has closed a descriptor of ours; its number may have another file by then."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._identity = _identify(descriptor)

    def is_intact(self) -> bool:
        """Return whether the descriptor still has the same file."""
        return _identify(self._descriptor) == self._identity

    def describe(self) -> str:
        """Return an error message for the model author."""
        return (
            f"The model closed descriptor {self._descriptor}, which it had not opened, for example with "
            "os.closerange(): close only descriptors of your own."
        )


class _OutputFile(io.FileIO):
    """The descriptor of a stream. What cannot be written is dropped; `error` is the last reason."""

    error: OSError | None = None

    def write(self, content: Any) -> int:
        """Write some bytes and return their number."""
        try:
            # `None`: another process has made the shared terminal or pipe non-blocking.
            while (written := super().write(content)) is None:
                waiting = poll()
                waiting.register(self.fileno(), POLLOUT)
                waiting.poll()
        except OSError as error:
            self.error = error
            return memoryview(content).nbytes
        return written

    def close(self) -> None:
        """Do nothing: other code still writes to the stream."""


class _LogFile(_OutputFile):
    """A duplicate of a standard stream's descriptor; if user code closes it, the original is used."""

    def __init__(self, standard_descriptor: int) -> None:
        super().__init__(os.dup(standard_descriptor), "w", closefd=False)
        self._standard_descriptor = standard_descriptor
        self._sentinel = DescriptorSentinel(self.fileno())

    def write(self, content: Any) -> int:
        """Write some bytes and return their number."""
        if self._sentinel.is_intact():
            return super().write(content)
        try:
            return os.write(self._standard_descriptor, content)
        except OSError as error:
            self.error = error
            return memoryview(content).nbytes


class _OutputBuffer(io.BufferedWriter):
    def close(self) -> None:
        self.flush()


class _OutputStream(io.TextIOWrapper):
    def close(self) -> None:
        self.flush()

    def reconfigure(self, *, errors: str | None = None, **options: Any) -> None:
        """Keep the escaping of characters that a new encoding does not have."""
        super().reconfigure(errors=errors or self.errors, **options)


def open_standard_streams() -> None:
    """Replace standard output and error by streams that never fail and that flush each line.

    Closed descriptors are opened on the null device first: otherwise the next file would be standard output.
    Streams that a caller has replaced stay as they are.
    """
    for name, descriptor in _DESCRIPTORS.items():
        _open_if_closed(descriptor)
        current = getattr(sys, name)
        if current is not getattr(sys, f"__{name}__"):
            continue
        if name != "stdin":
            stream: Any = _create_stream(name, descriptor, current)
        else:
            stream = current or open(descriptor, closefd=False)  # noqa: SIM115 - for the whole process
        setattr(sys, name, stream)
        setattr(sys, f"__{name}__", stream)


def duplicate_stream(stream: TextIO) -> TextIO:
    """Return a stream to the file of standard output or error that outlives what user code does to them.

    A stream that a caller has replaced is returned itself.
    """
    if stream not in (sys.__stdout__, sys.__stderr__):
        return stream
    return _OutputStream(_LogFile(stream.fileno()), stream.encoding, "backslashreplace", write_through=True)


def _identify(descriptor: int) -> tuple[int, int] | None:
    """Return the identity of a descriptor's open file, or `None` if the descriptor is closed."""
    try:
        status = os.fstat(descriptor)
    except OSError:
        return None
    return status.st_dev, status.st_ino


def take_write_error(stream: object) -> OSError | None:
    """Return the error of the last failed write to a standard stream since the previous call."""
    raw = getattr(getattr(stream, "buffer", None), "raw", getattr(stream, "buffer", None))
    if not isinstance(raw, _OutputFile):
        return None
    error, raw.error = raw.error, None
    return error


def _open_if_closed(descriptor: int) -> None:
    if _identify(descriptor) is None:
        opened = os.open(os.devnull, os.O_RDWR)
        if opened != descriptor:
            os.dup2(opened, descriptor)
            os.close(opened)


def _create_stream(name: str, descriptor: int, current: io.TextIOWrapper | None) -> _OutputStream:
    raw = _OutputFile(descriptor, "w", closefd=False)
    raw.name = f"<{name}>"
    is_unbuffered = current is not None and current.write_through
    return _OutputStream(
        raw if is_unbuffered else _OutputBuffer(raw),
        current.encoding if current else "utf-8",
        "backslashreplace",
        line_buffering=True,
        write_through=is_unbuffered,
    )
