"""What the server tells of itself, and that no stranger writes into it or reads beyond it."""

import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families

from faults.wire import Wire, request
from serving import Server, environment, predict, serving, until
from serving import _command as command

MODELS = {"told": "models_faults.told"}
MULTIPART = "Content-Type: multipart/form-data; boundary=x"
REQUEST_ID = "X-Request-ID"
EVIL = ["a\x1b[31mb", "a b", "<script>", "a" * 65, "../../etc/passwd", '"', "é", "%0a"]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """Return a server that logs all it can."""
    with serving(tmp_path_factory.mktemp("watched"), "--debug", models=MODELS) as server:
        yield server


@pytest.fixture(scope="module")
def client(server: Server) -> Iterator[httpx.Client]:
    """Return a client of it."""
    with server.client() as client:
        yield client


def test_metrics(client: httpx.Client) -> None:
    """/metrics is Prometheus's text, names begin with deepaas_, requests count by route."""
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
    """Bytes of uploads are counted."""

    def uploaded() -> float:
        text = client.get("/metrics").text
        return float(re.findall(r"^deepaas_request_body_bytes_total (\S+)$", text, re.MULTILINE)[0])

    before = uploaded()
    assert predict(client, "told", files={"data": ("a", b"x" * 100_000)}).status_code == 200
    assert 100_000 <= uploaded() - before < 101_000


def test_trainings_by_state(client: httpx.Client) -> None:
    """Trainings are counted by state."""
    assert client.post("/v2/models/told/train/", json={}).status_code == 200
    until(
        lambda: re.search(r'deepaas_trainings{model="told",state="done"} [1-9]', client.get("/metrics").text)
    )


def test_given_id(client: httpx.Client, server: Server) -> None:
    """The id that a client gives is in the answer, in the server's lines and in the model's own."""
    for number, say in enumerate(("a word", "another")):
        identity = f"mine-{number}"
        response = predict(client, "told", json={"say": say}, headers={REQUEST_ID: identity})
        assert response.headers[REQUEST_ID] == identity
        server.output.wait_for(rf"WARNING models_faults\.told \[{identity}\] {say}\n")
    predict(client, "told", json={"end": "raise"}, headers={REQUEST_ID: "failing"})
    server.output.wait_for(r"ERROR deepaas\.http \[failing\] 500 ")


def test_made_ids(client: httpx.Client) -> None:
    """Without one, every answer gets an id of its own, errors too."""
    paths = ("/v2/", "/nothing", "/v2/models/other/", "/metrics", "/openapi.json", "/api") * 3
    made = [client.get(path).headers[REQUEST_ID] for path in paths]
    assert len(set(made)) == len(paths)
    assert all(re.fullmatch(r"[0-9a-f]{16}", one) for one in made)


@pytest.mark.parametrize("evil", EVIL)
def test_evil_ids(client: httpx.Client, server: Server, evil: str) -> None:
    """An id that is not a plain word is replaced, and appears nowhere."""
    response = predict(client, "told", json={"end": "raise"}, headers={REQUEST_ID: evil.encode()})
    made = response.headers[REQUEST_ID]
    assert re.fullmatch(r"[0-9a-f]{16}", made)
    if response.status_code == 500:  # a control character is refused before it comes so far
        server.output.wait_for(rf"\[{made}\] 500 ")
    assert f"[{evil}]" not in server.log


@pytest.mark.parametrize("said", ["a\n2030-01-01 CRITICAL forged", "a\rb", "\x1b[2J", "\u2028line", "\x00"])
def test_forged_log_lines(client: httpx.Client, server: Server, said: str) -> None:
    """What a request makes a model log stays on its line, without control characters."""
    identity = predict(client, "told", json={"say": said}).headers[REQUEST_ID]
    line = server.output.wait_for(rf"[^\n]*\[{identity}\][^\n]*")[0]
    assert line.isprintable()
    assert not re.search(r"^2030-01-01 CRITICAL", server.log, re.MULTILINE)


def test_forged_paths(client: httpx.Client, server: Server) -> None:
    """A path with a newline in it forges no log line."""
    assert client.get("/v2/models/a%0a2031-01-01%20CRITICAL%20forged/").status_code == 404
    with Wire(server) as wire:
        wire.send(request("/v2/models/told/predict/?a=%0d%0a2031-01-01", "Content-Length: 0"))
        assert wire.answer().status == 200
    assert not re.search(r"^2031-01-01", server.log, re.MULTILINE)


def test_json_lines(start: Callable[..., Server]) -> None:
    """With --log-format json every line is JSON with a time, a level and the request's id."""
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
    """With --log-file, what models log is in the file, and /v2/debug has it all the same."""
    file = tmp_path / "log"
    flags = ("--log-file", str(file), "--debug-endpoint")
    server = Server(command(tmp_path, flags), tmp_path, environment(tmp_path, MODELS, {}), tmp_path)
    try:
        found = until(lambda: file.exists() and re.search(r"Serving .* on (http://\S+)\n", file.read_text()))
        with httpx.Client(base_url=found[1]) as client:
            assert predict(client, "told", json={"say": "a word"}).status_code == 200
            until(lambda: re.search(r"WARNING models_faults\.told \S+ a word\n", file.read_text()))
            until(lambda: "] a word\n" in client.get("/v2/debug/").text)
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
    """No path leads to a file outside of what is served; it is a 404 or a 400 in JSON."""
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
    """A file's name from a request decides nothing about where it is written."""
    body = (
        f'--x\r\nContent-Disposition: form-data; name="data"; filename="{name}"\r\n\r\nescaped\r\n--x--\r\n'
    ).encode()
    headers = dict([MULTIPART.split(": ")])
    response = client.post(f"/v2/models/told/{what}/", content=body, headers=headers)
    assert response.status_code in (200, 400, 422), response.text
    folders = (server.cwd, server.cwd.parent, server.scratch)
    assert not [path for folder in folders for path in folder.glob("*escaped*")]
