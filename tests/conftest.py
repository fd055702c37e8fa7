"""Servers and clients that tests share."""

import contextlib
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from clusters import Cluster
from serving import ENGINE_FLAGS, Gate, Server, serving

MODULES = sorted(path.stem for path in (Path(__file__).parent / "models").glob("*.py"))
OBJECTS = {
    "a_class": "models.as_class:Model",
    "an_object": "models.as_class:an_object",
    "abstract_class": "models.abstract:Model",
    "without_default": "models.negotiated:WithoutDefault",
    "anything": "models.negotiated:Anything",
    "chosen_streams": "models.streams:Chosen",
    "checked_streams": "models.streams:Checked",
    "async_streams": "models.streams:Asynchronous",
    "any_streams": "models.streams:Anything",
}
HEALTHY = {name: f"models.{name}" for name in MODULES} | OBJECTS


def pytest_addoption(parser: pytest.Parser) -> None:
    """Let the servers of all tests run on another engine: `pytest --engine ray tests/http/...`."""
    parser.addoption("--engine", choices=("local", "ray"), default="local")


def pytest_configure(config: pytest.Config) -> None:
    """Name what tests are marked with."""
    config.addinivalue_line("markers", "local_only(why): the test is about the engine of this machine")


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Leave out, with the reason, what another engine does not do."""
    mark = item.get_closest_marker("local_only")
    if mark and item.config.getoption("--engine") != "local":
        pytest.skip(f"local engine only: {mark.args[0]}")


@pytest.fixture(scope="session")
def ray_cluster() -> Iterator[Cluster]:
    """Return a Ray cluster of three nodes."""
    with Cluster() as cluster:
        yield cluster


@pytest.fixture(scope="session", autouse=True)
def engine(request: pytest.FixtureRequest) -> Iterator[None]:
    """Have every server run on the engine that the command line names."""
    with pytest.MonkeyPatch.context() as patch:
        if request.config.getoption("--engine") == "ray":
            cluster = request.getfixturevalue("ray_cluster")
            patch.setenv(ENGINE_FLAGS, " ".join(cluster.flags))
        yield


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """Return a server of every ten-line model that can be imported, with all options left alone."""
    folder = tmp_path_factory.mktemp("server")
    # Models may leave files of their own open.
    with serving(folder, models=HEALTHY, env={"PYTHONWARNINGS": "ignore"}) as server:
        yield server


@pytest.fixture(scope="session")
def client(server: Server) -> Iterator[httpx.Client]:
    """Return a client of the server of every model."""
    with server.client() as client:
        yield client


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[..., Server]]:
    """Return what starts a server of the test's own: `start(*flags, models={name: target})`."""
    with contextlib.ExitStack() as stack:

        def start(*flags: str, **options: Any) -> Server:
            return stack.enter_context(serving(tmp_path, *flags, **options))

        yield start


@pytest.fixture
def gate() -> Iterator[Gate]:
    """Return a place where model code waits for the test."""
    with Gate() as gate:
        yield gate


@pytest.fixture
def certificate(tmp_path: Path) -> tuple[Path, Path]:
    """Return the files of a certificate of our own for 127.0.0.1, and of its key."""
    cert, key = tmp_path / "cert.pem", tmp_path / "key.pem"
    command = [
        "openssl",
        "req",
        "-x509",
        "-newkey",
        "rsa:2048",
        "-nodes",
        "-days",
        "2",
        "-subj",
        "/CN=127.0.0.1",
    ]
    command += ["-addext", "subjectAltName=IP:127.0.0.1", "-keyout", str(key), "-out", str(cert)]
    subprocess.run(command, check=True, capture_output=True)
    return cert, key
