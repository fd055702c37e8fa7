"""Shared hooks and fixtures: pytest markers, groups for pytest-xdist, servers, clients and a Ray cluster."""

import contextlib
import gc
import logging
import subprocess
from collections.abc import Callable, Generator, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from hypothesis import HealthCheck, settings

from deepaas import log
from support import groups
from support.machine import slowness
from support.models import HEALTHY
from support.ray_cluster import Cluster
from support.server import ENGINE_FLAGS, Gate, Server, serving

# Without a deadline for each example, which would fail on slow machines.
settings.register_profile(
    "any machine", parent=settings.default, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("any machine")
CLUSTER = pytest.StashKey[Cluster]()
ENGINES = ["local", pytest.param("ray", marks=pytest.mark.ray)]


def pytest_configure(config: pytest.Config) -> None:
    """Declare the markers, and switch garbage collection off during collection, which creates no garbage."""
    gc.disable()
    for marker in (
        "slow: takes several seconds; `make test-fast` skips it",
        "alone: measures time, memory or load, so it runs last and not in parallel",
        "every_engine: runs twice, with servers on this machine and on a Ray cluster",
        "ray: needs a Ray cluster",
    ):
        config.addinivalue_line("markers", marker)


def pytest_report_header() -> str:
    return f"machine: {slowness()}"


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if metafunc.definition.get_closest_marker("every_engine"):
        metafunc.parametrize("engine", ENGINES, indirect=True, scope="module")


@pytest.hookimpl(wrapper=True)  # runs before the hook of pytest-xdist, which reads the groups
def pytest_collection_modifyitems(items: list[pytest.Item]) -> Generator[None]:
    """Sort the tests into groups. Each group shares its servers, and one pytest-xdist process runs it."""
    groups.assign(items)
    yield


def pytest_collection_finish() -> None:
    """Exclude the collected tests from garbage collection: they live until the end of the run."""
    gc.freeze()
    gc.enable()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Escape lone surrogates in reports: pytest-xdist sends texts as UTF-8, which cannot encode them."""
    report = yield
    report.sections = [
        (name, text.encode(errors="backslashreplace").decode()) for name, text in report.sections
    ]
    return report


@pytest.hookimpl(
    trylast=True
)  # runs after the fixtures of earlier tests, servers on Ray among them, are torn down
def pytest_runtest_setup(item: pytest.Item) -> None:
    """Stop the Ray cluster before a test that does not need it: its daemons use a fifth of a core."""
    cluster = item.config.stash.get(CLUSTER, None)
    if cluster and not item.get_closest_marker("ray"):
        cluster.stop()


@pytest.fixture(scope="session")
def ray_cluster(pytestconfig: pytest.Config) -> Iterator[Cluster]:
    with Cluster() as cluster:
        pytestconfig.stash[CLUSTER] = cluster
        yield cluster


@pytest.fixture(scope="module", autouse=True)
def engine(request: pytest.FixtureRequest) -> Iterator[None]:
    """Run every server on the engine that the test is parametrised with, by default on this machine.

    Module fixtures that start a server request this fixture, so that they restart it for each engine.
    """
    with pytest.MonkeyPatch.context() as patch:
        if getattr(request, "param", "local") == "ray":
            cluster = request.getfixturevalue("ray_cluster")
            patch.setenv(ENGINE_FLAGS, " ".join(cluster.flags))
        yield


@pytest.fixture(scope="module")
def server(
    engine: None, request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Server]:
    """Yield a server with default options that serves the models listed in the test file's SERVED."""
    models = {name: HEALTHY[name] for name in request.module.SERVED}
    # Models may leave their own files open.
    with serving(
        tmp_path_factory.mktemp("server"), models=models, env={"PYTHONWARNINGS": "ignore"}
    ) as server:
        yield server


@pytest.fixture(scope="module")
def client(server: Server) -> Iterator[httpx.Client]:
    with server.client() as client:
        yield client


class _PassingOn(logging.Handler):
    """Passes log records of deepaas on to Python's loggers, which pytest captures."""

    def emit(self, record: logging.LogRecord) -> None:
        logger = logging.getLogger(record.name)
        if logger.isEnabledFor(record.levelno):
            logger.handle(record)


@pytest.fixture
def caplog(caplog: pytest.LogCaptureFixture) -> Iterator[pytest.LogCaptureFixture]:
    """Capture log records of deepaas too: its loggers are separate from Python's."""
    root, handler = log.get_logger("deepaas").manager.root, _PassingOn()
    level = root.level
    root.addHandler(handler)
    root.setLevel(logging.DEBUG)
    yield caplog
    root.setLevel(level)
    root.removeHandler(handler)


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[..., Server]]:
    """Return a function that starts a server until the test ends: `start(*flags, models={name: target})`."""
    with contextlib.ExitStack() as stack:

        def start(*flags: str, **options: Any) -> Server:
            return stack.enter_context(serving(tmp_path, *flags, **options))

        yield start


@pytest.fixture
def gate() -> Iterator[Gate]:
    with Gate() as gate:
        yield gate


@pytest.fixture
def certificate(tmp_path: Path) -> tuple[Path, Path]:
    """Create a self-signed certificate for 127.0.0.1; return the paths of the certificate and its key."""
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
