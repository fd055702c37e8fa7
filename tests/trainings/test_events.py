"""Event stream of a training, and resuming it."""

from typing import Any

import httpx
import pytest

from support.server import Gate
from support.trainings import Event, begin, ended, events, path_of, read_events

pytestmark = pytest.mark.slow
STEPS = [
    step
    for number in range(1, 7)
    for step in (
        ["report", {"step": number, "total": 6, "loss": 1 / number}],
        ["print", f"line {number} ü"],
        ["write", f"\r {number}0%|bar\r"],
    )
]


def what_happened(found: list[Event]) -> list[tuple[str, Any]]:
    """Return the content of metrics and log events, which clients must receive exactly once."""
    return [(kind, event.content) for kind in ("metrics", "log") for event in found if event.kind == kind]


def begun(client: httpx.Client, record: dict[str, Any], last_id: str, count: int) -> list[Event]:
    """Return the first `count` events after `last_id`, then disconnect."""
    headers = {"Last-Event-ID": last_id} if last_id else {}
    with client.stream("GET", path_of(record, "/events"), headers=headers) as response:
        if response.status_code == 204:
            return []
        stream = read_events(response.iter_lines())
        return [event for _, event in zip(range(count), stream, strict=False)]


def test_all(http: httpx.Client) -> None:
    """The stream has state, progress, metrics and log events; the last event is the end."""
    record = begin(http, *STEPS)
    found = events(http, record)
    assert {event.kind for event in found} - {"unfinished"} == {"state", "progress", "metrics", "log", "end"}
    assert [event.content["step"] for event in found if event.kind == "metrics"] == list(range(1, 7))
    lines = [event.content["line"] for event in found if event.kind == "log"]
    assert [line for line in lines if line.startswith("line")] == [f"line {n} ü" for n in range(1, 7)]
    assert found[-1].kind == "end"
    assert found[-1].content == ended(http, record)
    # The first progress event may contain memory only.
    progress = [event.content.get("progress") for event in found if event.kind == "progress"]
    assert progress[-1] == 1


@pytest.mark.parametrize("count", [1, 2, 3, 5, 8])
def test_replay(http: httpx.Client, count: int) -> None:
    """A client that reconnects with its last event's id receives every event exactly once."""
    record = begin(http, *STEPS)
    ended(http, record)
    whole = events(http, record)
    found: list[Event] = []
    for _ in range(len(whole) + 1):
        more = begun(http, record, found[-1].id if found else "", 2 + count)
        found += more
        if not more:
            break
    assert what_happened(found) == what_happened(whole)


def test_replay_after_the_first_event(http: httpx.Client) -> None:
    """The state and the progress that every stream starts with have ids before the events that follow."""
    record = begin(http, *STEPS)
    ended(http, record)
    whole = what_happened(events(http, record))
    for event in begun(http, record, "", 2):
        assert what_happened(events(http, record, event.id)) == whole


def test_replay_while_running(http: httpx.Client, gate: Gate) -> None:
    """Also while the training runs, a client that reconnects receives every event exactly once."""
    waits = [["wait", gate.port]]
    record = begin(http, *STEPS[:6], *waits, *STEPS[6:12], *waits, *STEPS[12:])
    found: list[Event] = []
    for _ in range(2):
        gate.wait()
        for _ in range(2):
            found += begun(http, record, found[-1].id if found else "", 4)
        gate.open()
    found += events(http, record, found[-1].id)
    assert what_happened(found) == what_happened(events(http, record))


def test_after_the_end(http: httpx.Client) -> None:
    """A client that has received the end gets 204, so that a browser does not reconnect."""
    record = begin(http, ["print", "x"])
    last = events(http, record)[-1]
    response = http.get(path_of(record, "/events"), headers={"Last-Event-ID": last.id})
    assert (response.status_code, response.content) == (204, b"")


@pytest.mark.parametrize(
    "last_id", ["nonsense", "-1-0", "5", "3-3", "99999999999999999999-0", "0-99999999999999999999"]
)
def test_odd_id(http: httpx.Client, last_id: str) -> None:
    """With an invalid event id, the stream still works and ends."""
    record = begin(http, ["report", {"step": 1, "total": 1}], ["print", "x"])
    ended(http, record)
    assert events(http, record, last_id)[-1].kind == "end"


@pytest.mark.parametrize("what", ["big", "surrogate", "object", "lambda"])
def test_odd_result(http: httpx.Client, what: str) -> None:
    """The stream ends, whatever the training returned."""
    record = begin(http, ["inexpressible", what])
    assert ended(http, record)["state"] == "done"
    assert events(http, record)[-1].kind == "end"


def test_queued_and_cancelled(http: httpx.Client, gate: Gate) -> None:
    """The stream of a queued training shows its position, and ends when it is cancelled."""
    first = [begin(http, ["wait", gate.port]) for _ in range(2)]
    gate.wait(2)
    queued = begin(http, ["print", "never"])
    with http.stream("GET", path_of(queued, "/events")) as response:
        stream = read_events(response.iter_lines())
        event = next(stream)
        assert (event.kind, event.content["state"], event.content["queue_position"]) == ("state", "queued", 1)
        http.delete(path_of(queued))
        assert [event.kind for event in stream] == ["state", "end"]
    gate.open()
    assert [ended(http, one)["state"] for one in first] == ["done", "done"]


def test_purged(http: httpx.Client, gate: Gate) -> None:
    """The stream of a purged training is closed properly."""
    record = begin(http, ["wait", gate.port])
    gate.wait()
    with http.stream("GET", path_of(record, "/events")) as response:
        stream = read_events(response.iter_lines())
        next(stream)
        assert http.delete(path_of(record, "?purge=true")).status_code == 200
        list(stream)
    assert http.get(path_of(record, "/events")).status_code == 404


def test_bar(http: httpx.Client, gate: Gate) -> None:
    """A progress bar is sent while it is drawn and logged as one line; `/log` returns it as printed."""
    bars = [f"\r{percent:3}%|bar" for percent in (10, 50, 100)]
    steps = [["write", bars[0]], ["wait", gate.port], ["write", "".join(bars[1:])], ["write", "\n"]]
    record = begin(http, *steps, ["print", "saved"])
    gate.wait()
    with http.stream("GET", path_of(record, "/events")) as response:
        assert response.headers["X-Accel-Buffering"] == "no"
        found: list[Event] = []
        for event in read_events(response.iter_lines()):
            found.append(event)
            if event == (event.id, "unfinished", {"line": " 10%|bar"}):
                gate.open()
    assert [event.content["line"] for event in found if event.kind == "log"] == ["100%|bar", "saved"]
    assert http.get(path_of(record, "/log"), params={"tail": 2}).text == "100%|bar\nsaved\n"
    assert http.get(path_of(record, "/log")).text == "".join(bars) + "\nsaved\n"


def test_tail(http: httpx.Client, gate: Gate) -> None:
    """A client can start with the last lines of the log."""
    record = begin(
        http, *[["print", str(number)] for number in range(5)], ["wait", gate.port], ["print", "5"]
    )
    gate.wait()
    with http.stream("GET", path_of(record, "/events"), params={"tail": 2}) as response:
        found = []
        for event in read_events(response.iter_lines()):
            found.append(event)
            if event.kind == "log" and event.content["line"] == "4":
                gate.open()
    assert [event.content["line"] for event in found if event.kind == "log"] == ["3", "4", "5"]


def test_keep_alive(http: httpx.Client, gate: Gate) -> None:
    """Without events, the server sends comments, so that proxies do not close the connection."""
    record = begin(http, ["wait", gate.port], ["print", "x"])
    gate.wait()
    with http.stream("GET", path_of(record, "/events")) as response:
        lines = response.iter_lines()
        assert ": keep-alive" in lines  # reads until it is sent
        gate.open()
        assert [event.kind for event in read_events(lines)][-1] == "end"
