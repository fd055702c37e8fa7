"""Real `deepaas-run` processes for tests: started on the ten-line models in `models/`, and stopped.

Whatever is started here finds models as any server does, by the entry points of installed distributions.
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
ENGINE_FLAGS = "TEST_ENGINE_FLAGS"  # flags that every server of a run of tests is started with
HERE = Path(__file__).parent
# Nothing takes so long unless it hangs. (The first limit that is asked for measures the machine.)
START_S = limit_s(60)
END_S = limit_s(15)
CALL_S = limit_s(20)
# "At once" means without waiting for a time-out of the product; where there is one, it is AN_HOUR.
AT_ONCE_S = limit_s(10)
AN_HOUR = "3600"
LONGEST_LINE = 10_000


class Output(threading.Thread):
    """What a process and those it started wrote, as soon as it is written; of long lines the beginning."""

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
        """Return what matches as soon as it was written; fail when it is not."""
        with self._changed:
            self._changed.wait_for(lambda: self._ended or re.search(pattern, self.text), timeout_s)
        found = re.search(pattern, self.text)
        assert found, f"{pattern!r} was not written:\n{self.text}"
        return found


def command_line(process: psutil.Process) -> list[str]:
    """Return what a process was started with; nothing if it has just ended."""
    try:
        return process.cmdline()
    except psutil.NoSuchProcess:  # a zombie's, too
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
        """The address, as the log says it."""
        return self.output.wait_for(r"Serving .* on (https?://\S+)\n", START_S)[1]

    @property
    def log(self) -> str:
        """All that was written until now."""
        return self.output.text

    def client(self, **options: Any) -> httpx.Client:
        """Return a client; a server that hangs makes it fail."""
        return httpx.Client(base_url=self.url, timeout=CALL_S, verify=_trust(), **options)

    def scratch_files(self) -> list[Path]:
        """Return the files of requests that are there; their folders may go while this looks."""
        return [Path(folder, name) for folder, _, names in os.walk(self.scratch) for name in names]

    def family(self) -> list[psutil.Process]:
        """Return the server's process and all below it."""
        server = psutil.Process(self.process.pid)
        return [server, *server.children(recursive=True)]

    def stop(self) -> None:
        """Ask the server to end; it does so in good order and leaves nothing behind. Once only."""
        if self._stopped:
            return
        self._stopped = True
        family = self.family()
        self.process.send_signal(signal.SIGTERM)
        assert self.process.wait(END_S) == 0, self.log
        assert not psutil.wait_procs(family, timeout=END_S)[1], "processes are left"
        self.output.join(END_S)
        assert not self.output.is_alive(), "somebody still holds the server's output"
        assert list(self.scratch.iterdir()) == [], "files are left"
        for sloppy in ("ResourceWarning", "never awaited", "never retrieved", "Task was destroyed"):
            assert sloppy not in self.log, self.log

    def kill(self) -> None:
        """End everything, whatever state it is in."""
        for process in self.family() if self.process.poll() is None else []:
            with contextlib.suppress(psutil.NoSuchProcess):
                process.kill()
        self.process.wait(END_S)
        self.output.join(END_S)


@functools.cache
def _trust() -> ssl.SSLContext:
    """Return a context without authorities: reading those of the system takes httpx 22 ms for each client."""
    return ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)


@contextlib.contextmanager
def serving(
    folder: Path,
    *flags: str,
    models: Mapping[str, str],
    env: Mapping[str, str] | None = None,
    cwd: Path | None = None,
) -> Iterator[Server]:
    """Serve `models`, targets by name, as long as the context lasts."""
    server = Server(_command(folder, flags), folder, environment(folder, models, env or {}), cwd or folder)
    try:
        assert server.url
        yield server
    except BaseException:
        server.kill()
        raise
    server.stop()


@contextlib.contextmanager
def killing(folder: Path, *flags: str, models: Mapping[str, str]) -> Iterator[Server]:
    """Serve `models` until the context ends, and end it the hard way."""
    server = Server(_command(folder, flags), folder, environment(folder, models, {}), folder)
    try:
        assert server.url
        yield server
    finally:
        server.kill()


def run_to_its_end(
    folder: Path, *flags: str, models: Mapping[str, str], env: Mapping[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    """Run a server that is expected to give up; return how it ended and what it wrote."""
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
    """Return an environment in which exactly `models` are installed."""
    kept = {
        name: text
        for name, text in os.environ.items()
        if not name.startswith(("DEEPAAS_", "PYTHON", "PYTEST_"))
    }
    installed, scratch = folder / "installed", folder / "scratch"
    scratch.mkdir(exist_ok=True)
    install(installed, models)
    ours = {
        "PYTHONPATH": os.pathsep.join([str(installed), str(HERE)]),
        "PYTHONWARNINGS": "default::ResourceWarning",
        "TMPDIR": str(scratch),
        # No authorities: to read them takes aiohttp 40 ms in each process. HTTPS to others would fail.
        "SSL_CERT_FILE": os.devnull,
        "HOME": str(folder),
    }
    return kept | ours | more


def install(folder: Path, models: Mapping[str, str]) -> None:
    """Put a distribution with these entry points into `folder`, and hide all others that have some."""
    lines = "".join(f"{name} = {target}\n" for name, target in models.items())
    distribution(folder, "ten-line-models", f"[{GROUP}]\n{lines}" if models else "")
    for other in distributions():
        if any(point.group == GROUP for point in other.entry_points):
            distribution(folder, other.name, "")


def distribution(folder: Path, name: str, entry_points: str) -> None:
    """Put a distribution with these entry points, as its file has them, into `folder`."""
    info = folder / f"{name.replace('-', '_')}-1.0.dist-info"
    info.mkdir(parents=True, exist_ok=True)
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\nSummary: Tiny.\n")
    (info / "entry_points.txt").write_text(entry_points)


def _command(folder: Path, flags: tuple[str, ...]) -> list[str]:
    general = ["--listen-port", "0", "--state-dir", str(folder / "state")]
    engine = os.environ.get(ENGINE_FLAGS, "").split()
    return [sys.executable, "-m", "deepaas.cmd.run", *general, *engine, *flags]


class Gate:
    """A place where model code waits until a test lets it go on: it connects here and reads until the end."""

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
        """Return when `count` more calls have come here; fail when they do not."""
        for _ in range(count):
            self._inside.append(self._listener.accept()[0])

    def open(self) -> None:
        """Let all that came go on."""
        while self._inside:
            self._inside.pop().close()


def until(found: Callable[[], Any], timeout_s: float = CALL_S) -> Any:
    """Return what `found` returns as soon as it is true; fail when it is not."""
    began = time.monotonic()
    while (waited_s := time.monotonic() - began) < timeout_s:
        result = found()
        if result:
            return result
        time.sleep(min(0.01 + waited_s / 20, 0.2))  # between two looks, not instead of one
    raise AssertionError(f"It did not come true in {timeout_s:.0f} s: {found}")


def promptly(attempt: Callable[[], T], reference_s: float) -> T:
    """Return the result of `attempt` when one of five takes at most `reference_s` on the reference machine.

    That proves that it waits for no time-out, because the server's time-outs are longer.
    """
    longest_s = limit_s(reference_s)
    for _ in range(5):
        began = time.monotonic()
        result = attempt()
        if time.monotonic() - began <= longest_s:
            return result
    raise AssertionError(f"None of five took less than {longest_s:.1f} s")


def predict(client: httpx.Client, model: str, **request: Any) -> httpx.Response:
    """Ask a model for a prediction."""
    return client.post(f"/v2/models/{model}/predict/", **request)


def predicted(client: httpx.Client, model: str, **request: Any) -> Any:
    """Return what a model without a schema predicted."""
    response = predict(client, model, **request)
    assert response.status_code == 200, response.text
    answer = response.json()
    assert set(answer) == {"status", "predictions"}
    assert answer["status"] == "OK"
    return json.loads(answer["predictions"])
