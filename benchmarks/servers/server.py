"""A server to measure, and the environment that it is installed in."""

import dataclasses
import subprocess
import sys
import venv
from collections.abc import Mapping
from pathlib import Path

from benchmarks.load.request import Request

HERE = Path(__file__).parent.parent
ENVIRONMENTS = HERE.parent / ".venv-bench"


class UnavailableError(Exception):
    """A server cannot be installed, started or reached; the text says why."""


@dataclasses.dataclass(frozen=True)
class Workload:
    """A model to serve, and a request that shows that it is served.

    `raw` is the same request for servers that accept uploads only as a raw body. The model is installed under
    `copies` names.
    """

    model: str
    hello: Request
    raw: Request | None = None
    copies: int = 1

    def names(self) -> dict[str, str]:
        """Return the module of each installed model by name."""
        others = {f"{self.model}_{number}": self.model for number in range(1, self.copies)}
        return {self.model: self.model} | others


@dataclasses.dataclass(frozen=True)
class ServerUnderTest:
    """A server and its configuration.

    `command` follows the interpreter. In it and in `path`, these placeholders are replaced: `{port}`,
    `{state}` (a folder), `{apps}` (the folder of other servers' programs), `{model}`. pip installs `packages`
    into a separate environment; without any, the current one is used. `how` describes the configuration.
    """

    name: str
    command: tuple[str, ...]
    path: str = "/predict"
    packages: tuple[str, ...] = ()
    how: str = ""
    environment: Mapping[str, str] = dataclasses.field(default_factory=dict, hash=False)
    takes_raw_uploads: bool = False

    def variant(self, suffix: str, *flags: str) -> "ServerUnderTest":
        """Return the same server with additional flags."""
        return dataclasses.replace(self, name=f"{self.name}, {suffix}", command=(*self.command, *flags))

    def hello(self, workload: Workload) -> Request:
        """Return the first request to send."""
        return workload.raw if self.takes_raw_uploads and workload.raw else workload.hello

    def python(self) -> Path:
        """Return the interpreter of the server's environment; create the environment if necessary."""
        if not self.packages:
            return Path(sys.executable)
        folder = ENVIRONMENTS / self.packages[0].replace("==", "-").translate(str.maketrans("[]*", "---"))
        python, done = folder / "bin" / "python", folder / "installed"
        if not done.exists():
            _install(folder, python, self.packages)
            done.touch()
        return python

    def version(self) -> str:
        """Return the version of the server's package."""
        if not self.packages:
            return "this checkout"
        name = self.packages[0].partition("=")[0].partition("[")[0]
        code = f"import importlib.metadata as m; print(m.version('{name}'))"
        found = subprocess.run([self.python(), "-c", code], capture_output=True, text=True, check=True)
        return found.stdout.strip()


def _install(folder: Path, python: Path, packages: tuple[str, ...]) -> None:
    print(f"Installing {', '.join(packages)} ...", file=sys.stderr)
    venv.create(folder, with_pip=True, clear=True)
    pip = [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    done = subprocess.run([*pip, *packages], capture_output=True, text=True, check=False)
    if done.returncode:
        raise UnavailableError(f"pip failed: {done.stderr.strip().splitlines()[-1]}")
