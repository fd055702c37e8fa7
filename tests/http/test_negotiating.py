"""Which media type a model answers with, whoever asks however."""

import httpx
import pytest

from serving import predict

SERVED = ["negotiated", "only_predict", "without_default", "anything"]

BROWSER = "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,*/*;q=0.8"
JSON, PNG, TEXT = "application/json", "image/png", "text/plain"

HEADERS = [
    (None, PNG),
    ("*/*", PNG),
    ("", PNG),
    (BROWSER, PNG),
    (JSON, JSON),
    (PNG, PNG),
    ("image/*", PNG),
    ("text/*", TEXT),
    ("application/json, image/png;q=0.9", JSON),
    ("application/json;q=0.1, text/plain;q=0.5", TEXT),
    ("image/*;q=0.5, application/json", JSON),
    ("image/png;q=0, */*", JSON),
    ("text/html, text/*;q=0.2", TEXT),
    ("application/json; charset=utf-8", JSON),
    ("APPLICATION/JSON", JSON),
    ("audio/*, application/json;q=0.001", JSON),
    ("nonsense", PNG),
]


@pytest.mark.parametrize(("header", "answer"), HEADERS)
def test_header(client: httpx.Client, header: str | None, answer: str) -> None:
    """The Accept header is negotiated by RFC 9110; without a preference the default is taken."""
    request = client.build_request("POST", "/v2/models/negotiated/predict/")
    del request.headers["Accept"]
    if header is not None:
        request.headers["Accept"] = header
    response = client.send(request)
    assert response.status_code == 200, response.text
    assert response.headers["content-type"].partition(";")[0] == answer
    assert answer in response.text


def test_several_headers(client: httpx.Client) -> None:
    """Several Accept headers are one list."""
    headers = [("Accept", "audio/wav"), ("Accept", JSON)]
    request = httpx.Request("POST", f"{client.base_url}/v2/models/negotiated/predict/", headers=headers)
    assert client.send(request).headers["content-type"] == JSON


@pytest.mark.parametrize("header", ["audio/wav", "image/jpeg", "image/png;q=0", "*/*;q=0"])
def test_nothing_acceptable(client: httpx.Client, header: str) -> None:
    """A header that excludes every choice, or the only one it names, is a 406 that lists the choices."""
    response = predict(client, "negotiated", headers={"Accept": header})
    assert response.status_code == 406, response.text
    assert PNG in response.json()["message"]


@pytest.mark.parametrize("where", ["params", "data", "json"])
@pytest.mark.parametrize("header", ["*/*", PNG, "audio/wav"])
def test_argument(client: httpx.Client, where: str, header: str) -> None:
    """The argument in query, form or body selects the type, whatever the header says."""
    response = predict(client, "negotiated", headers={"Accept": header}, **{where: {"accept": TEXT}})
    assert response.status_code == 200
    assert response.headers["content-type"].partition(";")[0] == TEXT


def test_web_form(client: httpx.Client) -> None:
    """The header and the query that deepaas_ui sends at once are understood."""
    response = predict(client, "negotiated", headers={"Accept": PNG}, params={"accept": PNG})
    assert (response.headers["content-type"], response.content) == (PNG, b"it was image/png")


def test_unknown_argument(client: httpx.Client) -> None:
    """An argument that is none of the choices is a 422."""
    response = predict(client, "negotiated", params={"accept": "audio/wav"})
    assert (response.status_code, list(response.json())) == (422, ["accept"])


@pytest.mark.parametrize("header", ["*/*", BROWSER])
def test_first_choice(client: httpx.Client, header: str) -> None:
    """Without a default, the first choice is the answer."""
    response = predict(client, "without_default", headers={"Accept": header})
    assert response.status_code == 200, response.text
    assert response.json()["predictions"] == f"it was {JSON}"


@pytest.mark.parametrize("header", ["*/*", JSON, BROWSER, "image/png"])
def test_choices_with_wildcards(client: httpx.Client, header: str) -> None:
    """A model that offers `*/*` answers whoever asks."""
    response = predict(client, "anything", headers={"Accept": header})
    assert response.status_code == 200, response.text
    assert "it was" in response.text


@pytest.mark.parametrize("header", ["image/png", BROWSER, "audio/wav"])
def test_without_the_argument(client: httpx.Client, header: str) -> None:
    """A model without the argument answers with JSON."""
    response = predict(client, "only_predict", headers={"Accept": header})
    assert (response.status_code, response.headers["content-type"]) == (200, JSON)
