"""A model that waits for a test while warming, once the test has left a port for it."""

import os
import pathlib
import socket


def warm():
    port = pathlib.Path("port")
    if port.exists():
        with socket.create_connection(("127.0.0.1", int(port.read_text()))) as gate:
            gate.recv(1)


def predict():
    return os.getpid()
