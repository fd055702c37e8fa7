"""A training server shared by the client's tests."""

from collections.abc import Iterator

import pytest

from support.machine import timeout_s
from support.server import Server, serving

STEPS = {"steps": "models.training.steps"}


@pytest.fixture(scope="package")
def trainer(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """Return a server whose model's training executes a script from its arguments."""
    flags = ("--max-trainings", "2", "--cancel-grace", str(timeout_s(1)))
    with serving(tmp_path_factory.mktemp("trainer"), *flags, models=STEPS) as server:
        yield server
