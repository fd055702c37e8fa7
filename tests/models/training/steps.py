"""A model whose training performs the given steps: `[["print", "hello"], ["wait", 1234]]`."""

import contextlib
import hashlib
import os
import pathlib
import signal
import socket
import subprocess
import sys
import threading
import time

from webargs import fields

import deepaas

SLEEP = [sys.executable, "-c", "import signal; signal.pause()"]
DEAF = [sys.executable, "-c", "import signal; signal.signal(15, signal.SIG_IGN); signal.pause()"]
PARENT = [sys.executable, "-c", f"import subprocess as s; s.run({DEAF!r}, start_new_session=True)"]
INEXPRESSIBLE = {"object": object(), "big": 2**70, "surrogate": "\udcff", "lambda": {"f": len}}


def write(text):
    sys.stderr.write(text)
    sys.stderr.flush()


def wait(port):
    with contextlib.suppress(ConnectionRefusedError), socket.create_connection(("127.0.0.1", port)) as gate:
        gate.recv(1)


def bar(port):
    from tqdm import tqdm

    for number in tqdm(range(4), mininterval=0):
        if number == 2:
            wait(port)


def leave(name, text):
    path = deepaas.artifacts() / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def leave_by_variable(name, text):
    pathlib.Path(os.environ["DEEPAAS_ARTIFACTS"], name).write_text(text)


def leave_odd_name():
    with open(os.fsencode(deepaas.artifacts()) + b"/\xff", "wb"):
        pass


def link(name, target):
    (deepaas.artifacts() / name).symlink_to(target)


def fill(name):
    with open(deepaas.artifacts() / name, "wb") as file:
        while True:
            file.write(b"0" * 65536)


def hold(megabytes):
    held = bytearray(b"\1") * (megabytes << 20)
    return len(held) >> 20


def burn(seconds):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        sum(range(1000))


def start(what):
    commands = {"group": (SLEEP, {}), "session": (DEAF, {"start_new_session": True}), "deep": (PARENT, {})}
    command, options = commands[what]
    return subprocess.Popen(command, **options).pid


def python(code):
    subprocess.run([sys.executable, "-c", code], check=True)


def start_again():
    """Start this process's command line again, as Lightning does for each further process of DDP."""
    module = sys.modules["__main__"].__spec__.name
    environment = os.environ | {"LOCAL_RANK": "1"}
    subprocess.run([sys.executable, "-m", module, *sys.argv[1:]], env=environment, check=True)


def fork_and_exit(code):
    pid = os.fork()
    if not pid:
        sys.exit(code)
    os.waitpid(pid, 0)


def fail(text):
    text += INEXPRESSIBLE.get(text, "")
    raise ValueError(text)


VERBS = {
    "print": lambda text: print(text, flush=True),
    "write": write,
    "report": lambda said: deepaas.report(**said),
    "wait": wait,
    "bar": bar,
    "leave": leave,
    "leave_by_variable": leave_by_variable,
    "leave_odd_name": leave_odd_name,
    "link": link,
    "fill": fill,
    "hold": hold,
    "burn": burn,
    "sleep": time.sleep,
    "start": start,
    "fork_and_exit": fork_and_exit,
    "python": python,
    "start_again": lambda: start_again() if "LOCAL_RANK" not in os.environ else None,
    "rank": lambda: print("rank", os.environ.get("LOCAL_RANK", "0"), flush=True),
    "thread": lambda port: threading.Thread(target=wait, args=[port]).start(),
    "deaf": lambda: signal.signal(signal.SIGTERM, signal.SIG_IGN) and None,
    "raise": fail,
    "exit": sys.exit,
    "_exit": os._exit,
    "kill": lambda name: os.kill(os.getpid(), signal.Signals[name]),
    "pid": os.getpid,
    "folder": lambda: [str(deepaas.artifacts()), os.environ["DEEPAAS_ARTIFACTS"]],
    "inexpressible": INEXPRESSIBLE.get,
    "return": lambda value: value,
}


def get_train_args():
    file = {"metadata": {"type": "file", "location": "form"}}
    return {
        "steps": fields.List(fields.List(fields.Raw()), load_default=[]),
        "data": fields.Field(**file),
        "more": fields.List(fields.Field(**file)),
        "port": fields.Int(),
        "key": fields.Str(metadata={"format": "password"}),
        "positive": fields.Int(validate=lambda value: value > 0),
    }


def train(steps, data=None, more=(), port=None, positive=1, key=None):
    if port:
        wait(port)
    if key:
        print("key", hashlib.sha256(key.encode()).hexdigest(), flush=True)
    results = [VERBS[verb](*arguments) for verb, *arguments in steps]
    if data:
        return [data.filename, *(pathlib.Path(file.filename).read_text() for file in [data, *more])]
    return results


def get_predict_args():
    return {}


def predict():
    return "predicted"
