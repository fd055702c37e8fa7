"""Starts real `deepaas-run` processes with the small models in `models/`, and stops them.

As in production, these servers find models by the entry points of installed distributions.
"""

import contextlib
import functools
import json
import os
import re
import signal
import socket
import ssl
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from importlib.metadata import distributions
from pathlib import Path
from typing import Any, Self, TypeVar

import httpx
import psutil

from support.machine import limit_s

T = TypeVar("T")
GROUP = "deepaas.v2.model"
ENGINE_FLAGS = "TEST_ENGINE_FLAGS"  # extra flags for every server of a test run
TESTS = Path(__file__).parents[1]
# Only a hang takes longer than these. (The first call of limit_s measures the machine.)
START_S = limit_s(60)
END_S = limit_s(15)
CALL_S = limit_s(20)
# "At once" means without waiting for any timeout of the server; such a timeout is set to AN_HOUR.
AT_ONCE_S = limit_s(10)
AN_HOUR = "3600"
LONGEST_LINE = 10_000


class Output(threading.Thread):
    """Collects the output of a process and its children while they run; truncates long lines."""

    def __init__(self, stream: Any) -> None:
        super().__init__(daemon=True)
        self._stream = stream
        self._changed = threading.Condition()
        self._ended = False
        self.text = ""

    def run(self) -> None:
        with self._stream:
            for line in self._stream:
                with self._changed:
                    self.text += line if len(line) < LONGEST_LINE else f"{line[:LONGEST_LINE]}\n"
                    self._changed.notify_all()
        with self._changed:
            self._ended = True
            self._changed.notify_all()

    def wait_for(self, pattern: str, timeout_s: float = CALL_S) -> re.Match[str]:
        """Wait until the output matches `pattern`; return the match. Fail on timeout or end of output."""
        with self._changed:
            self._changed.wait_for(lambda: self._ended or re.search(pattern, self.text), timeout_s)
        found = re.search(pattern, self.text)
        assert found, f"{pattern!r} was not logged:\n{self.text}"
        return found


def command_line(process: psutil.Process) -> list[str]:
    """Return the command line of a process, or an empty list if it has just exited."""
    try:
        return process.cmdline()
    except psutil.NoSuchProcess:  # also raised for zombies
        return []


class Server:
    """A running `deepaas-run`."""

    def __init__(self, command: list[str], folder: Path, env: dict[str, str], cwd: Path) -> None:
        self.scratch = folder / "scratch"
        self.cwd = cwd
        self._stopped = False
        self.process = subprocess.Popen(
            command,
            cwd=cwd,
            env=env,
            text=True,
            errors="backslashreplace",
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )
        self.state_dir = folder / "state"
        self.output = Output(self.process.stdout)
        self.output.start()

    @property
    def url(self) -> str:
        """The address from the log. Waits until the server serves."""
        return self.output.wait_for(r"Serving .* on (https?://\S+)\n", START_S)[1]

    @property
    def log(self) -> str:
        """All output until now."""
        return self.output.text

    def client(self, **options: Any) -> httpx.Client:
        """Return a client with a timeout, so that a hanging server fails the test."""
        return httpx.Client(base_url=self.url, timeout=CALL_S, verify=_trust(), **options)

    def scratch_files(self) -> list[Path]:
        """Return the current files of requests. Their folders may be deleted during the call."""
        return [Path(folder, name) for folder, _, names in os.walk(self.scratch) for name in names]

    def family(self) -> list[psutil.Process]:
        """Return the server's process and all its descendants."""
        server = psutil.Process(self.process.pid)
        return [server, *server.children(recursive=True)]

    def workers(self) -> list[psutil.Process]:
        """Return the processes that predict, without describers and trainings."""
        return [one for one in self.family()[1:] if "deepaas.workers.child" in command_line(one)]

    def stop(self) -> None:
        """Stop the server once; fail if it leaves processes or files behind, or logged resource warnings."""
        if self._stopped:
            return
        self._stopped = True
        family = self.family()
        self.process.send_signal(signal.SIGTERM)
        assert self.process.wait(END_S) == 0, self.log
        assert not psutil.wait_procs(family, timeout=END_S)[1], "processes are still running"
        self.output.join(END_S)
        assert not self.output.is_alive(), "a process still holds the server's output"
        assert list(self.scratch.iterdir()) == [], "files are left"
        for sloppy in ("ResourceWarning", "never awaited", "never retrieved", "Task was destroyed"):
            assert sloppy not in self.log, self.log

    def kill(self) -> None:
        """Kill the server and its descendants, whatever their state."""
        for process in self.family() if self.process.poll() is None else []:
            with contextlib.suppress(psutil.NoSuchProcess):
                process.kill()
        self.process.wait(END_S)
        self.output.join(END_S)


@functools.cache
def _trust() -> ssl.SSLContext:
    """Return a context without certificate authorities: loading the system's takes 22 ms for each client."""
    return ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)


@contextlib.contextmanager
def serving(
    folder: Path,
    *flags: str,
    models: Mapping[str, str],
    env: Mapping[str, str] | None = None,
    cwd: Path | None = None,
) -> Iterator[Server]:
    """Serve `models`, targets by name, while the context is active."""
    server = Server(_command(folder, flags), folder, environment(folder, models, env or {}), cwd or folder)
    try:
        assert server.url
        yield server
    except BaseException:
        server.kill()
        raise
    server.stop()


@contextlib.contextmanager
def serving_and_killed(folder: Path, *flags: str, models: Mapping[str, str]) -> Iterator[Server]:
    """Serve `models` while the context is active, then kill the server."""
    server = Server(_command(folder, flags), folder, environment(folder, models, {}), folder)
    try:
        assert server.url
        yield server
    finally:
        server.kill()


def run_until_exit(
    folder: Path, *flags: str, models: Mapping[str, str], env: Mapping[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    """Run a server that is expected to exit with an error; return its exit code and output."""
    return subprocess.run(
        _command(folder, flags),
        cwd=folder,
        env=environment(folder, models, env or {}),
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        timeout=START_S,
        check=False,
    )


def environment(folder: Path, models: Mapping[str, str], more: Mapping[str, str]) -> dict[str, str]:
    """Return an environment in which only `models` are installed."""
    kept = {
        name: text
        for name, text in os.environ.items()
        if not name.startswith(("DEEPAAS_", "PYTHON", "PYTEST_"))
    }
    installed, scratch = folder / "installed", folder / "scratch"
    scratch.mkdir(exist_ok=True)
    install(installed, models)
    ours = {
        "PYTHONPATH": os.pathsep.join([str(installed), str(TESTS)]),
        "PYTHONWARNINGS": "default::ResourceWarning",
        "TMPDIR": str(scratch),
        # No certificate authorities: loading them takes aiohttp 40 ms in each process. HTTPS requests fail.
        "SSL_CERT_FILE": os.devnull,
        "HOME": str(folder),
    }
    return kept | ours | more


def install(folder: Path, models: Mapping[str, str]) -> None:
    """Install a distribution with these models into `folder`, and hide the models of all others."""
    lines = "".join(f"{name} = {target}\n" for name, target in models.items())
    distribution(folder, "ten-line-models", f"[{GROUP}]\n{lines}" if models else "")
    for other in distributions():
        if any(point.group == GROUP for point in other.entry_points):
            distribution(folder, other.name, "")


def distribution(folder: Path, name: str, entry_points: str) -> None:
    """Install an empty distribution with the given text of its `entry_points.txt` into `folder`."""
    info = folder / f"{name.replace('-', '_')}-1.0.dist-info"
    info.mkdir(parents=True, exist_ok=True)
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\nSummary: Tiny.\n")
    (info / "entry_points.txt").write_text(entry_points)


def _command(folder: Path, flags: tuple[str, ...]) -> list[str]:
    general = ["--listen-port", "0", "--state-dir", str(folder / "state")]
    engine = os.environ.get(ENGINE_FLAGS, "").split()
    return [sys.executable, "-m", "deepaas.cmd.run", *general, *engine, *flags]


class Gate:
    """Blocks model code until a test opens the gate: the code connects to `port` and reads until it ends."""

    def __init__(self) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._listener.settimeout(CALL_S)
        self._inside: list[socket.socket] = []
        self.port = self._listener.getsockname()[1]

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.open()
        self._listener.close()

    def wait(self, count: int = 1) -> None:
        """Wait until `count` more calls have reached the gate; fail on timeout."""
        for _ in range(count):
            self._inside.append(self._listener.accept()[0])

    def open(self) -> None:
        """Unblock all calls that have reached the gate."""
        while self._inside:
            self._inside.pop().close()


def wait_until(found: Callable[[], Any], timeout_s: float = CALL_S) -> Any:
    """Call `found` until its result is true; return the result. Fail on timeout."""
    began = time.monotonic()
    while (waited_s := time.monotonic() - began) < timeout_s:
        result = found()
        if result:
            return result
        time.sleep(
            min(0.01 + waited_s / 20, 0.2)
        )  # the interval between two checks, not a replacement for one
    raise AssertionError(f"Not true after {timeout_s:.0f} s: {found}")


def within(attempt: Callable[[], T], reference_s: float) -> T:
    """Return the result of `attempt` if one of five takes at most `reference_s` on the reference machine.

    This shows that `attempt` does not wait for a timeout, because the server's timeouts are longer.
    """
    longest_s = limit_s(reference_s)
    for _ in range(5):
        began = time.monotonic()
        result = attempt()
        if time.monotonic() - began <= longest_s:
            return result
    raise AssertionError(f"None of five attempts took less than {longest_s:.1f} s")


def predict(client: httpx.Client, model: str, **request: Any) -> httpx.Response:
    """Send a request for a prediction."""
    return client.post(f"/v2/models/{model}/predict/", **request)


def predicted(client: httpx.Client, model: str, **request: Any) -> Any:
    """Return the prediction of a model without a schema."""
    response = predict(client, model, **request)
    assert response.status_code == 200, response.text
    answer = response.json()
    assert set(answer) == {"status", "predictions"}
    assert answer["status"] == "OK"
    return json.loads(answer["predictions"])
