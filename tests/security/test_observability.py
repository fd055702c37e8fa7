"""Metrics, request ids and logs, and protection against forged log lines and path traversal."""

import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families

from support.raw_http import Wire, request
from support.server import Server, environment, predict, serving, wait_until
from support.server import _command as command

MODELS = {"told": "models.faults.scripted"}
MULTIPART = "Content-Type: multipart/form-data; boundary=x"
REQUEST_ID = "X-Request-ID"
EVIL = ["a\x1b[31mb", "a b", "<script>", "a" * 65, "../../etc/passwd", '"', "é", "%0a"]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """Return a server with debug logging."""
    with serving(tmp_path_factory.mktemp("watched"), "--debug", models=MODELS) as server:
        yield server


@pytest.fixture(scope="module")
def client(server: Server) -> Iterator[httpx.Client]:
    with server.client() as client:
        yield client


def test_metrics(client: httpx.Client) -> None:
    """/metrics has Prometheus format and names with the prefix deepaas_; requests are counted by route."""
    predict(client, "told", json={"number": 1})
    predict(client, "told", json={"end": "raise"})
    client.get("/nothing/here")
    response = client.get("/metrics")
    assert response.headers["content-type"].startswith("text/plain; version=0.0.4")
    families = {family.name: family for family in text_string_to_metric_families(response.text)}
    assert all(name.startswith("deepaas_") for name in families)
    requests = {
        (sample.labels["route"], sample.labels["status"]): sample.value
        for sample in families["deepaas_http_requests"].samples
    }
    assert requests["/v2/models/{model}/predict", "200"] >= 1
    assert requests["/v2/models/{model}/predict", "500"] >= 1
    assert requests["unmatched", "404"] >= 1
    stages = {sample.labels["stage"] for sample in families["deepaas_prediction_duration_seconds"].samples}
    assert stages == {"queue", "model", "render"}
    expected = {"queue_length", "queue_oldest_seconds", "workers", "worker_restarts", "request_body_bytes"}
    assert {f"deepaas_{name}" for name in expected} <= set(families)


def test_request_body_bytes(client: httpx.Client) -> None:

    def count_uploaded_bytes() -> float:
        text = client.get("/metrics").text
        return float(re.findall(r"^deepaas_request_body_bytes_total (\S+)$", text, re.MULTILINE)[0])

    before = count_uploaded_bytes()
    assert predict(client, "told", files={"data": ("a", b"x" * 100_000)}).status_code == 200
    assert 100_000 <= count_uploaded_bytes() - before < 101_000


def test_trainings_by_state(client: httpx.Client) -> None:
    assert client.post("/v2/models/told/train/", json={}).status_code == 200
    wait_until(
        lambda: re.search(r'deepaas_trainings{model="told",state="done"} [1-9]', client.get("/metrics").text)
    )


def test_given_id(client: httpx.Client, server: Server) -> None:
    """The client's id is in the response, and in log lines of server and model."""
    for number, say in enumerate(("a word", "another")):
        identity = f"mine-{number}"
        response = predict(client, "told", json={"say": say}, headers={REQUEST_ID: identity})
        assert response.headers[REQUEST_ID] == identity
        server.output.wait_for(rf"WARNING models\.faults\.scripted \[{identity}\] {say}\n")
    predict(client, "told", json={"end": "raise"}, headers={REQUEST_ID: "failing"})
    server.output.wait_for(r"ERROR deepaas\.http \[failing\] 500 ")


def test_made_ids(client: httpx.Client) -> None:
    """Without a client's id, each response has a new one, including errors."""
    paths = ("/v2/", "/nothing", "/v2/models/other/", "/metrics", "/openapi.json", "/api") * 3
    made = [client.get(path).headers[REQUEST_ID] for path in paths]
    assert len(set(made)) == len(paths)
    assert all(re.fullmatch(r"[0-9a-f]{16}", one) for one in made)


@pytest.mark.parametrize("evil", EVIL)
def test_evil_ids(client: httpx.Client, server: Server, evil: str) -> None:
    """An invalid id is replaced, and never logged."""
    response = predict(client, "told", json={"end": "raise"}, headers={REQUEST_ID: evil.encode()})
    made = response.headers[REQUEST_ID]
    assert re.fullmatch(r"[0-9a-f]{16}", made)
    if response.status_code == 500:  # control characters are rejected earlier
        server.output.wait_for(rf"\[{made}\] 500 ")
    assert f"[{evil}]" not in server.log


@pytest.mark.parametrize("said", ["a\n2030-01-01 CRITICAL forged", "a\rb", "\x1b[2J", "\u2028line", "\x00"])
def test_forged_log_lines(client: httpx.Client, server: Server, said: str) -> None:
    """A logged message stays on one line, without control characters."""
    identity = predict(client, "told", json={"say": said}).headers[REQUEST_ID]
    line = server.output.wait_for(rf"[^\n]*\[{identity}\][^\n]*")[0]
    assert line.isprintable()
    assert not re.search(r"^2030-01-01 CRITICAL", server.log, re.MULTILINE)


def test_forged_paths(client: httpx.Client, server: Server) -> None:
    assert client.get("/v2/models/a%0a2031-01-01%20CRITICAL%20forged/").status_code == 404
    with Wire(server) as wire:
        wire.send(request("/v2/models/told/predict/?a=%0d%0a2031-01-01", "Content-Length: 0"))
        assert wire.answer().status == 200
    assert not re.search(r"^2031-01-01", server.log, re.MULTILINE)


def test_json_lines(start: Callable[..., Server]) -> None:
    """With --log-format json, every line is JSON with time, level and request id."""
    server = start("--log-format", "json", "--debug-endpoint", models=MODELS)
    url = server.output.wait_for(r"Serving .* on (http://[^\s\"]+)")[1]
    with httpx.Client(base_url=url) as client:
        predict(client, "told", json={"say": "one\ntwo", "end": "raise"}, headers={REQUEST_ID: "mine"})
        predict(client, "told", json={"end": "SIGKILL"})
        server.output.wait_for("SIGKILL")
    lines = [json.loads(line) for line in server.log.splitlines()]
    assert all({"time", "level", "logger", "pid", "request_id", "message"} <= set(line) for line in lines)
    assert {line["message"] for line in lines if line["request_id"] == "mine"} >= {"one\ntwo"}
    assert any("ValueError" in line.get("traceback", "") for line in lines)
    assert any(line["level"] == "WARNING" and "debug endpoint" in line["message"] for line in lines)


def test_debug_and_log_file(tmp_path: Path) -> None:
    """With --log-file, log lines of models are in the file and in /v2/debug."""
    file = tmp_path / "log"
    flags = ("--log-file", str(file), "--debug-endpoint")
    server = Server(command(tmp_path, flags), tmp_path, environment(tmp_path, MODELS, {}), tmp_path)
    try:
        found = wait_until(
            lambda: file.exists() and re.search(r"Serving .* on (http://\S+)\n", file.read_text())
        )
        with httpx.Client(base_url=found[1]) as client:
            assert predict(client, "told", json={"say": "a word"}).status_code == 200
            wait_until(lambda: re.search(r"WARNING models\.faults\.scripted \S+ a word\n", file.read_text()))
            wait_until(lambda: "] a word\n" in client.get("/v2/debug/").text)
        server.stop()
    finally:
        server.kill()


TRAVERSALS = ["..%2f..%2f..%2fetc%2fpasswd", "%2e%2e/%2e%2e/%2e%2e/etc/passwd", "..%5c..%5cetc%5cpasswd"]
TRAVERSALS += ["%2fetc%2fpasswd", "a%00b", "....//....//etc/passwd", "." * 5000]


@pytest.mark.parametrize("evil", TRAVERSALS, ids=range(len(TRAVERSALS)))
@pytest.mark.parametrize(
    "place",
    [
        "/static/{}",
        "/v2/models/{}/",
        "/v2/models/told/train/{}",
        "/v2/models/told/train/{}/log",
        "/v2/models/told/train/{}/artifacts/x",
        "/v2/models/told/train/UUID/artifacts/{}",
    ],
)
def test_traversal_in_paths(server: Server, client: httpx.Client, place: str, evil: str) -> None:
    """No path leads outside the served files; the response is a 404 or 400 in JSON."""
    if "UUID" in place:
        trainings = client.get("/v2/models/told/train/").json() or [
            client.post("/v2/models/told/train/").json()
        ]
        place = place.replace("UUID", trainings[0]["uuid"])
    with Wire(server) as wire:
        wire.send(request(place.format(evil), method="GET"))
        answer = wire.answer()
    assert answer.status in (400, 404), answer
    assert b"root:" not in answer.body
    assert answer.message


@pytest.mark.parametrize(
    "name", ["../../../escaped", "/tmp/escaped", "a\\..\\escaped", "escaped%00", "." * 300, ".."]
)
@pytest.mark.parametrize("what", ["predict", "train"])
def test_traversal_in_file_names(server: Server, client: httpx.Client, what: str, name: str) -> None:
    """The file name in a request does not change where the file is written."""
    body = (
        f'--x\r\nContent-Disposition: form-data; name="data"; filename="{name}"\r\n\r\nescaped\r\n--x--\r\n'
    ).encode()
    headers = dict([MULTIPART.split(": ")])
    response = client.post(f"/v2/models/told/{what}/", content=body, headers=headers)
    assert response.status_code in (200, 400, 422), response.text
    folders = (server.cwd, server.cwd.parent, server.scratch)
    assert not [path for folder in folders for path in folder.glob("*escaped*")]
