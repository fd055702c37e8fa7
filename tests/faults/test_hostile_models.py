"""Models that do harm when they are imported or described: only they are affected, never the server."""

import re
import socket
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Self

import httpx
import pytest

from support.machine import limit_s
from support.server import Server, serving, wait_until

USABLE = """
def predict():
    return "served"
"""

# What the model does, and the part of the message that must name it in the log and in /health/ready.
UNUSABLE = {
    "raises": ("raise RuntimeError('broken')", "RuntimeError: broken"),
    "syntax_error": ("def", "SyntaxError"),
    "lacks_module": ("import no_such_module", "No module named 'no_such_module'"),
    "recursion": ("def again(): again()\nagain()", "RecursionError"),
    "sys_exit": ("import sys; sys.exit(3)", "SystemExit: 3"),
    "keyboard_interrupt": ("raise KeyboardInterrupt", "KeyboardInterrupt"),
    "os_exit": ("import os; os._exit(0)", "exited with code 0"),
    "segfault": ("import ctypes; ctypes.string_at(0)", "SIGSEGV"),
    "abort": ("import os; os.abort()", "SIGABRT"),
    "kills_its_group": ("import os; os.killpg(0, 9)", "SIGKILL"),
    "closes_descriptors": ("import os; os.closerange(3, 1000)", "while starting"),
    "hangs": ("import threading; threading.Event().wait()", "is being loaded"),
    "hangs_with_the_gil": ("import ctypes; ctypes.PyDLL(None).sleep(9999)", "is being loaded"),
    "stops_itself": ("import os; os.kill(os.getpid(), 19)", "is being loaded"),
    "getattr_raises": ("def __getattr__(name): raise RuntimeError('no ' + name)", "RuntimeError: no "),
    "arguments_raise": ("def get_predict_args(): raise ValueError('no arguments')", "no arguments"),
    "arguments_exit": ("def get_predict_args(): import os; os._exit(7)", "exited with code 7"),
    "arguments_hang": ("def get_predict_args(): import time; time.sleep(9999)", "is being loaded"),
    "arguments_are_a_list": ("def get_predict_args(): return [1]", "not a dictionary of fields"),
    "argument_is_no_field": ("def get_predict_args(): return {'x': int}", "marshmallow field"),
    "schema_is_a_number": ("schema = 7", "schema"),
    "schema_raises": (
        (
            "import marshmallow\n"
            "class schema(marshmallow.Schema):\n"
            "    def __init__(self): raise ValueError('no schema')"
        ),
        "no schema",
    ),
    "port": ("import socket; s = socket.create_server(('127.0.0.1', {port}))", "Address already in use"),
}

# What the model does to its process; its predictions succeed.
HARMLESS = {
    "default_timeout": "import socket; socket.setdefaulttimeout(0.01)",
    "chdir": "import os; os.chdir('/')",
    "environment": "import os; os.environ.clear()",
    "umask": "import os; os.umask(0o777)",
    "dict_config": "import logging.config; logging.config.dictConfig({'version': 1})",
    "logging_disabled": "import logging; logging.disable(logging.CRITICAL)",
    "locale": "import locale; locale.setlocale(locale.LC_ALL, 'C')",
    "random": "import random; random.seed(0)",
    "recursion_limit": "import sys; sys.setrecursionlimit(200)",
    "gc": "import gc; gc.disable(); gc.freeze()",
    "path": "import sys; sys.path.clear()",
    "excepthook": "import sys, threading; sys.excepthook = threading.excepthook = None",
    "warnings": "import warnings; warnings.simplefilter('error')",
    "thread": "import threading; threading.Thread(target=threading.Event().wait).start()",
    "timers": (
        "import signal\n"
        "signal.signal(signal.SIGALRM, lambda *_: None)\n"
        "signal.setitimer(signal.ITIMER_REAL, 0.05, 0.05)"
    ),
    "signals": "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN)",
    "asyncio_run": "import asyncio; asyncio.run(asyncio.sleep(0))",
    "event_loop": "import asyncio; asyncio.set_event_loop(asyncio.new_event_loop())",
    "atexit": "import atexit, os; atexit.register(os._exit, 5)",
    "atexit_hangs": "import atexit, threading; atexit.register(threading.Event().wait)",
    "child": "import subprocess; subprocess.Popen(['sleep', '1000'])",
    "forks": "import os, time\nif not os.fork(): time.sleep(1000)",
    "patches_json": "import json; json.dumps = json.loads = None",
    "patches_time": "import time; time.time = time.monotonic = lambda: 0.0",
    "patches_marshmallow": "import marshmallow; marshmallow.fields.Integer._deserialize = None",
    "memory": "import mmap; memory = mmap.mmap(-1, 2 << 30)",
    "files": "import resource; resource.setrlimit(resource.RLIMIT_NOFILE, (64, 64))",
    "nice": "import os; os.nice(19)",
    "prints": "print('x' * 1_000_000)",
    "metadata_hangs": "def get_metadata(): import threading; threading.Event().wait()",
    "metadata_hangs_with_the_gil": "def get_metadata(): import ctypes; ctypes.PyDLL(None).sleep(9999)",
    "metadata_exits": "def get_metadata(): import os; os._exit(7)",
    "metadata_crashes": "def get_metadata(): import ctypes; ctypes.string_at(0)",
    "metadata_raises": "def get_metadata(): raise RuntimeError('no metadata')",
    "metadata_is_large": "def get_metadata(): return {'description': 'x' * 10_000_000}",
    "metadata_is_odd": "def get_metadata(): return {'author': object()}",
}
GROUPS = 3


class _Probe(threading.Thread):
    """Asks for the server's health all the time, and remembers the longest wait in seconds."""

    def __init__(self, server: Server) -> None:
        super().__init__()
        self.longest_s = 0.0
        self._server = server
        self._ended = threading.Event()

    def run(self) -> None:
        with self._server.client() as client:
            while not self._ended.wait(0.02):
                began = time.monotonic()
                assert client.get("/health/live").status_code == 200
                self.longest_s = max(self.longest_s, time.monotonic() - began)

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self.join()


@pytest.fixture
def taken_port() -> Iterator[int]:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        yield listening.getsockname()[1]


@pytest.fixture
def serve(tmp_path: Path, taken_port: int) -> Callable[[dict[str, str]], Any]:
    """Return a context manager that serves models with this source code, and a harmless one beside them."""

    def serve(sources: dict[str, str]) -> Any:
        installed = tmp_path / "installed"
        installed.mkdir()
        for name, source in (sources | {"bystander": ""}).items():
            (installed / f"hostile_{name}.py").write_text(source.replace("{port}", str(taken_port)) + USABLE)
        models = {name: f"hostile_{name}" for name in (*sources, "bystander")}
        return serving(tmp_path, "--metadata-timeout", "1", models=models, env={"PYTHONWARNINGS": "ignore"})

    return serve


def _split(acts: dict[str, Any]) -> list[Any]:
    """Return the names in groups, each for one server."""
    names = list(acts)
    return [pytest.param(names[number::GROUPS], id=str(number + 1)) for number in range(GROUPS)]


@pytest.mark.slow
@pytest.mark.parametrize("names", _split(UNUSABLE))
def test_model_that_cannot_be_loaded(names: list[str], serve: Callable[[dict[str, str]], Any]) -> None:
    """Log and /health/ready name the model and its problem; other models are served."""
    with serve({name: UNUSABLE[name][0] for name in names}) as server, server.client() as client:
        with _Probe(server) as probe:
            assert client.post("/v2/models/bystander/predict/").json()["predictions"] == "served"
            for name in names:
                _assert_reported(server, client, name, UNUSABLE[name][1])
            described = client.get("/v2/models/").json()["models"]
            assert [model["name"] for model in described] == sorted([*names, "bystander"])
            assert client.post("/v2/models/bystander/predict/").json()["predictions"] == "served"
        assert probe.longest_s < limit_s(1)


def _assert_reported(server: Server, client: httpx.Client, name: str, problem: str) -> None:
    def get_problem() -> str:
        response = client.get("/health/ready")
        assert response.status_code == 503
        return str(response.json()["problems"].get(name, ""))

    wait_until(lambda: problem in get_problem())
    server.output.wait_for(rf"'{name}' cannot be used.*{re.escape(problem)}|'{name}' is still loading")
    if "loaded" not in problem:
        response = client.post(f"/v2/models/{name}/predict/")
        assert response.status_code == 503
        assert problem in response.json()["message"]


@pytest.mark.slow
@pytest.mark.parametrize("names", _split(HARMLESS))
def test_model_that_changes_its_process(names: list[str], serve: Callable[[dict[str, str]], Any]) -> None:
    """A model that changes or damages its own process, or its metadata, is served all the same."""
    with serve({name: HARMLESS[name] for name in names}) as server, server.client() as client:
        with _Probe(server) as probe:
            described = client.get("/v2/models/").json()["models"]
            assert [model["name"] for model in described] == sorted([*names, "bystander"])
            for name in (*names, "bystander"):
                response = client.post(f"/v2/models/{name}/predict/")
                assert (name, response.status_code) == (name, 200), response.text
                assert response.json()["predictions"] == "served"
        assert probe.longest_s < limit_s(1)
