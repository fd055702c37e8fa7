"""Where arguments come from: query, forms, JSON and headers, and which of them wins."""

from typing import Any

import httpx
import pytest

from serving import predict, predicted

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
    """Query, form, multipart and JSON body all fill arguments."""
    assert predicted(client, "sources", **sent) == {"word": "x"}


@pytest.mark.parametrize("body", ["data", "json"])
def test_query_wins(client: httpx.Client, body: str) -> None:
    """A name that occurs in the query and in the body has the query's value."""
    assert predicted(client, "sources", params={"word": "q"}, **{body: {"word": "b"}}) == {"word": "q"}


def test_query_wins_over_multipart(client: httpx.Client) -> None:
    """A name that occurs in the query and in a multipart form has the query's value."""
    found = predicted(client, "sources", params={"word": "q"}, files={"word": (None, "b")})
    assert found == {"word": "q"}


@pytest.mark.parametrize("body", ["data", "json"])
def test_sources_add_up(client: httpx.Client, body: str) -> None:
    """Arguments of one call may come from several sources."""
    found = predicted(client, "sources", params={"word": "q"}, **{body: {"words": ["a", "b"]}})
    assert found == {"word": "q", "words": ["a", "b"]}


def test_header(client: httpx.Client) -> None:
    """An argument whose location is headers is read from there only, in any case of its name."""
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
    """A list comes as repeated names or as a JSON array; a comma does not split it."""
    assert predicted(client, "sources", **sent) == {"words": ["a,b", "c"]}


def test_delimited_list(client: httpx.Client) -> None:
    """A comma does split a DelimitedList."""
    assert predicted(client, "sources", params={"split": "1,2"}) == {"split": [1, 2]}
    assert predict(client, "sources", params={"split": "1,x"}).json() == {
        "split": {"1": ["Not a valid integer."]}
    }


@pytest.mark.parametrize("where", ["params", "data", "json"])
def test_unknown_names(client: httpx.Client, where: str) -> None:
    """Unknown names are ignored."""
    assert predicted(client, "sources", **{where: {"word": "x", "unknown": "y", "": "z"}}) == {"word": "x"}


def test_unknown_parts(client: httpx.Client) -> None:
    """Unknown parts of a multipart form are ignored, files too."""
    files = {"unknown": ("a.bin", b"\xff"), "word": (None, "x")}
    assert predicted(client, "sources", files=files) == {"word": "x"}


@pytest.mark.parametrize("body", [b"{", b"[1,", b"\xff", b"nope", b"{'a': 1}", b'{"word": NaN}'])
def test_bad_json(client: httpx.Client, body: bytes) -> None:
    """A body that is not the JSON it says it is gets a 400 in webargs' words."""
    response = predict(client, "sources", content=body, headers={"Content-Type": "application/json"})
    assert (response.status_code, response.json()) == (400, {"json": ["Invalid JSON body."]})


@pytest.mark.parametrize("body", [b"[1]", b"1", b'"x"'])
def test_json_that_is_no_object(client: httpx.Client, body: bytes) -> None:
    """A JSON body that is no object cannot hold arguments."""
    response = predict(client, "sources", content=body, headers={"Content-Type": "application/json"})
    assert response.status_code in (400, 422)
    assert isinstance(response.json(), dict)


@pytest.mark.parametrize(
    "content_type", ["application/json", "application/x-www-form-urlencoded", "text/plain"]
)
def test_empty_body(client: httpx.Client, content_type: str) -> None:
    """An empty body is one without arguments."""
    assert predicted(client, "sources", content=b"", headers={"Content-Type": content_type}) == {}


def test_body_of_another_type(client: httpx.Client) -> None:
    """A body of a type that holds no arguments is passed over."""
    sent = {"content": b"a text", "headers": {"Content-Type": "text/plain"}, "params": {"word": "x"}}
    assert predicted(client, "sources", **sent) == {"word": "x"}


def test_form_that_is_no_text(client: httpx.Client) -> None:
    """A form that is not UTF-8 is a 400, or has its unreadable parts replaced; it is never a 500."""
    headers = {"Content-Type": "application/x-www-form-urlencoded"}
    response = predict(client, "sources", content=b"word=%ff", headers=headers)
    assert response.status_code in (200, 400)
    response = predict(client, "sources", content=b"word=\xff", headers=headers)
    assert response.status_code in (200, 400)
