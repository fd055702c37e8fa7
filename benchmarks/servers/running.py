"""Starts a server, waits until it responds, and stops it with all its processes."""

import contextlib
import dataclasses
import http.client
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Iterator
from pathlib import Path

import psutil

from benchmarks.load.plain import client
from benchmarks.servers.entry_points import install_models
from benchmarks.servers.server import HERE, ServerUnderTest, UnavailableError, Workload

_START_S = 90
_STOP_S = 20
_ANSWER_S = 5
_LOOK_S = 0.01
_MARK = "DEEPAAS_BENCHMARK_RUN"
_MIB = 1 << 20


@dataclasses.dataclass(frozen=True)
class Running:
    """A server that responds.

    `start_s` are the seconds from its command to its first response. `idle_mib` is the memory of all its
    processes at that time; shared pages count once.
    """

    server: ServerUnderTest
    url: str
    server_url: str
    pid: int
    start_s: float
    idle_mib: float

    def peak_mib(self) -> float:
        """Return the peak memory of the server's own process since `forget_peak`."""
        status = Path(f"/proc/{self.pid}/status").read_text()
        return int(status.partition("VmHWM:")[2].split()[0]) / 1024

    def forget_peak(self) -> None:
        """Reset the peak memory."""
        Path(f"/proc/{self.pid}/clear_refs").write_text("5")


@contextlib.contextmanager
def running(server: ServerUnderTest, workload: Workload, *, state: Path | None = None) -> Iterator[Running]:
    """Run the server while the context is active; raise UnavailableError if it does not start.

    `state` is an existing folder for the server's data; by default, the data is deleted afterwards.
    """
    server.python()
    # A short path: Ray creates sockets below it.
    with tempfile.TemporaryDirectory(prefix="b-") as name, _marked() as mark:
        folder = Path(name)
        place = _Place(folder, state or folder / "state", _free_port(), mark)
        began = time.perf_counter()
        process = _spawn(server, workload, place)
        with _ended(process):
            server_url = f"http://127.0.0.1:{place.port}"
            url = server_url + server.path.format(model=workload.model)
            _wait(url, server, workload, process, place)
            start_s = time.perf_counter() - began
            yield Running(server, url, server_url, process.pid, start_s, _memory_mib(mark))


def end_on_sigterm() -> None:
    """Exit cleanly on SIGTERM, so that the servers are stopped too."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))


@dataclasses.dataclass(frozen=True)
class _Place:
    """Where a server runs, and a mark that all its processes inherit."""

    folder: Path
    state: Path
    port: int
    mark: str


def _spawn(server: ServerUnderTest, workload: Workload, place: _Place) -> subprocess.Popen[bytes]:
    models = place.folder / "models"
    install_models(models, workload.names())
    words = {"port": place.port, "state": place.state, "apps": HERE / "apps", "model": workload.model}
    paths = os.pathsep.join(map(str, (models, HERE / "models", HERE / "apps")))
    ours = {"PYTHONPATH": paths, "PYTHONWARNINGS": "ignore", _MARK: place.mark}
    with _output(place).open("wb") as output:
        return subprocess.Popen(
            [server.python(), *(word.format(**words) for word in server.command)],
            env=dict(os.environ) | ours | dict(server.environment),
            cwd=place.folder,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
        )


def _output(place: _Place) -> Path:
    return place.folder / "output"


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as found:
        return int(found.getsockname()[1])


def _wait(
    url: str, server: ServerUnderTest, workload: Workload, process: subprocess.Popen[bytes], place: _Place
) -> None:
    end_s, problem = time.monotonic() + _START_S, ""
    while time.monotonic() < end_s and process.poll() is None:
        try:
            with client(url, _ANSWER_S) as found:
                found.post_s(server.hello(workload))
        except (OSError, RuntimeError, http.client.HTTPException) as error:
            problem = str(error)
            time.sleep(_LOOK_S)
        else:
            return
    if process.poll() is not None:
        said = _output(place).read_text(errors="replace").strip().splitlines()
        problem = f"it exited: {said[-1] if said else 'no output'}"
    raise UnavailableError(f"cannot start: {problem}")


@contextlib.contextmanager
def _ended(process: subprocess.Popen[bytes]) -> Iterator[None]:
    """Terminate a process when the context ends, and kill it if necessary."""
    try:
        yield
    finally:
        process.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(_STOP_S)
        process.kill()
        process.wait()


@contextlib.contextmanager
def _marked() -> Iterator[str]:
    """Yield a mark; afterwards kill all processes that inherited it."""
    mark = uuid.uuid4().hex
    try:
        yield mark
    finally:
        left = list(_bearing(mark))
        for process in left:
            with contextlib.suppress(psutil.NoSuchProcess):
                process.kill()
        psutil.wait_procs(left, _STOP_S)


def _bearing(mark: str) -> Iterator[psutil.Process]:
    """Yield the processes with the mark: those of some servers leave their process group and parent."""
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error):
            if process.environ().get(_MARK) == mark:
                yield process


def _memory_mib(mark: str) -> float:
    found = 0
    for process in _bearing(mark):
        with contextlib.suppress(psutil.NoSuchProcess):
            found += process.memory_full_info().pss
    return found / _MIB
