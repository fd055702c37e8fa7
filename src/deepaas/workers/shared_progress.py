"""Memory shared by the server and one worker: which call has started, which are revoked or cancelled.

The worker writes the first number, the server the others. The server can read it after the worker has died.
"""

import fcntl
import mmap
import os
import struct
import tempfile
from typing import Self

_LAYOUT = struct.Struct("=QQQ")
_NUMBER = struct.Struct("=Q")


class SharedProgress:
    """Numbers of the last started, revoked and cancelled call, initially 0.

    Calls are numbered from 1, in the order of sending.
    """

    def __init__(self, descriptor: int) -> None:
        """Map the memory of `descriptor`, and close it, so that user code cannot reach it."""
        try:
            self._memory = mmap.mmap(descriptor, _LAYOUT.size)
        finally:
            os.close(descriptor)

    @classmethod
    def create(cls) -> tuple[Self, int]:
        """Return a new instance, and the descriptor with which another process can map it."""
        descriptor = _create_shared_file()
        try:
            return cls(os.dup(descriptor)), descriptor
        except OSError:
            os.close(descriptor)
            raise

    @property
    def last_started(self) -> int:
        """The number of the last call that started, running or finished."""
        return int(_NUMBER.unpack_from(self._memory, 0)[0])

    @last_started.setter
    def last_started(self, number: int) -> None:
        _NUMBER.pack_into(self._memory, 0, number)

    @property
    def revoked_up_to(self) -> int:
        """The worker must not start calls up to this number."""
        return int(_NUMBER.unpack_from(self._memory, _NUMBER.size)[0])

    @revoked_up_to.setter
    def revoked_up_to(self, number: int) -> None:
        _NUMBER.pack_into(self._memory, _NUMBER.size, number)

    @property
    def cancelled_stream(self) -> int:
        """The number of the last streaming call whose client disconnected."""
        return int(_NUMBER.unpack_from(self._memory, 2 * _NUMBER.size)[0])

    @cancelled_stream.setter
    def cancelled_stream(self, number: int) -> None:
        _NUMBER.pack_into(self._memory, 2 * _NUMBER.size, number)

    def close(self) -> None:
        """Unmap the memory."""
        self._memory.close()


def _create_shared_file() -> int:
    """Return the descriptor of a file in memory that, if the system supports seals, cannot be resized.

    Otherwise user code could truncate it, and the server would get SIGBUS on the next read.
    """
    if not hasattr(os, "memfd_create"):
        with tempfile.TemporaryFile() as file:
            file.write(bytes(_LAYOUT.size))
            file.flush()
            return os.dup(file.fileno())
    descriptor = os.memfd_create("deepaas-marker", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
    os.ftruncate(descriptor, _LAYOUT.size)
    seals = fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW | fcntl.F_SEAL_SEAL
    fcntl.fcntl(descriptor, fcntl.F_ADD_SEALS, seals)
    return descriptor
