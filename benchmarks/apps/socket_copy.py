"""The limit of a plain socket: copies a request's body into a file, or a file into the response with dd.

Only the heads are HTTP, so that the same client can measure it.
"""

import re
import socket
import subprocess
import sys
import tempfile
from pathlib import Path

_CHUNK_BYTES = 1 << 20
_RESULT_BYTES = 50_000_000


def main(port: int, folder: Path) -> None:
    """Serve one connection after another."""
    result, received = folder / "result", folder / "received"
    result.write_bytes(bytes(_RESULT_BYTES))
    with socket.create_server(("127.0.0.1", port)) as listener:
        while True:
            connection, _ = listener.accept()
            with connection:
                _answer(connection, result, received)


def _answer(connection: socket.socket, result: Path, received: Path) -> None:
    buffer = bytearray(_CHUNK_BYTES)
    while head := _head(connection):
        length = re.search(rb"(?i)content-length: ([1-9]\d*)", head)
        if length:
            _receive(connection, received, int(length[1]), buffer)
            connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
        else:
            connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % _RESULT_BYTES)
            subprocess.run(["dd", f"if={result}", "bs=1M", "status=none"], stdout=connection, check=False)


def _head(connection: socket.socket) -> bytes:
    """Return the head of a request without reading further, or nothing if the client has disconnected."""
    head = b""
    while not head.endswith(b"\r\n\r\n"):
        byte = connection.recv(1)
        if not byte:
            return b""
        head += byte
    return head


def _receive(connection: socket.socket, path: Path, size: int, buffer: bytearray) -> None:
    with path.open("wb") as file:
        while size > 0:
            count = connection.recv_into(buffer)
            if not count:
                return
            file.write(memoryview(buffer)[:count])
            size -= count


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as scratch:
        main(int(sys.argv[1]), Path(scratch))
