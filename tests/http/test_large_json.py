"""Large JSON bodies, which workers parse, are handled like small ones."""

from typing import Any

import httpx
import pytest

from support.server import predict

pytestmark = pytest.mark.every_engine
SERVED = ["all_fields", "negotiated", "sources", "batches", "accepts_pictures"]
PADDING = b" " * (2 << 20)
BODIES = [
    ("all_fields", b'{"str": "a", "int": 3, "list": ["1", "2"]}', {}),
    ("all_fields", b'{"int": "x", "float": "y"}', {}),
    ("all_fields", b'{"int": 1', {}),
    ("all_fields", b"[1]", {}),
    ("all_fields", b"", {}),
    ("all_fields", b'{"int": 1}', {"int": "2"}),
    ("negotiated", b'{"accept": "text/plain"}', {}),
    ("accepts_pictures", b"{}", {"accept": "image/*"}),
    ("accepts_pictures", b"{}", {}),
    ("negotiated", b'{"accept": "no/such"}', {}),
    ("batches", b"{}", {}),
]


def request_prediction(
    client: httpx.Client, model: str, body: bytes, query: dict[str, Any]
) -> tuple[int, str, bytes]:
    headers = {"Content-Type": "application/json", "Accept": "image/png, */*;q=0.5"}
    response = predict(client, model, content=body, headers=headers, params=query)
    return response.status_code, response.headers["content-type"], response.content


@pytest.mark.parametrize(("model", "body", "query"), BODIES)
def test_size_changes_nothing(client: httpx.Client, model: str, body: bytes, query: dict[str, Any]) -> None:
    """Padding a body with white space does not change the response."""
    assert request_prediction(client, model, PADDING + body, query) == request_prediction(
        client, model, body, query
    )
