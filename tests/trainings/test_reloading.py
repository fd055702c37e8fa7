"""Reload: new workers load the trained model without a failed prediction."""

import re
import threading
from collections.abc import Callable
from typing import Any, Self

import httpx
import pytest

from support.server import CALL_S, Gate, Server, predict, predicted, wait_until
from support.trainings import STEPS, VERSIONED, begin, ended

pytestmark = pytest.mark.slow
CONNECTIONS = 16
RELOAD = "/v2/models/versioned/reload"


class Load:
    """Concurrent predictions on many connections while the context lasts."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._stop = threading.Event()
        self._threads = [threading.Thread(target=self._call) for _ in range(CONNECTIONS)]
        self.problems: list[Any] = []
        self.versions: list[str] = []

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join(CALL_S)

    def _call(self) -> None:
        with httpx.Client(base_url=self._url, timeout=CALL_S) as client:
            while not self._stop.is_set():
                try:
                    self.versions.append(predicted(client, "versioned")["version"])
                except Exception as problem:  # noqa: BLE001 - any error counts
                    self.problems.append(problem)


@pytest.mark.parametrize("workers", ["1", "2"])
def test_under_load(start: Callable[..., Server], workers: str) -> None:
    """Under load on 16 connections, five reloads fail no prediction, and each new version is served."""
    server = start("--workers", workers, models=VERSIONED)
    with server.client() as client, Load(server.url) as load:
        wait_until(lambda: load.versions)
        for version in "abcde":
            (server.cwd / "version").write_text(version)
            response = client.post(RELOAD)
            assert (response.status_code, response.json()) == (200, {"workers": int(workers)})
            assert predicted(client, "versioned")["version"] == version
        wait_until(lambda: load.versions[-1] == "e")
        assert load.problems == []
        assert set(load.versions) == {"none", *"abcde"}
    wait_until(lambda: len(server.workers()) == int(workers))


def test_one_by_one(start: Callable[..., Server], gate: Gate) -> None:
    """The old workers serve while a new one warms; afterwards only new workers remain."""
    server = start("--workers", "2", models=VERSIONED)
    with server.client() as client:
        old = {process.pid for process in server.workers()}
        (server.cwd / "gate").write_text(str(gate.port))
        (server.cwd / "version").write_text("new")
        reloading = threading.Thread(target=lambda: httpx.post(server.url + RELOAD, timeout=CALL_S))
        reloading.start()
        gate.wait()
        assert predicted(client, "versioned")["version"] == "none"
        assert old < {process.pid for process in server.workers()}
        (server.cwd / "gate").unlink()
        gate.open()
        reloading.join(CALL_S)
        wait_until(lambda: len(server.workers()) == 2)
        assert not old & {process.pid for process in server.workers()}
        assert predicted(client, "versioned")["version"] == "new"


def test_old_worker_dies_meanwhile(start: Callable[..., Server], gate: Gate) -> None:
    """If the old worker dies while its successor warms, there is no surplus worker."""
    server = start(models=VERSIONED)
    with server.client() as client:
        old = server.workers()[0]
        (server.cwd / "gate").write_text(str(gate.port))
        reloading = threading.Thread(target=lambda: httpx.post(server.url + RELOAD, timeout=CALL_S))
        reloading.start()
        gate.wait()
        (server.cwd / "gate").unlink()
        old.kill()
        server.output.wait_for("SIGKILL")
        gate.open()
        reloading.join(CALL_S)
        wait_until(lambda: predict(client, "versioned").status_code == 200)
        wait_until(lambda: len(server.workers()) == 1)


def test_broken(start: Callable[..., Server]) -> None:
    """If the new worker fails to warm, 503 names the cause and the old workers keep serving."""
    server = start(models=VERSIONED)
    with server.client() as client:
        workers = [process.pid for process in server.workers()]
        (server.cwd / "version").write_text("broken")
        response = client.post(RELOAD)
        assert response.status_code == 503
        assert response.json()["message"] == (
            "Reload failed; the current workers keep serving 'versioned'. Cause: "
            "RuntimeError: these weights are broken"
        )
        assert "Reloaded model" not in server.log
        assert predicted(client, "versioned")["version"] == "none"
        assert [process.pid for process in server.workers()] == workers
        (server.cwd / "version").write_text("mended")
        assert client.post(RELOAD).status_code == 200
        assert predicted(client, "versioned")["version"] == "mended"
        server.output.wait_for(r"INFO .*Reloaded model 'versioned'; new workers: 1\n")


def test_unknown(http: httpx.Client) -> None:
    assert http.post("/v2/models/unknown/reload").status_code == 404


def test_while_paused(start: Callable[..., Server], gate: Gate) -> None:
    """During an exclusive training there is no worker to reload, and the response is a 503."""
    with start("--train-mode", "exclusive", models=STEPS).client() as client:
        begin(client, ["wait", gate.port])
        gate.wait()
        assert client.post("/v2/models/steps/reload").status_code == 503
        gate.open()


def test_after_training(start: Callable[..., Server]) -> None:
    """With --reload-after-train, a successful training is served without a restart or a request."""
    server = start("--reload-after-train", models=VERSIONED)
    with server.client() as client, Load(server.url) as load:
        record = begin(client, model="versioned", version="trained")
        assert ended(client, record, "versioned")["state"] == "done"
        wait_until(lambda: predicted(client, "versioned")["version"] == "trained")
        assert load.problems == []


@pytest.mark.parametrize(
    ("flags", "models", "end"), [((), VERSIONED, "done"), (("--reload-after-train",), STEPS, "error")]
)
def test_not_after_training(
    start: Callable[..., Server], flags: tuple[str, ...], models: dict[str, str], end: str
) -> None:
    """Workers do not reload without --reload-after-train, nor after a failed training."""
    server = start(*flags, models=models)
    (model,) = models
    with server.client() as client:
        (worker,) = server.workers()
        more = {"version": "new"} if model == "versioned" else {"steps": [["raise", "x"]]}
        for _ in range(2):  # the second one starts after the first one's reload would have
            assert ended(client, begin(client, model=model, **more), model)["state"] == end
        assert worker.is_running()


def test_broken_by_training(start: Callable[..., Server]) -> None:
    """If the trained model is broken, the old workers keep serving and the log has the cause."""
    server = start("--reload-after-train", "--keep-trainings", "1", models=VERSIONED)
    with server.client() as client:
        record = begin(client, model="versioned", version="broken")
        assert ended(client, record, "versioned")["state"] == "done"
        server.output.wait_for(
            r"Could not reload model 'versioned' after its training: .*these weights are broken\n"
            r"Traceback (?s:.)*RuntimeError: these weights are broken\n"
        )
        assert len(re.findall("WARNING|ERROR", server.log)) == 1
        assert predicted(client, "versioned")["version"] == "none"
        second = begin(client, model="versioned", version="good")
        assert ended(client, second, "versioned")["state"] == "done"
        wait_until(lambda: predicted(client, "versioned")["version"] == "good")
        wait_until(lambda: len(client.get("/v2/models/versioned/train/").json()) == 1)
