"""Servers and clients that tests share."""

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

from clusters import Cluster
from deepaas import log
from serving import ENGINE_FLAGS, Gate, Server, serving
from support import groups
from support.machine import slowness
from support.models import HEALTHY

# A deadline for each example would fail on slow machines.
settings.register_profile(
    "any machine", parent=settings.default, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("any machine")
CLUSTER = pytest.StashKey[Cluster]()
ENGINES = ["local", pytest.param("ray", marks=pytest.mark.ray)]


def pytest_configure(config: pytest.Config) -> None:
    """Declare the markers; collect no garbage until all tests are collected, which creates none."""
    gc.disable()
    for marker in (
        "slow: takes several seconds; `make test-fast` leaves it out",
        "alone: measures time, memory or load, so nothing else may run beside it; it runs last",
        "every_engine: its servers run on this machine and, once more, on a Ray cluster",
        "ray: needs a Ray cluster",
    ):
        config.addinivalue_line("markers", marker)


def pytest_report_header() -> str:
    """Print how much slower than the reference this machine is."""
    return f"machine: {slowness()}"


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run tests marked `every_engine` twice: on this machine and on Ray."""
    if metafunc.definition.get_closest_marker("every_engine"):
        metafunc.parametrize("engine", ENGINES, indirect=True, scope="module")


@pytest.hookimpl(wrapper=True)  # comes before pytest-xdist, which reads the groups in the same hook
def pytest_collection_modifyitems(items: list[pytest.Item]) -> Generator[None]:
    """Sort tests into groups: each is run by one process of pytest-xdist and shares its servers."""
    groups.assign(items)
    yield


def pytest_collection_finish() -> None:
    """Let later collections pass over the tests, which stay until the end."""
    gc.freeze()
    gc.enable()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Escape what pytest-xdist cannot send: it sends texts as UTF-8, which has no lone surrogates."""
    report = yield
    report.sections = [
        (name, text.encode(errors="backslashreplace").decode()) for name, text in report.sections
    ]
    return report


@pytest.hookimpl(trylast=True)  # when the fixtures of the tests before have ended, servers on Ray among them
def pytest_runtest_setup(item: pytest.Item) -> None:
    """Stop the Ray cluster before a test that needs none: its daemons use a fifth of a core."""
    cluster = item.config.stash.get(CLUSTER, None)
    if cluster and not item.get_closest_marker("ray"):
        cluster.stop()


@pytest.fixture(scope="session")
def ray_cluster(pytestconfig: pytest.Config) -> Iterator[Cluster]:
    """Return a Ray cluster of three nodes."""
    with Cluster() as cluster:
        pytestconfig.stash[CLUSTER] = cluster
        yield cluster


@pytest.fixture(scope="module", autouse=True)
def engine(request: pytest.FixtureRequest) -> Iterator[None]:
    """Have every server run on the engine that a test is parametrised with, else on this machine.

    Fixtures that share a server take it as an argument, so that they start another server on the next engine.
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
    """Return a server of the models that the test file lists in SERVED, with all options left alone."""
    models = {name: HEALTHY[name] for name in request.module.SERVED}
    # Models may leave files of their own open.
    with serving(
        tmp_path_factory.mktemp("server"), models=models, env={"PYTHONWARNINGS": "ignore"}
    ) as server:
        yield server


@pytest.fixture(scope="module")
def client(server: Server) -> Iterator[httpx.Client]:
    """Return a client of the server of the file's models."""
    with server.client() as client:
        yield client


class _PassingOn(logging.Handler):
    """Passes what this package logs on to Python's loggers, which pytest listens to."""

    def emit(self, record: logging.LogRecord) -> None:
        logger = logging.getLogger(record.name)
        if logger.isEnabledFor(record.levelno):
            logger.handle(record)


@pytest.fixture
def caplog(caplog: pytest.LogCaptureFixture) -> Iterator[pytest.LogCaptureFixture]:
    """Return what is logged, also by this package, whose loggers are not among Python's."""
    root, handler = log.get_logger("deepaas").manager.root, _PassingOn()
    level = root.level
    root.addHandler(handler)
    root.setLevel(logging.DEBUG)
    yield caplog
    root.setLevel(level)
    root.removeHandler(handler)


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
