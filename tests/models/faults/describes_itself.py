"""A model whose get_metadata() exits, blocks or succeeds, depending on the file `order`."""

import pathlib
import socket
import sys


def get_metadata():
    order = pathlib.Path("order").read_text()
    if order == "exit":
        sys.exit("I leave")
    if order.isdecimal():
        with socket.create_connection(("127.0.0.1", int(order))) as gate:
            gate.recv(1)
    return {"author": order}


def predict():
    return "predicted"
