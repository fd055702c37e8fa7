"""Hand-over: new workers that use what was trained, without a failed prediction."""

import threading
from collections.abc import Callable
from typing import Any, Self

import httpx
import pytest
from following import STEPS, VERSIONED, begin, ended

from serving import CALL_S, Gate, Server, predict, predicted, until

pytestmark = pytest.mark.slow
CONNECTIONS = 16
RELOAD = "/v2/models/versioned/reload"


class Load:
    """Predictions on many connections at once, as long as the context lasts."""

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
                except Exception as problem:  # noqa: BLE001 - whatever goes wrong is what is counted
                    self.problems.append(problem)


@pytest.mark.parametrize("workers", ["1", "2"])
def test_under_load(start: Callable[..., Server], workers: str) -> None:
    """Under 16 connections of load, five reloads fail and refuse no prediction, and the new one is used."""
    server = start("--workers", workers, models=VERSIONED)
    with server.client() as client, Load(server.url) as load:
        until(lambda: load.versions)
        for version in "abcde":
            (server.cwd / "version").write_text(version)
            response = client.post(RELOAD)
            assert (response.status_code, response.json()) == (200, {"workers": int(workers)})
            assert predicted(client, "versioned")["version"] == version
        until(lambda: load.versions[-1] == "e")
        assert load.problems == []
        assert set(load.versions) == {"none", *"abcde"}
    until(lambda: len(server.family()) == 1 + int(workers))


def test_one_by_one(start: Callable[..., Server], gate: Gate) -> None:
    """While the new worker warms, the old one answers; then new ones with the server's ones only remain."""
    server = start("--workers", "2", models=VERSIONED)
    with server.client() as client:
        old = {process.pid for process in server.family()[1:]}
        (server.cwd / "gate").write_text(str(gate.port))
        (server.cwd / "version").write_text("new")
        reloading = threading.Thread(target=lambda: httpx.post(server.url + RELOAD, timeout=CALL_S))
        reloading.start()
        gate.wait()
        assert predicted(client, "versioned")["version"] == "none"
        assert old < {process.pid for process in server.family()}
        (server.cwd / "gate").unlink()
        gate.open()
        reloading.join(CALL_S)
        until(lambda: len(server.family()) == 3)
        assert not old & {process.pid for process in server.family()}
        assert predicted(client, "versioned")["version"] == "new"


def test_old_worker_dies_meanwhile(start: Callable[..., Server], gate: Gate) -> None:
    """A worker that dies while its successor warms does not leave one worker too many."""
    server = start(models=VERSIONED)
    with server.client() as client:
        old = server.family()[1]
        (server.cwd / "gate").write_text(str(gate.port))
        reloading = threading.Thread(target=lambda: httpx.post(server.url + RELOAD, timeout=CALL_S))
        reloading.start()
        gate.wait()
        (server.cwd / "gate").unlink()
        old.kill()
        server.output.wait_for("SIGKILL")
        gate.open()
        reloading.join(CALL_S)
        until(lambda: predict(client, "versioned").status_code == 200)
        until(lambda: len(server.family()) == 2)


def test_broken(start: Callable[..., Server]) -> None:
    """When the new worker cannot be warmed, 503 names the cause and the old workers still answer."""
    server = start(models=VERSIONED)
    with server.client() as client:
        workers = [process.pid for process in server.family()[1:]]
        (server.cwd / "version").write_text("broken")
        response = client.post(RELOAD)
        assert response.status_code == 503
        assert response.json()["message"] == (
            "The workers of 'versioned' go on as they are, because new ones cannot be started: "
            "RuntimeError: these weights are broken"
        )
        assert "have taken over" not in server.log
        assert predicted(client, "versioned")["version"] == "none"
        assert [process.pid for process in server.family()[1:]] == workers
        (server.cwd / "version").write_text("mended")
        assert client.post(RELOAD).status_code == 200
        assert predicted(client, "versioned")["version"] == "mended"
        server.output.wait_for(r"INFO .*New workers of 'versioned' have taken over: 1\n")


def test_unknown(http: httpx.Client) -> None:
    """An unknown model is a 404."""
    assert http.post("/v2/models/unknown/reload").status_code == 404


def test_while_paused(start: Callable[..., Server], gate: Gate) -> None:
    """While a training has the machine for itself there is nothing to reload, and the answer says so."""
    with start("--train-mode", "exclusive", models=STEPS).client() as client:
        begin(client, ["wait", gate.port])
        gate.wait()
        assert client.post("/v2/models/steps/reload").status_code == 503
        gate.open()


def test_after_training(start: Callable[..., Server]) -> None:
    """With --reload-after-train, a training that ended well is used without a restart or a request."""
    server = start("--reload-after-train", models=VERSIONED)
    with server.client() as client, Load(server.url) as load:
        record = begin(client, model="versioned", version="trained")
        assert ended(client, record, "versioned")["state"] == "done"
        until(lambda: predicted(client, "versioned")["version"] == "trained")
        assert load.problems == []


@pytest.mark.parametrize(
    ("flags", "models", "end"), [((), VERSIONED, "done"), (("--reload-after-train",), STEPS, "error")]
)
def test_not_after_training(
    start: Callable[..., Server], flags: tuple[str, ...], models: dict[str, str], end: str
) -> None:
    """Without it, and after a training that failed with it, the workers stay."""
    server = start(*flags, models=models)
    (model,) = models
    with server.client() as client:
        (worker,) = server.family()[1:]
        more = {"version": "new"} if model == "versioned" else {"steps": [["raise", "x"]]}
        for _ in range(2):  # the second one begins only after what follows the first one
            assert ended(client, begin(client, model=model, **more), model)["state"] == end
        assert worker.is_running()


def test_broken_by_training(start: Callable[..., Server]) -> None:
    """When what was trained cannot be used, the old workers stay, the log says why, and trainings go on."""
    server = start("--reload-after-train", "--keep-trainings", "1", models=VERSIONED)
    with server.client() as client:
        record = begin(client, model="versioned", version="broken")
        assert ended(client, record, "versioned")["state"] == "done"
        server.output.wait_for(r"not reloaded after the training: .* go on .*these weights are broken")
        assert predicted(client, "versioned")["version"] == "none"
        second = begin(client, model="versioned", version="good")
        assert ended(client, second, "versioned")["state"] == "done"
        until(lambda: predicted(client, "versioned")["version"] == "good")
        until(lambda: len(client.get("/v2/models/versioned/train/").json()) == 1)
