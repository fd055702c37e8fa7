"""Workers, trainings and deepaas-cli survive what user code does to their process."""

import asyncio
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest

from deepaas.errors import ModelUnavailable
from deepaas.messages import Failure
from models.hostile.acts import ACTS
from support import cli
from support.lone_worker import LoneWorker, content, lone_worker
from support.server import END_S, START_S, TESTS, Output, Server, environment, predict, serving, wait_until
from support.trainings import begin, ended

ACTING = "models.hostile.acting"
NEEDS_SHARED_MODULES = ("no_modules", "patched_modules", "few_descriptors")
"""Acts that a library which trains cannot survive itself, such as SQLAlchemy without locks."""


@pytest.mark.parametrize("act", ACTS)
def test_worker_after_an_act(monkeypatch: pytest.MonkeyPatch, act: str) -> None:
    """The worker answers, its log lines appear, and it exits when the server closes its pipe."""
    monkeypatch.setenv("ACT", act)

    async def work() -> None:
        async with lone_worker(ACTING) as lone:
            assert content(await lone.call(number=1))["number"] == 1
            outcomes = await lone.batch({"number": 2}, {"number": 3})
            assert [content(outcome)["number"] for outcome in outcomes] == [2, 3]
            assert isinstance(await lone.call(number=4, unknown=5), Failure)
            await lone.wait_for_output("[a-request+1] predict_batch() failed; running its 2 calls")

    asyncio.run(work())


@pytest.fixture(scope="module")
def trainer(engine: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    flags = ("--max-trainings", "2", "--nopredict-endpoint")
    with serving(tmp_path_factory.mktemp("trainer"), *flags, models={"acting": ACTING}) as server:
        yield server


@pytest.mark.parametrize("act", [act for act in ACTS if act not in NEEDS_SHARED_MODULES])
def test_training_after_an_act(trainer: Server, act: str) -> None:
    """The outcome of the training is recorded, and its error is in its log."""
    with trainer.client() as client:
        good = begin(client, model="acting", act=act, fails=False)
        bad = begin(client, model="acting", act=act, fails=True)
        assert ended(client, good, model="acting")["state"] == "done"
        failed = ended(client, bad, model="acting")
        assert (failed["state"], failed["message"]) == ("error", "ValueError: find me")
        log = client.get(f"/v2/models/acting/train/{bad['uuid']}/log").text
    assert "deepaas.training" in log
    assert "ValueError: find me" in log


@pytest.mark.parametrize("act", NEEDS_SHARED_MODULES)
def test_training_ends_after_an_act(trainer: Server, act: str) -> None:
    """A training that has broken its own process ends."""
    with trainer.client() as client:
        assert ended(client, begin(client, model="acting", act=act, fails=False), model="acting")


def test_log_file_after_an_act(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Lines reach the log file after the model has closed all handlers; without it, standard error."""
    folder = tmp_path / "logs"
    folder.mkdir()
    file = folder / "log"
    monkeypatch.setenv("ACT", "removed_handlers")

    async def work() -> None:
        async with lone_worker(ACTING, log_file=str(file)) as lone:
            await lone.batch({"number": 2}, {"number": 3})
            assert "predict_batch() failed" in file.read_text()
            shutil.rmtree(folder)
            await lone.batch({"number": 2}, {"number": 3})
            await lone.wait_for_output("predict_batch() failed")

    asyncio.run(work())


@pytest.mark.parametrize("kind", ["print", "encoding"])
def test_text_that_a_stream_cannot_encode(monkeypatch: pytest.MonkeyPatch, kind: str) -> None:
    """Printing does not depend on the encoding of standard output."""
    monkeypatch.setenv("PYTHONIOENCODING", "ascii" if kind == "encoding" else "utf-8")

    async def work() -> None:
        async with lone_worker("models.hostile.printing") as lone:
            assert content(await lone.call()) == "printed"
            await lone.wait_for_output(r"gr\xfc\xdfe" if kind == "encoding" else r"\udcff")

    asyncio.run(work())


def test_default_timeout_of_the_server() -> None:
    """The pipe blocks even if the server, which imports the model, creates sockets with a timeout."""
    before = socket.getdefaulttimeout()
    socket.setdefaulttimeout(20)

    async def work() -> None:
        async with lone_worker(ACTING) as lone:
            assert content(await lone.call(number=1))["number"] == 1

    try:
        asyncio.run(work())
    finally:
        socket.setdefaulttimeout(before)


def test_alarm_between_calls() -> None:
    """A signal handler that raises while the worker waits fails no call."""

    async def work() -> None:
        async with lone_worker("models.hostile.alarming") as lone:
            for number in range(3):
                lone.output = ""
                assert content(await lone.call(number=number))["number"] == number
                await lone.wait_for_output("A signal handler of the model failed between calls")
                await lone.wait_for_output("TimeoutError: too late")

    asyncio.run(work())


def test_alarm_while_sending() -> None:
    """A signal handler that raises while a large reply is sent does not break the pipe."""

    async def work() -> None:
        async with lone_worker("models.hostile.alarming") as lone:
            lone.worker.pause()
            call = asyncio.create_task(lone.call(number=1, size=900_000))
            await lone.wait_for_output("TimeoutError: too late")
            lone.worker.resume()
            assert len(content(await call)["text"]) == 900_000
            assert content(await lone.call(number=2))["number"] == 2

    asyncio.run(work())


def test_closed_pipe() -> None:
    """A worker whose descriptors the model has closed says so, and does not hang."""

    async def work() -> None:
        lone = LoneWorker("models.hostile.closing_all")
        with pytest.raises(ModelUnavailable, match="exited with code 1 while starting"):
            await lone.worker.start()
        lone.worker.close()
        assert "The model closed descriptor" in lone.output
        assert "os.closerange()" in lone.output

    asyncio.run(work())


def test_closed_descriptors_of_a_training(start: Callable[..., Server]) -> None:
    """A training whose descriptors the model has closed fails with the reason."""
    server = start("--nopredict-endpoint", models={"closing": "models.hostile.closing_all"})
    with server.client() as client:
        record = ended(client, begin(client, model="closing"), model="closing")
    assert record["state"] == "error"
    assert "The model closed descriptor" in record["message"]


@pytest.mark.parametrize("end", ["", "raise", "exit"])
@pytest.mark.parametrize("place", ["import", "warm", "predict", "stream", "batch"])
def test_forked_worker(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, place: str, end: str) -> None:
    """A forked copy of a worker exits instead of serving, wherever the model forks."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("FORK", f"{place} {end}")

    async def work() -> None:
        async with lone_worker("models.hostile.forking") as lone:
            if place == "stream":
                await lone.call(number=1)
                assert [json.loads(chunk)["pid"] for chunk in lone.chunks] == [lone.worker.pid]
            outcomes = await lone.batch({"number": 2}, {"number": 3})
            single = [] if place == "stream" else [await lone.call(number=4), await lone.call(number=5)]
            assert {content(outcome)["pid"] for outcome in outcomes + single} == {lone.worker.pid}
            copies = psutil.Process(lone.worker.pid).children()
            await asyncio.to_thread(wait_until, lambda: not any(map(is_running, copies)))

    asyncio.run(work())


def is_running(process: psutil.Process) -> bool:
    """Return whether a process has not exited; its parent, the worker, may never wait for it."""
    try:
        return process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


@pytest.mark.parametrize("place", ["import", "warm", "train", "train raise", "train exit"])
def test_forked_training(start: Callable[..., Server], place: str) -> None:
    """A forked copy of a training does not record an outcome."""
    server = start("--nopredict-endpoint", models={"forking": "models.hostile.forking"}, env={"FORK": place})
    with server.client() as client:
        record = ended(client, begin(client, model="forking"), model="forking")
        assert record["state"] == "done"
        log = client.get(f"/v2/models/forking/train/{record['uuid']}/log").text
    assert "The training failed" not in log


def test_async_functions(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """All async functions share one event loop, in which background tasks survive; stopping closes it."""
    monkeypatch.chdir(tmp_path)

    async def work() -> None:
        async with lone_worker("models.hostile.asynchronous") as lone:
            for number in range(3):
                assert content(await lone.call(number=number, act="answer")) == {"number": number, "tasks": 1}
            assert not Path("closed").exists()  # noqa: ASYNC240 - a test

    asyncio.run(work())
    assert Path("closed").exists()


@pytest.mark.parametrize("act", ["exit", "stop"])
def test_async_function_that_ends_the_loop(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, act: str) -> None:
    """A coroutine that exits, or stops the loop, fails only its own call."""
    monkeypatch.chdir(tmp_path)

    async def work() -> None:
        async with lone_worker("models.hostile.asynchronous") as lone:
            assert isinstance(await lone.call(number=1, act=act), Failure)
            assert content(await lone.call(number=2, act="answer")) == {"number": 2, "tasks": 1}

    asyncio.run(work())


def test_async_stream_is_one_task(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Timeouts and context variables of an async generator work across its items."""
    monkeypatch.chdir(tmp_path)

    async def work() -> None:
        async with lone_worker("models.hostile.asynchronous") as lone:
            assert not isinstance(await lone.call(number=0, act="context"), Failure)
            assert [json.loads(chunk)["number"] for chunk in lone.chunks] == [0, 1, 2]
            lone.chunks.clear()
            outcome = await lone.call(number=0, act="timeout")
            assert isinstance(outcome, Failure)
            assert outcome.message == "TimeoutError"
            assert [json.loads(chunk)["number"] for chunk in lone.chunks] == [0, 1]

    asyncio.run(work())


def test_async_batch() -> None:
    """An async predict_batch is awaited, also for a single call."""

    async def work() -> None:
        async with lone_worker("models.hostile.batching") as lone:
            outcomes = await lone.batch({"number": 2}, {"number": 3})
            assert [content(outcome)["number"] for outcome in outcomes] == [2, 3]
            assert content(await lone.call(number=4)) == {"number": 4}

    asyncio.run(work())


def test_no_asyncio_without_async_functions() -> None:
    """A worker does not import asyncio, which takes an eighth of its start, unless the model needs it."""

    async def work() -> None:
        async with lone_worker("models.hostile.lean") as lone:
            assert content(await lone.call()) == {"asyncio": False}

    asyncio.run(work())


@pytest.mark.parametrize(("method", "result"), [("predict", {"number": 1, "tasks": 1}), ("train", "trained")])
def test_async_functions_on_the_command_line(tmp_path: Path, method: str, result: Any) -> None:
    """deepaas-cli awaits async functions, in one event loop with warm()."""
    models = {"asynchronous": "models.hostile.asynchronous"}
    flags = ["--number", "1"] if method == "predict" else []
    done = cli.run(tmp_path, "--warm", method, *flags, models=models)
    assert (cli.returned(done) if method == "predict" else cli.record(done)["result"]["output"]) == result
    assert (tmp_path / "closed").exists()


def test_async_metadata(tmp_path: Path) -> None:
    """An async get_metadata() is awaited."""
    done = cli.run(tmp_path, "get_metadata", models={"asynchronous": "models.hostile.asynchronous"})
    assert cli.record(done) == {"author": "async"}


def test_async_stream_on_the_command_line(tmp_path: Path) -> None:
    """deepaas-cli prints the items of an async generator."""
    models = {"asynchronous": "models.hostile.asynchronous"}
    done = cli.run(tmp_path, "predict", "--act", "context", models=models)
    assert cli.returned(done) == [{"number": 0}, {"number": 1}, {"number": 2}]


def test_swapped_link(start: Callable[..., Server], tmp_path: Path) -> None:
    """A link of --model that points to a new release counts for reloads and for replaced workers."""
    for release in ("v1", "v2", "v3"):
        (tmp_path / release).mkdir()
        (tmp_path / release / "model.py").write_text(f"def predict():\n    return {release!r}\n")
    point_link(tmp_path, "v1")
    (tmp_path / "model.py").symlink_to("current/model.py")
    server = start("--model", str(tmp_path / "model.py"), models={})
    with server.client() as client:
        assert read_release(client) == "v1"
        point_link(tmp_path, "v2")
        shutil.rmtree(tmp_path / "v1")
        assert client.post("/v2/models/model/reload").status_code == 200
        assert read_release(client) == "v2"
        point_link(tmp_path, "v3")
        shutil.rmtree(tmp_path / "v2")
        for process in server.family()[1:]:
            process.send_signal(signal.SIGKILL)
        wait_until(lambda: read_release(client) == "v3")


def read_release(client: httpx.Client) -> str:
    """Return the prediction: the name of the release."""
    return str(predict(client, "model").json().get("predictions"))


def point_link(folder: Path, release: str) -> None:
    """Let `current` point to a release, in one step."""
    (folder / "new").symlink_to(release)
    (folder / "new").replace(folder / "current")


@pytest.mark.parametrize("closed", ["<&-", ">&-", "2>&-", "<&- >&- 2>&-"])
def test_server_with_closed_streams(tmp_path: Path, closed: str) -> None:
    """The server starts, serves and logs without standard streams."""
    log, command = tmp_path / "log", f'exec "$@" {closed}'
    line = [sys.executable, "-m", "deepaas.cmd.run", "--listen-port", "0", "--log-file", str(log)]
    line += ["--state-dir", str(tmp_path / "state")]
    env = environment(tmp_path, {"acting": ACTING}, {})
    with subprocess.Popen(["sh", "-c", command, "sh", *line], cwd=tmp_path, env=env) as process:
        try:
            url = wait_until(lambda: log.exists() and serving_url(log.read_text()), START_S)
            response = httpx.post(f"{url}/v2/models/acting/predict/?number=1", timeout=START_S)
            assert response.status_code == 200, response.text
        finally:
            process.terminate()
            assert process.wait(END_S) == 0


def serving_url(log: str) -> str:
    """Return the address in a log, if it is there."""
    _, _, rest = log.partition("Serving acting on ")
    return rest.partition("\n")[0]


CLOSING = ("closed_descriptors", "closed_streams", "closed_buffers", "no_streams", "replaced_descriptors")


@pytest.mark.parametrize("act", ["nothing", *CLOSING, "ascii_streams", "no_print", "removed_handlers"])
def test_command_line_after_an_act(tmp_path: Path, act: str) -> None:
    """deepaas-cli prints the result, whatever the model does to the standard streams."""
    done = cli.run(tmp_path, "predict", "--number", "1", models={"acting": ACTING}, env={"ACT": act})
    assert cli.returned(done)["number"] == 1
    assert "predict was called." in done.stdout


@pytest.mark.parametrize("redirection", [">/dev/full", ">&-"])
def test_command_line_with_broken_streams(tmp_path: Path, redirection: str) -> None:
    """What user code prints fails no prediction; a result that cannot be printed is an error."""
    line = [*cli.COMMAND, "predict", "--number", "1"]
    done = subprocess.run(
        ["sh", "-c", f'exec "$@" {redirection}', "sh", *line],
        cwd=tmp_path,
        env=environment(tmp_path, {"acting": ACTING}, {}),
        stderr=subprocess.PIPE,
        text=True,
        timeout=cli.RUN_S,
        check=False,
    )
    if redirection == ">/dev/full":
        assert (done.returncode, done.stderr) == (1, "Error: [Errno 28] No space left on device\n")
    else:
        assert (done.returncode, done.stderr) == (0, "")


def test_command_line_writes_a_file_without_streams(tmp_path: Path) -> None:
    """With broken standard streams, a result goes to its file."""
    line = [*cli.COMMAND, "--deepaas_method_output", "result.json", "predict", "--number", "1"]
    done = subprocess.run(
        ["sh", "-c", 'exec "$@" <&- 2>/dev/full >&-', "sh", *line],
        cwd=tmp_path,
        env=environment(tmp_path, {"acting": ACTING}, {}),
        timeout=cli.RUN_S,
        check=False,
    )
    assert done.returncode == 0
    assert json.loads((tmp_path / "result.json").read_text())["number"] == 1


AS_NOBODY = ("setpriv", "--reuid", "54321", "--regid", "54321", "--clear-groups", sys.executable)


def can_start_python_as_nobody() -> bool:
    """Return whether a user without an entry in /etc/passwd can start this Python, and its processes too."""
    nested = "import subprocess, sys; subprocess.run([sys.executable, '-c', ''], check=True)"
    if os.getuid() != 0 or not shutil.which("setpriv"):
        return False
    return subprocess.run([*AS_NOBODY, "-c", nested], capture_output=True, check=False).returncode == 0


@pytest.mark.parametrize("home", [None, "/"])
def test_user_without_home(tmp_path: Path, home: str | None) -> None:
    """For a user without a home folder, a server that does not train serves; one that trains says why not."""
    if not can_start_python_as_nobody():
        pytest.skip("needs root, and a Python that every user can start")
    env = environment(tmp_path, {}, {"PYTHONPATH": str(TESTS), "TMPDIR": "/tmp"})
    del env["HOME"]
    command: dict[str, Any] = {
        "args": [*AS_NOBODY, "-m", "deepaas.cmd.run", "--model", ACTING, "--listen-port", "0"],
        "env": env | ({"HOME": home} if home else {}),
        "cwd": "/",
        "stdout": subprocess.PIPE,
        "stderr": subprocess.STDOUT,
        "text": True,
    }
    refused = subprocess.run(**command, timeout=START_S, check=False)
    assert refused.returncode == 2, refused.stdout
    assert refused.stdout.count("\n") == 1
    assert "--state-dir" in refused.stdout
    command["args"] += ["--notrain-endpoint"]
    with subprocess.Popen(**command) as process:
        try:
            output = Output(process.stdout)
            output.start()
            url = output.wait_for(r"Serving .* on (https?://\S+)\n", START_S)[1]
            response = httpx.post(f"{url}/v2/models/acting/predict/?number=1", timeout=START_S)
            assert response.status_code == 200, response.text
        finally:
            process.terminate()
            assert process.wait(END_S) == 0
