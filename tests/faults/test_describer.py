"""User code that describes a model: get_metadata(), and fields that validate. It runs in the describer."""

import signal
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psutil
import pytest

from support.models import HEALTHY
from support.server import AN_HOUR, TESTS, Gate, Server, command_line, predict, predicted, wait_until

LIST_MODULES = """
import os, signal, sys

def write_modules(*_):
    with open(f"{os.environ['HOME']}/modules-{os.getpid()}.part", "w") as file:
        file.write(" ".join(sys.modules))
    os.rename(file.name, file.name.removesuffix(".part"))

signal.signal(signal.SIGUSR1, write_modules)
"""
WARMS = """
import os, socket

def warm():
    with socket.create_connection(("127.0.0.1", int(os.environ["GATE"]))) as gate:
        gate.recv(1)

def predict():
    return "warm"
"""
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


def test_slow_validation_exceeds_the_time_limit(start: Callable[..., Server], gate: Gate) -> None:
    """A validation that blocks ends at the time limit; the next call is validated by a new describer."""
    server = start("--predict-timeout", "1", models=MODELS)
    with server.client() as client:
        response = predict(client, "own", json={"port": gate.port})
        assert response.status_code == 504
        assert response.json() == {"message": "The model took longer than 1 s to validate the arguments."}
        assert predicted(client, "own", json={"end": "fine"}) == {"end": "fine"}


def test_concurrent_requests_share_one_call_of_get_metadata(start: Callable[..., Server], gate: Gate) -> None:
    server = start("--metadata-timeout", AN_HOUR, models={"model": "models.faults.describes_itself"})
    order = server.cwd / "order"
    order.write_text("first")
    with server.client() as client, ThreadPoolExecutor(5) as threads:
        wait_until(lambda: client.get("/v2/models/model/").json().get("author") == "first")
        order.write_text(str(gate.port))
        requests = [threads.submit(client.get, "/v2/models/model/") for _ in range(5)]
        gate.wait()
        order.write_text("second")
        assert predict(client, "model").status_code == 200
        gate.open()
        assert {request.result().json()["author"] for request in requests} == {str(gate.port)}
        assert client.get("/v2/models/model/").json()["author"] == "second"


def test_metadata_that_hang_are_replaced_by_the_last_ones(start: Callable[..., Server], gate: Gate) -> None:
    models = {"model": "models.faults.describes_itself", "told": "models.faults.scripted"}
    server = start("--metadata-timeout", "1", models=models)
    order = server.cwd / "order"
    order.write_text("first")
    with server.client() as client:
        wait_until(lambda: client.get("/v2/models/model/").json().get("author") == "first")
        order.write_text(str(gate.port))
        described = client.get("/v2/models/").json()["models"]
        assert [model["name"] for model in described] == ["model", "told"]
        assert described[0]["author"] == "first"
        server.output.wait_for(r"Model 'model': get_metadata\(\) did not return within 1 s")
        assert predict(client, "model").status_code == 200


def test_server_imports_no_model(start: Callable[..., Server], tmp_path: Path) -> None:
    """The modules of the server's process, listed on a signal, contain none of any model."""
    hooks = tmp_path / "hooks"
    hooks.mkdir()
    (hooks / "sitecustomize.py").write_text(LIST_MODULES)
    server = start(models=HEALTHY, env={"PYTHONPATH": f"{tmp_path / 'installed'}:{TESTS}:{hooks}"})
    with server.client() as client:
        assert len(client.get("/v2/models/").json()["models"]) == len(HEALTHY)
        assert client.get("/openapi.json").status_code == 200
        assert predict(client, "own_fields").status_code in (200, 422)
    server.process.send_signal(signal.SIGUSR1)
    listed = tmp_path / f"modules-{server.process.pid}"
    modules = wait_until(lambda: listed.exists() and listed.read_text()).split()
    assert "deepaas.service" in modules
    assert [name for name in modules if name.split(".")[0] == "models"] == []


def test_metadata_that_exits(start: Callable[..., Server]) -> None:
    """A get_metadata() that exits affects only the model's description."""
    server = start(models={"leaving": "models.faults.describes_itself"})
    (server.cwd / "order").write_text("exit")
    with server.client() as client:
        (described,) = client.get("/v2/models/").json()["models"]
        assert "SystemExit: I leave" in described["description"]
        assert predict(client, "leaving").status_code == 200


def list_describers(server: Server) -> list[psutil.Process]:
    return [one for one in server.family() if "deepaas.describer.child" in command_line(one)]


def test_repaired_model_is_served_after_a_reload(start: Callable[..., Server], tmp_path: Path) -> None:
    """A model that could not be loaded is loaded again by a reload, at once, or later by itself."""
    installed = tmp_path / "installed"
    installed.mkdir()
    (installed / "in_repair.py").write_text("raise RuntimeError('broken')")
    server = start(models={"repaired": "in_repair", "told": "models.faults.scripted"})
    with server.client() as client:
        response = predict(client, "repaired")
        assert response.status_code == 503
        assert "RuntimeError: broken" in response.json()["message"]
        (installed / "in_repair.py").write_text("def predict():\n    return 'served'\n")
        assert client.post("/v2/models/repaired/reload").status_code == 200
        assert predict(client, "repaired").json()["predictions"] == "served"
        assert client.get("/health/ready").json() == {"ready": True}
        assert "/v2/models/repaired/predict/" in client.get("/openapi.json").json()["paths"]


def test_model_without_predict_has_no_worker(start: Callable[..., Server]) -> None:
    server = start(models={"trains": "models.only_train"})
    with server.client() as client:
        assert predict(client, "trains").status_code == 501
        assert client.get("/health/ready").json() == {"ready": True}
        wait_until(lambda: not server.workers())
        assert len(list_describers(server)) == 1
    assert "exception was never retrieved" not in server.log


def test_server_stops_while_a_model_is_loading(start: Callable[..., Server], tmp_path: Path) -> None:
    installed = tmp_path / "installed"
    installed.mkdir()
    (installed / "hangs_on_import.py").write_text("import threading; threading.Event().wait()")
    server = start(models={"hangs": "hangs_on_import", "told": "models.faults.scripted"})
    server.stop()
    assert "Traceback" not in server.log


def test_exclusive_training_while_workers_start(
    start: Callable[..., Server], gate: Gate, tmp_path: Path
) -> None:
    """The training waits for the start, and the model is served afterwards."""
    installed = tmp_path / "installed"
    installed.mkdir()
    (installed / "warms.py").write_text(WARMS)
    server = start(
        "--train-mode",
        "exclusive",
        models={"warms": "warms", "trains": "models.only_train"},
        env={"GATE": str(gate.port)},
    )
    with server.client() as client:
        gate.wait()
        record = client.post("/v2/models/trains/train/").json()
        gate.open()
        path = f"/v2/models/trains/train/{record['uuid']}"
        wait_until(lambda: client.get(path).json()["state"] == "done")
        gate.wait()  # in the warm() of the worker that was started after the training
        gate.open()
        wait_until(lambda: predict(client, "warms").status_code == 200)
        assert client.get("/health/ready").json() == {"ready": True}


def test_describer_exits_after_the_description(start: Callable[..., Server]) -> None:
    """With `--describer exit`, metadata are served without the process; a reload starts it again."""
    models = {"changes": "models.metadata_changes", "own": "models.faults.fields_of_its_own"}
    server = start("--describer", "exit", models=models)
    with server.client() as client:
        wait_until(lambda: len(list_describers(server)) == 1)
        server.output.wait_for("The describer of 'own' keeps running in spite of --describer exit")
        assert client.get("/v2/models/changes/").json()["checkpoints"] == 1
        assert client.get("/v2/models/changes/").json()["checkpoints"] == 1
        assert client.get("/health/ready").json() == {"ready": True}
        assert client.post("/v2/models/changes/reload").status_code == 200
        wait_until(lambda: len(list_describers(server)) == 1)


def test_thread_pools_are_measured(start: Callable[..., Server]) -> None:
    with start(models={"told": "models.faults.scripted"}).client() as client:
        metrics = client.get("/metrics").text
    assert 'deepaas_executor_queue_length{executor="files"} 0.0' in metrics
    assert 'deepaas_executor_queue_length{executor="default"} 0.0' in metrics


def test_restarts_of_describers_are_counted(start: Callable[..., Server]) -> None:
    server = start(models={"own": "models.faults.fields_of_its_own"})
    with server.client() as client:
        (describer,) = list_describers(server)
        describer.kill()
        server.output.wait_for(r"Describer of 'own' \(pid \d+\) exited: SIGKILL; restarting")
        assert predicted(client, "own", json={"end": "fine"}) == {"end": "fine"}
        assert (
            'deepaas_describer_restarts_total{cause="SIGKILL",model="own"} 1.0' in client.get("/metrics").text
        )
