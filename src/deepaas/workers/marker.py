"""Which call a worker is running, in memory that it shares with the server.

The worker writes it, the server reads it; it can still be read when the worker has died.
"""

import mmap
import os
import struct
import tempfile
from typing import Self

_CALL = struct.Struct("=Q")
IDLE = 0


class Marker:
    """One number: the id of the call being run, or `IDLE`."""

    def __init__(self, descriptor: int) -> None:
        self.descriptor = descriptor
        self._memory = mmap.mmap(descriptor, _CALL.size)

    @classmethod
    def create(cls) -> Self:
        """Make a marker that a process started with its `descriptor` can share."""
        with tempfile.TemporaryFile() as file:
            file.write(_CALL.pack(IDLE))
            file.flush()
            return cls(os.dup(file.fileno()))

    def set(self, call_id: int) -> None:
        """Note that `call_id` is being run."""
        _CALL.pack_into(self._memory, 0, call_id)

    def get(self) -> int:
        """Return the id of the call being run, or `IDLE`."""
        (call_id,) = _CALL.unpack_from(self._memory)
        return int(call_id)

    def close(self) -> None:
        """Let go of the memory."""
        self._memory.close()
        os.close(self.descriptor)
