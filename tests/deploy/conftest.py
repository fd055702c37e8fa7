"""A server that has predictions and trainings, for tests of the deployment files."""

from collections.abc import Iterator

import httpx
import pytest

from support.server import Server, serving

MODELS = {"trainable": "models.trainable", "streams": "models.streams"}


@pytest.fixture(scope="module")
def deployed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """Yield a server with a name in --allowed-hosts, as behind the proxy of deploy/."""
    flags = ("--allowed-hosts", "models.example.org")
    with serving(tmp_path_factory.mktemp("deployed"), *flags, models=MODELS) as server:
        yield server


@pytest.fixture(scope="module")
def client(deployed: Server) -> Iterator[httpx.Client]:
    with deployed.client() as client:
        yield client
