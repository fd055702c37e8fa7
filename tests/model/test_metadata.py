"""A model's metadata, and the defaults of models without usable metadata."""

import httpx
import pytest

from support.server import predicted

SERVED = [
    "a_class",
    "abstract_class",
    "as_module",
    "metadata_changes",
    "metadata_odd",
    "metadata_raises",
    "nothing",
    "only_predict",
    "warm_not_implemented",
    "warmed",
]


def described(client: httpx.Client, model: str) -> dict[str, object]:
    """Return a model's metadata."""
    response = client.get(f"/v2/models/{model}/")
    assert response.status_code == 200
    return dict(response.json())


def test_merged(client: httpx.Client) -> None:
    """The model's metadata overrides id, name and links."""
    assert described(client, "as_module") == {
        "id": "as_module",
        "name": "as_module",
        "links": [{"rel": "self", "href": "/v2/models/as_module"}],
        "version": "7",
        "author": "Ada",
        "license": "MIT",
    }
    assert described(client, "a_class")["name"] == "class"


def test_called_on_each_request(client: httpx.Client) -> None:
    """get_metadata is called for every request, and may override id and links."""
    first, second = (described(client, "metadata_changes") for _ in range(2))
    assert second["checkpoints"] == first["checkpoints"] + 1
    assert (first["id"], first["links"]) == ("my-id", "own")


@pytest.mark.parametrize("model", ["nothing", "abstract_class", "only_predict"])
def test_missing(client: httpx.Client, model: str) -> None:
    """A model without metadata has the id 0 and a description with the reason."""
    found = described(client, model)
    assert found["id"] == "0"
    assert found["name"] == model
    assert found["links"] == [{"rel": "self", "href": f"/v2/models/{model}"}]
    assert "No metadata could be loaded" in str(found["description"])


@pytest.mark.parametrize(
    ("model", "reason"),
    [("metadata_raises", "FileNotFoundError: no rclone here"), ("metadata_odd", "returned list")],
)
def test_unusable(client: httpx.Client, model: str, reason: str) -> None:
    """If get_metadata fails, name and reason are returned."""
    found = described(client, model)
    assert found["name"] == model
    assert found["links"] == [{"rel": "self", "href": f"/v2/models/{model}"}]
    assert reason in str(found["description"])


def test_others_are_unaffected(client: httpx.Client) -> None:
    """A failing get_metadata affects neither the list of models nor predictions."""
    response = client.get("/v2/models/")
    assert response.status_code == 200
    names = [model["links"][0]["href"] for model in response.json()["models"] if model["links"] != "own"]
    assert "/v2/models/metadata_raises" in names
    assert "/v2/models/as_module" in names
    answer = client.post("/v2/models/metadata_raises/predict/").json()
    assert answer == {"status": "OK", "predictions": "still predicts"}


def test_warm(client: httpx.Client) -> None:
    """warm is called once, without arguments, in the process and thread that predict."""
    first, second = (predicted(client, "warmed") for _ in range(2))
    assert first == second
    assert first["times"] == 1
    assert first["same"]


def test_warm_not_implemented(client: httpx.Client) -> None:
    """A NotImplementedError from warm is ignored."""
    answer = client.post("/v2/models/warm_not_implemented/predict/").json()
    assert answer["predictions"] == "cold"
