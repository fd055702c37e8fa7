"""Content negotiation over HTTP: the media type of a prediction."""

import httpx
import pytest

from support.models import SPELLINGS_OF_ACCEPT
from support.server import predict

SERVED = [
    "negotiated",
    "only_predict",
    "without_default",
    "anything",
    "accepts_anything",
    "accepts_pictures",
    *SPELLINGS_OF_ACCEPT,
]
PDF = "application/pdf"
AXIOS = "application/json, text/plain, */*"
JAVA = "text/html, image/gif, image/jpeg, *; q=.2, */*; q=.2"

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
    """RFC 9110 applies; without a preference, the default is used."""
    request = client.build_request("POST", "/v2/models/negotiated/predict/")
    del request.headers["Accept"]
    if header is not None:
        request.headers["Accept"] = header
    response = client.send(request)
    assert response.status_code == 200, response.text
    assert response.headers["content-type"].partition(";")[0] == answer
    assert answer in response.text


def test_several_headers(client: httpx.Client) -> None:
    """Several Accept headers are combined to one list."""
    headers = [("Accept", "audio/wav"), ("Accept", JSON)]
    request = httpx.Request("POST", f"{client.base_url}/v2/models/negotiated/predict/", headers=headers)
    assert client.send(request).headers["content-type"] == JSON


@pytest.mark.parametrize("header", ["audio/wav", "image/jpeg", "image/png;q=0", "*/*;q=0"])
def test_nothing_acceptable(client: httpx.Client, header: str) -> None:
    """The response is a 406 that lists the choices."""
    response = predict(client, "negotiated", headers={"Accept": header})
    assert response.status_code == 406, response.text
    assert PNG in response.json()["message"]


@pytest.mark.parametrize("where", ["params", "data", "json"])
@pytest.mark.parametrize("header", ["*/*", PNG, "audio/wav"])
def test_argument(client: httpx.Client, where: str, header: str) -> None:
    """The argument `accept` overrides the header."""
    response = predict(client, "negotiated", headers={"Accept": header}, **{where: {"accept": TEXT}})
    assert response.status_code == 200
    assert response.headers["content-type"].partition(";")[0] == TEXT


def test_web_form(client: httpx.Client) -> None:
    """deepaas_ui sends both the header and the query parameter."""
    response = predict(client, "negotiated", headers={"Accept": PNG}, params={"accept": PNG})
    assert (response.headers["content-type"], response.content) == (PNG, b"it was image/png")


def test_unknown_argument(client: httpx.Client) -> None:
    response = predict(client, "negotiated", params={"accept": "audio/wav"})
    assert (response.status_code, list(response.json())) == (422, ["accept"])


@pytest.mark.parametrize("header", ["*/*", BROWSER])
def test_first_choice(client: httpx.Client, header: str) -> None:
    """Without a default, the first choice is used."""
    response = predict(client, "without_default", headers={"Accept": header})
    assert response.status_code == 200, response.text
    assert response.json()["predictions"] == f"it was {JSON}"


@pytest.mark.parametrize("header", ["*/*", JSON, BROWSER, "image/png"])
def test_choices_with_wildcards(client: httpx.Client, header: str) -> None:
    """A model with the choice `*/*` accepts every header."""
    response = predict(client, "anything", headers={"Accept": header})
    assert response.status_code == 200, response.text
    assert "it was" in response.text


@pytest.mark.parametrize("header", ["image/png", BROWSER, "audio/wav"])
def test_without_the_argument(client: httpx.Client, header: str) -> None:
    """A model without the argument always returns JSON."""
    response = predict(client, "only_predict", headers={"Accept": header})
    assert (response.status_code, response.headers["content-type"]) == (200, JSON)


@pytest.mark.parametrize("model", SPELLINGS_OF_ACCEPT)
@pytest.mark.parametrize(
    ("header", "choice"),
    [("", JSON), ("*/*", JSON), (AXIOS, JSON), (BROWSER, JSON), (JAVA, JSON), (PDF, PDF)],
)
def test_every_spelling(client: httpx.Client, model: str, header: str, choice: str) -> None:
    """The header is negotiated whatever location the model author declares for `accept`."""
    response = predict(client, model, headers={"Accept": header})
    assert response.status_code == 200, response.text
    assert response.headers["content-type"] == choice
    assert choice in response.text


@pytest.mark.parametrize("model", SPELLINGS_OF_ACCEPT)
def test_nothing_acceptable_in_every_spelling(client: httpx.Client, model: str) -> None:
    assert predict(client, model, headers={"Accept": "image/png"}).status_code == 406


@pytest.mark.parametrize("model", SPELLINGS_OF_ACCEPT)
@pytest.mark.parametrize("where", ["params", "data", "json"])
def test_argument_in_every_spelling(client: httpx.Client, model: str, where: str) -> None:
    """Query, form and body also select the type, whatever location the model author declares."""
    name = "Accept" if model.endswith("Renamed") else "accept"
    response = predict(client, model, headers={"Accept": "*/*"}, **{where: {name: PDF}})
    assert (response.status_code, response.headers["content-type"]) == (200, PDF), response.text


def test_published_as_an_argument(client: httpx.Client) -> None:
    """Forms and generated clients send `accept` in the query, which needs no negotiation."""
    for path in ("/swagger.json", "/openapi.json"):
        paths = client.get(path).json()["paths"]
        for model in SPELLINGS_OF_ACCEPT:
            (parameter,) = paths[f"/v2/models/{model}/predict/"]["post"]["parameters"]
            assert parameter["in"] == "query"


def test_header_without_choices(client: httpx.Client) -> None:
    """Without choices, the header is an ordinary argument."""
    response = predict(client, "accepts_anything", headers={"Accept": BROWSER})
    assert response.status_code == 200, response.text
    assert BROWSER in response.text


@pytest.mark.parametrize("header", ["", "*/*", AXIOS, BROWSER, JAVA, "*/*, image/*", f"image/*, {JSON}"])
def test_default_before_wildcard(client: httpx.Client, header: str) -> None:
    """A wildcard choice never wins over the default."""
    response = predict(client, "accepts_pictures", headers={"Accept": header})
    assert (response.status_code, response.headers["content-type"]) == (200, JSON)


@pytest.mark.parametrize(
    ("header", "kind", "sent"),
    [
        ("image/png", "unknown", "image/png"),
        ("image/webp, image/png;q=0.5", "unknown", "image/webp"),
        ("image/jpeg", "known", "image/png"),
        ("image/jpeg", "named", "image/gif"),
        ("image/*", "known", "image/png"),
        ("image/*", "unknown", "application/octet-stream"),
    ],
)
def test_type_of_a_wildcard(client: httpx.Client, header: str, kind: str, sent: str) -> None:
    """The model gets its wildcard; the response has the type of the file, else the requested type."""
    response = predict(client, "accepts_pictures", headers={"Accept": header}, params={"kind": kind})
    assert (response.status_code, response.headers["content-type"]) == (200, sent), response.text


def test_wildcard_as_an_argument(client: httpx.Client) -> None:
    """The argument may name the wildcard itself."""
    sent = {"accept": "image/*", "kind": "known"}
    response = predict(client, "accepts_pictures", headers={"Accept": "*/*"}, params=sent)
    assert (response.status_code, response.headers["content-type"]) == (200, "image/png")
