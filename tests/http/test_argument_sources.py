"""Sources of arguments: query, forms, JSON and headers, and their precedence."""

from typing import Any

import httpx
import pytest

from support.server import predict, predicted

SERVED = ["sources"]


@pytest.mark.parametrize(
    "sent",
    [
        {"params": {"word": "x"}},
        {"data": {"word": "x"}},
        {"files": {"word": (None, "x")}},
        {"json": {"word": "x"}},
        {"json": {"word": "x"}, "headers": {"Content-Type": "application/json; charset=utf-8"}},
        {"json": {"word": "x"}, "headers": {"Content-Type": "application/vnd.api+json"}},
    ],
)
def test_each_source(client: httpx.Client, sent: dict[str, Any]) -> None:
    assert predicted(client, "sources", **sent) == {"word": "x"}


@pytest.mark.parametrize("body", ["data", "json"])
def test_query_wins(client: httpx.Client, body: str) -> None:
    """The query overrides the body."""
    assert predicted(client, "sources", params={"word": "q"}, **{body: {"word": "b"}}) == {"word": "q"}


def test_query_wins_over_multipart(client: httpx.Client) -> None:
    found = predicted(client, "sources", params={"word": "q"}, files={"word": (None, "b")})
    assert found == {"word": "q"}


@pytest.mark.parametrize("body", ["data", "json"])
def test_sources_add_up(client: httpx.Client, body: str) -> None:
    found = predicted(client, "sources", params={"word": "q"}, **{body: {"words": ["a", "b"]}})
    assert found == {"word": "q", "words": ["a", "b"]}


def test_header(client: httpx.Client) -> None:
    """An argument with location `headers` is read only from headers, ignoring case."""
    assert predicted(client, "sources", headers={"x-token": "t"}) == {"X-Token": "t"}
    assert predicted(client, "sources", params={"X-Token": "q"}) == {}


@pytest.mark.parametrize(
    "sent",
    [
        {"params": {"words": ["a,b", "c"]}},
        {"data": {"words": ["a,b", "c"]}},
        {"files": [("words", (None, "a,b")), ("words", (None, "c"))]},
        {"json": {"words": ["a,b", "c"]}},
        {"params": {"words": '["a,b", "c"]'}},
    ],
)
def test_lists(client: httpx.Client, sent: dict[str, Any]) -> None:
    """Lists are sent as repeated names or as a JSON array; commas do not split values."""
    assert predicted(client, "sources", **sent) == {"words": ["a,b", "c"]}


def test_delimited_list(client: httpx.Client) -> None:
    """Commas split the value of a `DelimitedList`."""
    assert predicted(client, "sources", params={"split": "1,2"}) == {"split": [1, 2]}
    assert predict(client, "sources", params={"split": "1,x"}).json() == {
        "split": {"1": ["Not a valid integer."]}
    }


@pytest.mark.parametrize("where", ["params", "data", "json"])
def test_unknown_names(client: httpx.Client, where: str) -> None:
    assert predicted(client, "sources", **{where: {"word": "x", "unknown": "y", "": "z"}}) == {"word": "x"}


def test_unknown_parts(client: httpx.Client) -> None:
    """Unknown parts are ignored, including files."""
    files = {"unknown": ("a.bin", b"\xff"), "word": (None, "x")}
    assert predicted(client, "sources", files=files) == {"word": "x"}


@pytest.mark.parametrize("body", [b"{", b"[1,", b"\xff", b"nope", b"{'a': 1}", b'{"word": NaN}'])
def test_bad_json(client: httpx.Client, body: bytes) -> None:
    """Invalid JSON gets a 400 in the format of webargs."""
    response = predict(client, "sources", content=body, headers={"Content-Type": "application/json"})
    assert (response.status_code, response.json()) == (400, {"json": ["Invalid JSON body."]})


@pytest.mark.parametrize("body", [b"[1]", b"1", b'"x"'])
def test_json_that_is_no_object(client: httpx.Client, body: bytes) -> None:
    response = predict(client, "sources", content=body, headers={"Content-Type": "application/json"})
    assert response.status_code in (400, 422)
    assert isinstance(response.json(), dict)


@pytest.mark.parametrize(
    "content_type", ["application/json", "application/x-www-form-urlencoded", "text/plain"]
)
def test_empty_body(client: httpx.Client, content_type: str) -> None:
    assert predicted(client, "sources", content=b"", headers={"Content-Type": content_type}) == {}


def test_body_of_another_type(client: httpx.Client) -> None:
    """Bodies of other media types are ignored."""
    sent = {"content": b"a text", "headers": {"Content-Type": "text/plain"}, "params": {"word": "x"}}
    assert predicted(client, "sources", **sent) == {"word": "x"}


def test_form_that_is_no_text(client: httpx.Client) -> None:
    """A form with invalid UTF-8 is never a server error."""
    headers = {"Content-Type": "application/x-www-form-urlencoded"}
    response = predict(client, "sources", content=b"word=%ff", headers=headers)
    assert response.status_code in (200, 400)
    response = predict(client, "sources", content=b"word=\xff", headers=headers)
    assert response.status_code in (200, 400)
