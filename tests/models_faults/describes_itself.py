"""A model whose get_metadata() does what a file tells: end the program, or wait for a test."""

import pathlib
import socket
import sys


def get_metadata():
    order = pathlib.Path("order").read_text()
    if order == "exit":
        sys.exit("I leave")
    with socket.create_connection(("127.0.0.1", int(order))) as gate:
        gate.recv(1)


def predict():
    return "predicted"
