"""A model whose training reports metrics, and whose predictions return the last training's result."""

import json
import pathlib
import socket

from webargs import fields, validate

import deepaas

MADE = pathlib.Path("made_by_training")
loaded = None


def warm():
    global loaded
    loaded = MADE.read_text() if MADE.exists() else "nothing"


def get_metadata():
    return {
        "name": "trained",
        "author": "Ada",
        "license": "MIT",
        "version": "1.2",
        "description": "A model that **learns**.\n\n- quickly\n- well\n\nSee [the paper](https://example.org/paper).",
        "home": "https://example.org/home",
        "links": [{"rel": "source", "href": "https://example.org/source"}],
        "classes": ["a", "b"],
    }


def predict():
    return {"learnt": loaded}


def get_train_args():
    return {
        "name": fields.Str(load_default="plain"),
        "rate": fields.Float(load_default=0.1, validate=validate.Range(0.01, 1)),
        "fails": fields.Bool(load_default=False),
        "port": fields.Int(metadata={"description": "Port of the gate to wait for after half of the steps."}),
        "data": fields.Field(metadata={"type": "file", "location": "form"}),
    }


def train(name, rate, fails, port=None, data=None):
    print("a long line " * 20, flush=True)
    for step in range(1, 11):
        print(f"step {step} of {name}", flush=True)
        deepaas.report(step=step, total=10, loss=rate / step, accuracy=1 - rate / step)
        if step == 5 and port:
            with socket.create_connection(("127.0.0.1", port)) as gate:
                gate.recv(1)
    if fails:
        raise ValueError("it did not converge")
    MADE.write_text(name)
    (deepaas.artifacts() / "deep").mkdir()
    (deepaas.artifacts() / "deep" / "weights 1.json").write_text(json.dumps({"name": name}))
    return {"best": 0.9, "labels": ["x", "y"], "size": data and len(pathlib.Path(data.filename).read_bytes())}
