"""Streamed predictions: lines, events or raw chunks, and how streams end."""

import json
from typing import Any

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families

from support.server import Gate, Server, predict

pytestmark = pytest.mark.every_engine
SERVED = ["only_predict", "streams", "chosen_streams", "checked_streams", "async_streams", "any_streams"]

LINES, EVENTS, JSON = "application/x-ndjson", "text/event-stream", "application/json"
CSV, WAV = "text/csv", "audio/wav"
LARGE = b"x" * 3_000_000
ITEMS = [{"number": number, "text": "x"} for number in range(3)]


def lines(text: str) -> list[Any]:
    """Parse JSON lines."""
    assert text.endswith("\n") or not text
    return [json.loads(line) for line in text.splitlines()]


def events(text: str) -> list[tuple[str, Any]]:
    """Return the type and the parsed data of server-sent events."""
    assert text.endswith("\n\n")
    found = []
    for event in text.removesuffix("\n\n").split("\n\n"):
        fields = dict(line.split(": ", 1) for line in event.split("\n"))
        found.append((fields.get("event", "message"), json.loads(fields["data"])))
    return found


def read_into(received: bytearray, response: httpx.Response) -> None:
    """Collect the body, even if the stream is cut off."""
    for chunk in response.iter_raw():
        received += chunk


def cut_off(client: httpx.Client, model: str, **request: Any) -> tuple[httpx.Response, bytes]:
    """Request a stream that is cut off; return the response and the received bytes."""
    received = bytearray()
    unfinished = pytest.raises(httpx.RemoteProtocolError, match="incomplete")
    with client.stream("POST", f"/v2/models/{model}/predict/", **request) as response, unfinished:
        read_into(received, response)
    return response, bytes(received)


@pytest.mark.parametrize(
    ("accepted", "media_type"),
    [
        ("*/*", LINES),
        (JSON, LINES),
        (LINES, LINES),
        ("image/png", LINES),
        (EVENTS, EVENTS),
        ("Text/Event-Stream", EVENTS),
        (f"{EVENTS}, */*", EVENTS),
        (f"{EVENTS};q=0.5, {LINES}", LINES),
        (f"{EVENTS};q=0", LINES),
    ],
)
def test_media_type(client: httpx.Client, accepted: str, media_type: str) -> None:
    """Items are sent as JSON lines, or as server-sent events if the client prefers them."""
    response = predict(client, "streams", headers={"Accept": accepted, "X-Request-ID": "mine"})
    assert (response.status_code, response.headers["content-type"]) == (200, media_type)
    assert response.headers["X-Request-ID"] == "mine"
    if media_type == LINES:
        assert lines(response.text) == ITEMS
    else:
        assert events(response.text) == [("message", item) for item in ITEMS]


def test_accept_is_nothing_to_others(client: httpx.Client) -> None:
    """A model that does not stream ignores the preference for events."""
    response = predict(client, "only_predict", headers={"Accept": EVENTS})
    assert (response.status_code, response.headers["content-type"]) == (200, JSON)


@pytest.mark.parametrize("files", [None, {"unused": LARGE}], ids=["small", "large"])
@pytest.mark.parametrize("model", ["streams", "async_streams"])
def test_first_chunk_comes_first(client: httpx.Client, gate: Gate, model: str, files: Any) -> None:
    """Items are sent immediately, on the fast path and in aiohttp."""
    request = {"data": {"port": gate.port}, "files": files}
    with client.stream("POST", f"/v2/models/{model}/predict/", **request) as response:
        received = response.iter_lines()
        assert json.loads(next(received)) == ITEMS[0]
        gate.wait()
        gate.open()
        assert [json.loads(line) for line in received] == ITEMS[1:]


@pytest.mark.parametrize(
    ("accept", "media_type", "body"),
    [
        (CSV, CSV, b"0,xx\n1,xx\n2,xx\n"),
        (WAV, WAV, b"xxxxxx"),
        (EVENTS, EVENTS, b'data: {"number":0,"text":"xx"}\n\ndata: {"number":1,"text":"xx"}\n\n'),
        (JSON, LINES, b'{"number":0,"text":"xx"}\n{"number":1,"text":"xx"}\n'),
    ],
)
@pytest.mark.parametrize("where", ["header", "argument"])
def test_chosen_media_type(
    client: httpx.Client, accept: str, media_type: str, body: bytes, where: str
) -> None:
    """The chosen media type is sent: raw chunks unchanged, JSON as lines."""
    headers = {"Accept": accept} if where == "header" else {}
    chosen = {"accept": accept} if where == "argument" else {}
    response = predict(client, "chosen_streams", headers=headers, json={"size": 2} | chosen)
    assert (response.status_code, response.headers["content-type"]) == (200, media_type)
    assert response.content.startswith(body)


def test_nothing_acceptable(client: httpx.Client) -> None:
    assert predict(client, "chosen_streams", headers={"Accept": "image/png"}).status_code == 406


@pytest.mark.parametrize(
    ("items", "media_type", "body"),
    [
        ("bytes", "application/octet-stream", b"ab"),
        ("numbers", LINES, b"1\n2\n"),
        ("none", LINES, b""),
    ],
)
def test_any_media_type(client: httpx.Client, items: str, media_type: str, body: bytes) -> None:
    """For the choice `*/*`, bytes are sent unchanged, and other items as JSON lines."""
    response = predict(client, "any_streams", json={"items": items})
    assert (response.status_code, response.headers["content-type"]) == (200, media_type)
    assert response.content == body


def test_any_media_type_as_events(client: httpx.Client) -> None:
    response = predict(client, "any_streams", json={"items": "numbers"}, headers={"Accept": EVENTS})
    assert events(response.text) == [("message", 1), ("message", 2)]


@pytest.mark.parametrize("accepted", [LINES, EVENTS])
def test_no_items(client: httpx.Client, accepted: str) -> None:
    """A generator without items gets an empty response."""
    response = predict(client, "streams", headers={"Accept": accepted}, json={"count": 0})
    assert (response.status_code, response.headers["content-type"]) == (200, accepted)
    assert response.content == b""


@pytest.mark.parametrize("accepted", [LINES, EVENTS])
def test_large_items(client: httpx.Client, accepted: str) -> None:
    response = predict(client, "streams", headers={"Accept": accepted}, json={"size": 3_000_000})
    found = lines(response.text) if accepted == LINES else [item for _, item in events(response.text)]
    assert [len(item["text"]) for item in found] == [3_000_000] * 3


@pytest.mark.parametrize(("end", "status", "text"), [("raise", 500, "no more"), ("teapot", 418, "a teapot")])
@pytest.mark.parametrize("model", ["streams", "async_streams", "chosen_streams"])
def test_error_before_the_first_item(
    client: httpx.Client, model: str, end: str, status: int, text: str
) -> None:
    """The response is an ordinary error with the status of the exception."""
    response = predict(client, model, headers={"Accept": EVENTS}, json={"end": end, "at": 0})
    assert (response.status_code, response.headers["content-type"]) == (status, JSON)
    assert text in response.json()["message"]


@pytest.mark.parametrize("model", ["streams", "async_streams"])
def test_error_after_the_first_item_as_lines(client: httpx.Client, server: Server, model: str) -> None:
    """The error is the last line, and the body is cut off, to distinguish the error from an item."""
    request = {"json": {"end": "raise"}, "headers": {"X-Request-ID": f"failing-{model}"}}
    response, received = cut_off(client, model, **request)
    assert response.status_code == 200
    assert lines(received.decode()) == [ITEMS[0], {"message": "ValueError: no more"}]
    server.output.wait_for(rf"failing-{model}\] 500 ValueError: no more\nTraceback")


def test_error_after_the_first_item_as_events(client: httpx.Client) -> None:
    """The error is the last event, and its type is `error`."""
    response = predict(client, "streams", headers={"Accept": EVENTS}, json={"end": "raise"})
    assert events(response.text) == [("message", ITEMS[0]), ("error", {"message": "ValueError: no more"})]


@pytest.mark.parametrize(("accept", "body"), [(CSV, b"0,x\n"), (WAV, b"x")])
def test_error_after_the_first_raw_chunk(client: httpx.Client, accept: str, body: bytes) -> None:
    """The response is cut off."""
    _, received = cut_off(client, "chosen_streams", json={"accept": accept, "end": "raise"})
    assert received == body


def test_what_is_no_chunk(client: httpx.Client, server: Server) -> None:
    """An item that is neither bytes nor text ends the stream, and the log has the advice."""
    _, received = cut_off(client, "any_streams", json={"items": "odd"})
    assert received == b"a"
    server.output.wait_for(
        r"yielded int for the response type application/octet-stream\. Yield bytes or text"
    )


def test_nan(client: httpx.Client) -> None:
    """NaN in an item is an error that names its position."""
    _, received = cut_off(client, "streams", json={"end": "nan"})
    assert lines(received.decode())[1:] == [
        {"message": "the result['number'] is NaN, which JSON cannot express"}
    ]


def test_schema(client: httpx.Client) -> None:
    """Every item is validated against the schema and sent unchanged."""
    assert lines(predict(client, "checked_streams").text) == [{"number": number} for number in range(3)]


def test_item_that_does_not_fit_the_schema(client: httpx.Client, server: Server) -> None:
    """The error names the field, and the generator is closed."""
    _, received = cut_off(client, "checked_streams", json={"odd": True, "note": "unfit"})
    first, error = lines(received.decode())
    assert first == {"number": 0}
    assert "number: Not a valid integer." in error["message"]
    assert (server.cwd / "unfit").exists()


def test_log_lines_bear_the_request_id(client: httpx.Client, server: Server) -> None:
    predict(client, "streams", json={"note": "logged"}, headers={"X-Request-ID": "of-the-stream"})
    server.output.wait_for(r"streams \[of-the-stream\] closing logged\n")


def test_metrics(client: httpx.Client) -> None:
    """Streams have the metrics of any prediction, and the time to the first chunk."""
    names = {
        "deepaas_time_to_first_chunk_seconds_count": {"model": "checked_streams"},
        "deepaas_prediction_duration_seconds_count": {"model": "checked_streams", "stage": "render"},
    }

    def read_metrics() -> list[float]:
        families = text_string_to_metric_families(client.get("/metrics").text)
        samples = [sample for family in families for sample in family.samples]
        return [
            next(sample.value for sample in samples if (sample.name, sample.labels) == named)
            for named in names.items()
        ]

    before = read_metrics()
    assert predict(client, "checked_streams").status_code == 200
    assert read_metrics() == [value + 1 for value in before]


@pytest.mark.parametrize(
    ("model", "types"),
    [("streams", [LINES, EVENTS]), ("async_streams", [LINES, EVENTS]), ("only_predict", [JSON])],
)
def test_documents(client: httpx.Client, model: str, types: list[str]) -> None:
    """The documents list lines and events; Swagger's list also has JSON, for errors."""
    path = f"/v2/models/{model}/predict/"
    swagger = client.get("/swagger.json").json()["paths"][path]["post"]
    assert swagger["produces"] == list(dict.fromkeys([*types, JSON]))
    openapi = client.get("/openapi.json").json()["paths"][path]["post"]
    assert list(openapi["responses"]["200"]["content"]) == types


def test_connection_is_kept(server: Server) -> None:
    with server.client(limits=httpx.Limits(max_connections=1)) as client:
        ports = []
        for _ in range(2):
            response = predict(client, "streams")
            ports.append(response.extensions["network_stream"].get_extra_info("client_addr"))
        assert ports[0] == ports[1]
