"""The servers that are measured: how each is installed, started and asked.

Peers come from PyPI into environments of their own. Every one serves the same trivial model with one worker,
and logs no requests where that can be switched off.
"""

import contextlib
import dataclasses
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
import venv
from collections.abc import Iterator
from pathlib import Path

HERE = Path(__file__).parent
ENVIRONMENTS = HERE.parent / ".venv-bench"
_START_S = 60
_STOP_S = 20


@dataclasses.dataclass(frozen=True)
class System:
    """A server: `command` has PORT and STATE in it, which are filled in; `packages` are what pip installs."""

    name: str
    command: tuple[str, ...]
    path: str
    packages: tuple[str, ...] = ()
    train_path: str = ""

    def python(self) -> Path:
        """Return the interpreter of the system's environment, which is made when it is missing."""
        if not self.packages:
            return Path(sys.executable)
        folder = ENVIRONMENTS / self.name.replace(" ", "-")
        python = folder / "bin" / "python"
        done = folder / "installed"
        if not done.exists():
            venv.create(folder, with_pip=True)
            subprocess.run([python, "-m", "pip", "install", "--quiet", *self.packages], check=True)
            done.touch()
        return python

    @contextlib.contextmanager
    def running(self, folder: Path) -> Iterator["Running"]:
        """Serve as long as the context lasts."""
        port = _free_port()
        install_model(folder / "installed")
        filled = {"PORT": str(port), "STATE": str(folder / "state"), "HERE": str(HERE)}
        command = [filled.get(word, word) for word in self.command]
        paths = os.pathsep.join(map(str, (folder / "installed", HERE / "models")))
        env = os.environ | {"PYTHONPATH": paths, "PYTHONWARNINGS": "ignore"}
        began = time.perf_counter()
        with (folder / "output").open("wb") as output:
            process = subprocess.Popen(
                [self.python(), *command],
                env=env,
                cwd=folder,
                stdout=output,
                stderr=output,
                start_new_session=True,
            )
        try:
            url = f"http://127.0.0.1:{port}"
            _wait_for(f"{url}{self.path}?x=1", process)
            yield Running(url, process.pid, time.perf_counter() - began)
        finally:
            process.send_signal(signal.SIGTERM)
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(_STOP_S)
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()


@dataclasses.dataclass(frozen=True)
class Running:
    """A server that answers: where, its process, and the seconds from its command to its first answer."""

    url: str
    pid: int
    start_s: float


_DEEPAAS_PATHS = {"path": "/v2/models/trivial/predict/", "train_path": "/v2/models/trivial/train/"}

OURS = System(
    "this server",
    ("-m", "deepaas.cmd.run", "--listen-port", "PORT", "--state-dir", "STATE", "--model-name", "trivial"),
    **_DEEPAAS_PATHS,
)
DEEPAAS_26 = System(
    "DEEPaaS 2.6",
    ("-m", "deepaas.cmd.run", "--listen-port", "PORT", "--model-name", "trivial", "--nowarm"),
    packages=("deepaas==2.6.0",),
    **_DEEPAAS_PATHS,
)
BARE = System("bare aiohttp handler", ("-m", "bare", "PORT"), "/predict")


def install_model(folder: Path) -> None:
    """Declare the trivial model as an installed distribution does."""
    info = folder / "trivial-1.0.dist-info"
    info.mkdir(parents=True, exist_ok=True)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: trivial\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[deepaas.v2.model]\ntrivial = trivial\n")


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as found:
        return int(found.getsockname()[1])


def _wait_for(url: str, process: subprocess.Popen[bytes]) -> None:
    until = time.monotonic() + _START_S
    while time.monotonic() < until and process.poll() is None:
        request = urllib.request.Request(url, method="POST")
        with contextlib.suppress(OSError, urllib.error.URLError), urllib.request.urlopen(request, timeout=5):
            return
        time.sleep(0.01)
    raise RuntimeError(f"{process.args} did not answer")
