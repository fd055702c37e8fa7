"""Model code that runs in the server: field validation and get_metadata()."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest

from support.server import Gate, Server, predict, predicted

MODELS = {"own": "models.faults.fields_of_its_own", "told": "models.faults.scripted"}


def test_slow_field(start: Callable[..., Server], gate: Gate) -> None:
    """While a field of one model blocks, health checks and other models respond."""
    server = start(models=MODELS)
    with server.client() as client, ThreadPoolExecutor(1) as threads:
        slow = threads.submit(predict, client, "own", json={"port": gate.port})
        gate.wait()
        with server.client() as other:
            assert other.get("/health/live").status_code == 200
            assert predicted(other, "told", json={"number": 2})["number"] == 2
        gate.open()
        assert slow.result().status_code == 200


@pytest.mark.parametrize(("end", "says"), [("exit", "SystemExit: I leave"), ("stop", "StopIteration")])
def test_validator_that_exits(start: Callable[..., Server], end: str, says: str) -> None:
    """A validator that raises SystemExit or StopIteration fails only its own call."""
    server = start(models=MODELS)
    with server.client() as client:
        response = predict(client, "own", json={"end": end})
        assert response.status_code == 500
        assert response.json() == {"message": says}
        assert predicted(client, "own", json={"end": "fine"}) == {"end": "fine"}


def test_metadata_that_exits(start: Callable[..., Server]) -> None:
    """A get_metadata() that exits affects only the model's description."""
    server = start(models={"leaving": "models.faults.describes_itself"})
    (server.cwd / "order").write_text("exit")
    with server.client() as client:
        (described,) = client.get("/v2/models/").json()["models"]
        assert "SystemExit: I leave" in described["description"]
        assert predict(client, "leaving").status_code == 200
